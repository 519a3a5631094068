//! `tpstack doctor` names what a cluster lacks, exactly that, and nothing where all is well.

use serde_json::{Value, json};

use crate::harness::{
    environment::{ask, kubectl},
    kinds,
    pods::Kubelet,
    sandbox::Sandbox,
    setup::{self, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE},
    stack::Stack,
    wait::{eventually, holds},
};

/// The CRD whose objects tell which ServiceMonitors are scraped.
const PROMETHEUS: (&str, &[&str]) = (
    "prometheus-operator.yaml",
    &["prometheuses.monitoring.coreos.com"],
);
const METRICS: &str = "podmetrics.metrics.k8s.io";
const CLASS: &str = "doctors-default";
const TRAEFIK_ARGUMENTS: [&str; 3] = [
    "--entryPoints.web.address=:8000/tcp",
    "--entryPoints.websecure.address=:8443/tcp",
    "--providers.kubernetescrd",
];

/// What a cluster has in which nothing is amiss. The tests that change it run alone.
struct Clinic<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Clinic<'a> {
    async fn open(sandbox: &'a Sandbox) -> Self {
        sandbox.assert_alone();
        let clinic = Self { sandbox };
        setup::install_optional(sandbox, PROMETHEUS).await;
        clinic.metrics().await;
        clinic.storage_class(CLASS).await;
        clinic
            .scrape(&json!({"serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": {}}));
        clinic.traefik(&TRAEFIK_ARGUMENTS);
        clinic.apply(&deployment("DaemonSet", "cilium", "cilium/cilium:v1", &[]));
        clinic
    }

    /// Takes away what others would stumble over.
    async fn close(self) {
        for class in self.sandbox.list(&kinds::STORAGE_CLASS).await {
            self.drop_class(class["metadata"]["name"].as_str().expect("it has a name"))
                .await;
        }
        for name in [PROMETHEUS.1[0], METRICS] {
            self.sandbox.delete(&kinds::CRD, name).await;
            self.sandbox.gone(&kinds::CRD, name).await;
        }
    }

    fn apply(&self, manifest: &Value) {
        let place = ["--namespace", &self.sandbox.namespace];
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        kubectl(&[apply.as_slice(), &place].concat(), &manifest.to_string());
    }

    fn scrape(&self, spec: &Value) {
        self.apply(&json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": {"name": "main"}, "spec": spec}));
    }

    fn traefik(&self, arguments: &[&str]) {
        self.apply(&deployment(
            "Deployment",
            "traefik",
            "traefik:v3.6",
            arguments,
        ));
    }

    async fn storage_class(&self, name: &str) {
        let class = json!({
            "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "example.org/none",
        });
        self.sandbox.create(&kinds::STORAGE_CLASS, class).await;
    }

    async fn drop_class(&self, name: &str) {
        self.sandbox.delete(&kinds::STORAGE_CLASS, name).await;
        self.sandbox.gone(&kinds::STORAGE_CLASS, name).await;
    }

    /// Has the group metrics.k8s.io served, which metrics-server does.
    async fn metrics(&self) {
        let names = json!({"plural": "podmetrics", "singular": "podmetric", "kind": "PodMetrics", "listKind": "PodMetricsList"});
        let schema = json!({"openAPIV3Schema": {"type": "object"}});
        let definition = json!({
            "metadata": {"name": METRICS, "annotations": {"api-approved.kubernetes.io": "unapproved, in a test"}},
            "spec": {"group": "metrics.k8s.io", "scope": "Namespaced", "names": names,
                     "versions": [{"name": "v1beta1", "served": true, "storage": true, "schema": schema}]},
        });
        self.sandbox.create(&kinds::CRD, definition).await;
    }

    async fn finds_in(&self, namespace: &str, wanted: &[&str]) {
        let code = Some(i32::from(!wanted.is_empty()));
        eventually(
            self.sandbox,
            &format!("doctor finds {wanted:?}"),
            async || {
                let found = reasons(namespace)?;
                holds(found.0 == code && found.1 == wanted, || {
                    format!("it finds {found:?}")
                })
            },
        )
        .await;
    }

    async fn finds(&self, wanted: &[&str]) {
        self.finds_in(&self.sandbox.namespace, wanted).await;
    }
}

