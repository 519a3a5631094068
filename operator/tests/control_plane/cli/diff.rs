//! `tpstack diff` shows what the operator would change, nothing else, and changes nothing itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{
    brought::bring_what_is_referred_to,
    environment::{Said, ask, kubectl, tpstack},
    kinds::{self, CHILDREN, Kind, replaceable},
    made::made_in,
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};
use crate::{certificate, samples::samples};

fn diff(stack: &Stack<'_>) -> Said {
    ask(
        &["diff", &stack.name, "--namespace", &stack.sandbox.namespace],
        "",
        None,
    )
}

/// Nothing would be changed, and there is nothing to say about it. Asked again until the last event has been worked off.
async fn settles(stack: &Stack<'_>) {
    eventually(
        stack.sandbox,
        &format!("nothing of {} differs", stack.name),
        async || {
            let said = diff(stack);
            holds(
                said.code == Some(0) && said.text.is_empty() && said.notes.is_empty(),
                || format!("{said:?}"),
            )
        },
    )
    .await;
}

fn file(spec: &Value) -> String {
    json!({"apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "metadata": {"name": "shop"}, "spec": spec}).to_string()
}

fn diff_file(sandbox: &Sandbox, input: &str) -> Said {
    ask(
        &["diff", "--filename", "-", "--namespace", &sandbox.namespace],
        input,
        None,
    )
}

fn header(kind: &Kind, name: &str) -> String {
    format!("--- live/{}/{name}\n", kind.kind)
}

async fn pause(stack: &Stack<'_>) {
    stack.change(json!({"paused": true})).await;
    stack.becomes("Ready", "Unknown", "Paused").await;
}

#[tokio::test]
async fn every_sample_once_it_runs_has_no_difference_from_its_file_or_from_itself() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let mut paths = BTreeMap::new();
    for sample in samples() {
        let path = sample.file.to_str().expect("the repository's path is text");
        paths.insert(sample.name.clone(), path.to_owned());
        let rendered = tpstack(&["render", "--filename", path]);
        let rendered: Vec<Value> = serde_saphyr::from_multiple(&rendered).expect("it prints YAML");
        bring_what_is_referred_to(&sandbox, rendered.iter()).await;
        kubectl(
            &[
                "apply",
                "--server-side",
                "--namespace",
                &sandbox.namespace,
                "-f",
                path,
            ],
            "",
        );
    }
    for object in sandbox.list(&kinds::TPSTACK).await {
        let stack = Stack::named(
            &sandbox,
            object["metadata"]["name"].as_str().expect("it has a name"),
        );
        if object["spec"]["paused"] == json!(true) {
            continue;
        }
        if object["spec"]["ingress"]["tls"]["mode"] == json!("CertManager") {
            stack
                .becomes("IngressReady", "False", "CertificateNotReady")
                .await;
            let certificate = stack.must_child((kinds::CERTIFICATE, "api")).await;
            certificate::say(&stack, &certificate, "True", "issued").await;
        }
        stack.ready().await;
        stack.reconcile_again().await;
        settles(&stack).await;
        let said = ask(
            &[
                "diff",
                "-f",
                &paths[&stack.name],
                "--namespace",
                &sandbox.namespace,
            ],
            "",
            None,
        );
        assert_eq!(
            (said.code, said.text.as_str()),
            (Some(0), ""),
            "{}",
            said.notes
        );
    }
}

#[tokio::test]
async fn a_count_that_an_autoscaler_chose_is_no_difference() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let spec = json!({"api": {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}});
    let stack = sandbox.stack("shop", spec).await;
    stack.ready().await;
    settles(&stack).await;
    let place = ["--namespace", sandbox.namespace.as_str()];
    let scale = ["scale", "deployment", "shop-api", "--replicas=4"];
    kubectl(&[scale.as_slice(), &place].concat(), "");
    settles(&stack).await;
    stack.ready().await;
    settles(&stack).await;
    stack.change(json!({"stopped": true})).await;
    stack.becomes("Ready", "True", "Stopped").await;
    settles(&stack).await;
}

#[tokio::test]
async fn each_drift_is_shown_and_no_value_of_a_secret() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    settles(&stack).await;
    pause(&stack).await;
    let before = stack.versions(CHILDREN.into_iter()).await;
    let said = diff(&stack);
    assert_eq!((said.code, said.text.as_str()), (Some(0), ""));
    assert!(said.notes.contains("paused"), "{}", said.notes);
    assert_eq!(
        stack.versions(CHILDREN.into_iter()).await,
        before,
        "a dry run wrote something"
    );

    for (kind, suffix) in CHILDREN {
        let stolen = json!({"metadata": {"labels": {"app.kubernetes.io/component": "stolen"}}});
        sandbox
            .merge(&kind, &format!("shop-{suffix}"), stolen)
            .await;
        let text = diff(&stack).text;
        let head = header(&kind, &format!("shop-{suffix}"));
        assert!(text.contains(&head), "{head} in {text}");
    }
    let said = diff(&stack);
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.text.matches("--- live/").count(),
        CHILDREN.len(),
        "{}",
        said.text
    );
    for store in ["postgres", "redis"] {
        let secret = stack
            .must_child((
                kinds::SECRET,
                if store == "redis" {
                    "redis-credentials"
                } else {
                    "postgres-credentials"
                },
            ))
            .await;
        let password = secret["data"]["password"]
            .as_str()
            .expect("it has a password");
        assert!(!said.text.contains(password), "a password is shown");
    }
    for (kind, suffix) in replaceable() {
        sandbox.delete(&kind, &format!("shop-{suffix}")).await;
        sandbox.gone(&kind, &format!("shop-{suffix}")).await;
    }
    let said = diff(&stack);
    assert_eq!(
        said.text.matches("--- /dev/null\n").count(),
        replaceable().count(),
        "{}",
        said.text
    );
    stack.change(json!({"paused": false})).await;
    stack.ready().await;
    settles(&stack).await;
}