/// What is found, by its reasons.
fn reasons(namespace: &str) -> Result<(Option<i32>, Vec<String>), String> {
    let arguments = ["doctor", "--namespace", namespace, "--output", "json"];
    let said = ask(&arguments, "", None);
    // A definition that has just been changed is not served for a moment.
    let answer: Value =
        serde_json::from_str(&said.text).map_err(|error| format!("{error}: {said:?}"))?;
    assert_eq!(
        answer["unread"],
        json!([]),
        "an administrator may read everything"
    );
    let found = answer["found"].as_array().expect("it is a list").iter();
    let findings = found.flat_map(|of| of["findings"].as_array().cloned().unwrap_or_default());
    let reasons = findings.map(|finding| {
        let next = finding["next"].as_str();
        assert!(next.is_some_and(|next| !next.is_empty()), "{finding}");
        finding["reason"].as_str().expect("it is a word").to_owned()
    });
    Ok((said.code, reasons.collect()))
}

fn deployment(kind: &str, name: &str, image: &str, arguments: &[&str]) -> Value {
    let labels = json!({"app.kubernetes.io/name": name});
    let pod = json!({"containers": [{"name": name, "image": image, "args": arguments}]});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels},
           "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}})
}

fn spec() -> Value {
    json!({
        "api": {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}},
        "ingress": {"hosts": ["shop.example.org"]},
    })
}

#[tokio::test]
async fn each_thing_that_is_amiss_is_named_alone_and_nothing_where_all_is_well() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let clinic = Clinic::open(&sandbox).await;
    let stack = sandbox.stack("shop", spec()).await;
    stack.ready().await;
    clinic.finds(&[]).await;
    let said = ask(
        &["doctor", "shop", "--namespace", &sandbox.namespace],
        "",
        None,
    );
    assert!(
        said.code == Some(0) && said.text.starts_with("nothing is amiss"),
        "{said:?}"
    );

    scraping(&clinic).await;
    routes(&clinic).await;
    storage(&clinic).await;
    rights(&clinic).await;
    refused_pods(&clinic, &stack).await;

    let place = ["--namespace", sandbox.namespace.as_str()];
    kubectl(
        &[["delete", "daemonset", "cilium"].as_slice(), &place].concat(),
        "",
    );
    clinic.finds(&["NoPolicyEnforcement"]).await;
    clinic.apply(&deployment("DaemonSet", "cilium", "cilium/cilium:v1", &[]));

    sandbox.delete(&kinds::CRD, METRICS).await;
    sandbox.gone(&kinds::CRD, METRICS).await;
    clinic.finds(&["MetricsServerMissing"]).await;
    clinic.metrics().await;

    let name = "tpstacks.tpstack.dev";
    let loosened = json!([{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/paused"}]);
    let patch = loosened.to_string();
    kubectl(
        &["patch", "crd", name, "--type=json", "--patch", &patch],
        "",
    );
    clinic.finds(&["DefinitionDiffers"]).await;
    setup::install_definition(&sandbox).await;
    clinic.finds(&[]).await;
    clinic.close().await;
}

async fn scraping(clinic: &Clinic<'_>) {
    let release = json!({"matchLabels": {"release": "main"}});
    clinic
        .scrape(&json!({"serviceMonitorSelector": release, "serviceMonitorNamespaceSelector": {}}));
    clinic.finds(&["MonitorNotSelected"]).await;
    let other = json!({"matchLabels": {"kubernetes.io/metadata.name": "other"}});
    clinic.scrape(&json!({"serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": other}));
    clinic.finds(&["MonitorNamespaceNotSelected"]).await;
    clinic.scrape(&json!({"serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": {}}));
    clinic.finds(&[]).await;
}

async fn routes(clinic: &Clinic<'_>) {
    let [web, secure, provider] = TRAEFIK_ARGUMENTS;
    for (arguments, reason) in [
        (vec![web, secure], "TraefikProviderMissing"),
        (vec![web, provider], "EntryPointMissing"),
        (
            vec![web, secure, "--providers.kubernetescrd.namespaces=other"],
            "TraefikNamespaceMissing",
        ),
        (
            vec![
                web,
                secure,
                provider,
                "--providers.kubernetescrd.ingressclass=inner",
            ],
            "TraefikIngressClass",
        ),
    ] {
        clinic.traefik(&arguments);
        clinic.finds(&[reason]).await;
    }
    clinic.sandbox.delete(&kinds::DEPLOYMENT, "traefik").await;
    clinic.finds(&["TraefikNotRunning"]).await;
    clinic.traefik(&TRAEFIK_ARGUMENTS);
    clinic.finds(&[]).await;
}

async fn storage(clinic: &Clinic<'_>) {
    // Claims that are there were given a class; new ones are not.
    clinic.drop_class(CLASS).await;
    clinic
        .finds(&["StorageClassMissing", "StorageClassMissing"])
        .await;
    let other = clinic.sandbox.beside().await;
    let _kubelet = Kubelet::start(&other);
    other.stack("shop", json!({})).await.ready().await;
    clinic
        .finds_in(&other.namespace, &["DefaultStorageClassMissing"])
        .await;
    clinic.storage_class(CLASS).await;
    clinic.finds(&[]).await;
    clinic.storage_class("doctors-second").await;
    // Paused from the start: its claims are not made yet, and would take either class.
    let third = clinic.sandbox.beside().await;
    let stack = third.stack("shop", json!({"paused": true})).await;
    stack.becomes("Ready", "Unknown", "Paused").await;
    clinic
        .finds_in(&third.namespace, &["SeveralDefaultStorageClasses"])
        .await;
    clinic.drop_class("doctors-second").await;
}

async fn rights(clinic: &Clinic<'_>) {
    let without = clinic.sandbox.ungranted_beside().await;
    without
        .stack("shop", json!({}))
        .await
        .stalled("NamespaceNotGranted")
        .await;
    clinic
        .finds_in(&without.namespace, &["NamespaceNotGranted"])
        .await;
    let rules = json!([{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["*"]}]);
    without
        .create(
            &kinds::ROLE,
            json!({"metadata": {"name": "some"}, "rules": rules}),
        )
        .await;
    let binding = json!({
        "metadata": {"name": "some"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE}],
    });
    without.create(&kinds::ROLE_BINDING, binding).await;
    clinic
        .finds_in(&without.namespace, &["OperatorRightsMissing"])
        .await;
}

async fn refused_pods(clinic: &Clinic<'_>, stack: &Stack<'_>) {
    // What somebody adds of their own stays: here a container that Pod Security refuses.
    let added = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop-api"}, "spec": {"template": {"spec": {"containers": [
        {"name": "added", "image": "added:1", "securityContext": {"privileged": true}}]}}}});
    kubectl(
        &[
            "patch",
            "deployment",
            "shop-api",
            "--type=strategic",
            "--namespace",
            &clinic.sandbox.namespace,
            "--patch",
            &added.to_string(),
        ],
        "",
    );
    clinic.finds(&["PodSecurity"]).await;
    let remove = json!([{"op": "remove", "path": "/spec/template/spec/containers/1"}]).to_string();
    let containers = stack.must_child((kinds::DEPLOYMENT, "api")).await["spec"]["template"]["spec"]
        ["containers"]
        .clone();
    let index = containers
        .as_array()
        .expect("it is a list")
        .iter()
        .position(|of| of["name"] == "added")
        .expect("it is there");
    let remove = remove.replace("/1\"", &format!("/{index}\""));
    kubectl(
        &[
            "patch",
            "deployment",
            "shop-api",
            "--type=json",
            "--namespace",
            &clinic.sandbox.namespace,
            "--patch",
            &remove,
        ],
        "",
    );
    clinic.finds(&[]).await;
}

#[tokio::test]
async fn who_may_read_little_is_told_what_was_not_read() {
    let sandbox = Sandbox::shared().await;
    sandbox
        .stack("shop", spec())
        .await
        .becomes("Stalled", "False", "NotStalled")
        .await;
    let kubeconfig = super::reader(&sandbox).await;
    let arguments = ["doctor", "shop", "--namespace", &sandbox.namespace];
    let said = eventually(&sandbox, "the reader may read the stack", async || {
        let said = ask(&arguments, "", Some(&kubeconfig));
        holds(said.notes.is_empty(), || format!("{said:?}"))?;
        Ok(said)
    })
    .await;
    for words in [
        "storage classes",
        "Deployments of other namespaces",
        "the operator's rights",
        "volume claims",
    ] {
        assert!(
            said.text.contains(&format!("not read: {words}")),
            "{words} in {said:?}"
        );
    }
}