#[tokio::test]
async fn each_field_that_would_be_mended_is_shown() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    settles(&stack).await;
    pause(&stack).await;
    for (kind, name, change, line) in [
        (
            kinds::DEPLOYMENT,
            "shop-api",
            json!({"spec": {"replicas": 7}}),
            "-  replicas: 7\n+  replicas: 2\n",
        ),
        (
            kinds::DISRUPTION_BUDGET,
            "shop-api",
            json!({"spec": {"maxUnavailable": 0}}),
            "+  maxUnavailable: 1\n",
        ),
        (
            kinds::SERVICE,
            "shop-redis",
            json!({"spec": {"ports": [{"name": "redis", "port": 7777}]}}),
            "-    port: 7777\n+    port: 6379\n",
        ),
        (
            kinds::CONFIG_MAP,
            "shop-redis",
            json!({"data": {"redis.conf": "protected-mode no\n"}}),
            "-    protected-mode no\n",
        ),
        (
            kinds::SERVICE_MONITOR,
            "shop-api",
            json!({"spec": {"jobLabel": "other"}}),
            "-  jobLabel: other\n",
        ),
    ] {
        sandbox.merge(&kind, name, change).await;
        let said = diff(&stack);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(
            said.text.contains(&header(&kind, name)) && said.text.contains(line),
            "{line} in {}",
            said.text
        );
    }
}

#[tokio::test]
async fn a_file_shows_what_it_would_make_and_makes_nothing() {
    let sandbox = Sandbox::shared().await;
    // The definitions of optional APIs may be too new to be served.
    let said = eventually(&sandbox, "there is something to make", async || {
        let said = diff_file(&sandbox, &file(&everything_on()));
        holds(said.code == Some(1), || format!("{said:?}"))?;
        Ok(said)
    })
    .await;
    assert_eq!(
        said.text.matches("--- /dev/null\n").count(),
        CHILDREN.len() + 1,
        "each child, and the Job: {}",
        said.text
    );
    assert!(
        made_in(&sandbox).await.is_empty(),
        "a dry run made something"
    );
    assert!(sandbox.list(&kinds::TPSTACK).await.is_empty());

    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    settles(&stack).await;
    let before = stack.object().await["metadata"]["resourceVersion"].clone();
    let mut other = everything_on();
    other["api"] = json!({"image": "shop:2", "migrate": {"command": ["shop", "migrate"]}});
    other["deletionPolicy"] = json!("Delete");
    other["redis"] = json!({"engine": "Disabled"});
    let said = diff_file(&sandbox, &file(&other));
    assert_eq!(said.code, Some(1), "{said:?}");
    for words in [
        "image: shop:2",
        "+++ wanted/Job/shop-api-migrate-",
        "--- live/PersistentVolumeClaim/shop-postgres-data\n",
        "+  ownerReferences:\n",
        "--- live/StatefulSet/shop-redis\n+++ /dev/null\n",
    ] {
        assert!(said.text.contains(words), "{words} in {}", said.text);
    }
    assert!(
        !said
            .text
            .contains("/Secret/shop-redis-credentials\n+++ /dev/null"),
        "credentials are kept"
    );
    assert_eq!(stack.object().await["metadata"]["resourceVersion"], before);

    for (refused, words) in [
        (json!({"postgres": {"version": "17"}}), "version"),
        (json!({"api": {"replicaz": 2}}), "replicaz"),
        (json!({"api": {"replicas": -1}}), "replicas"),
    ] {
        let said = diff_file(&sandbox, &file(&refused));
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(
            said.text.is_empty() && said.notes.contains(words),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn the_operators_role_and_reading_the_stack_are_rights_enough() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    settles(&stack).await;
    let kubeconfig = super::reader(&sandbox).await;
    let as_reader = || {
        ask(
            &["diff", "shop", "--namespace", &sandbox.namespace],
            "",
            Some(&kubeconfig),
        )
    };
    eventually(
        &sandbox,
        "a reader without rights on children is told so",
        async || {
            let said = as_reader();
            let told = said.text.is_empty()
                && said
                    .notes
                    .contains("not compared: TpStack shop: secrets is forbidden");
            holds(said.code == Some(2) && told, || format!("{said:?}"))
        },
    )
    .await;
    super::bind(&sandbox, "ClusterRole", "tpstack-operator-children").await;
    eventually(
        &sandbox,
        "a reader with them sees that nothing differs",
        async || {
            let said = as_reader();
            holds(said.code == Some(0) && said.text.is_empty(), || {
                format!("{said:?}")
            })
        },
    )
    .await;
}
