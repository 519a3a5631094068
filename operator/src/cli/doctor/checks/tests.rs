mod edge;

use serde_json::{Value, json};

use super::{of_cluster, of_stack};
use crate::cli::doctor::{
    ClusterFacts, Finding, Rights, Scraper, StackFacts, StorageClassFacts, Workload,
};
use crate::crd::TpStack;
use crate::observed::{Capabilities, Observed};
use crate::plan::fresh;
use crate::settings::Images;
use crate::validate::validate;

fn healthy() -> ClusterFacts {
    let traefik = [
        "--entryPoints.web.address=:8000",
        "--entryPoints.websecure.address=:8443",
        "--providers.kubernetescrd",
    ];
    ClusterFacts {
        operator: ("tpstack-system".to_owned(), "tpstack-operator".to_owned()),
        other_release: None,
        definition: Some(json!(crate::crd::definition())),
        missing_rights: Some(Vec::new()),
        groups: ["metrics.k8s.io", "cert-manager.io"]
            .map(str::to_owned)
            .into(),
        capabilities: Capabilities::all(),
        storage_classes: Some(vec![class("standard", true)]),
        scrapers: Some(vec![scraper(json!({}), json!({}))]),
        workloads: Some(vec![
            Workload {
                resource: "deployment",
                namespace: "traefik".to_owned(),
                name: "traefik".to_owned(),
                images: vec!["traefik:v3".to_owned()],
                arguments: traefik.map(str::to_owned).into(),
                ..Workload::default()
            },
            Workload {
                name: "cilium".to_owned(),
                ..Workload::default()
            },
        ]),
    }
}

fn class(name: &str, is_default: bool) -> StorageClassFacts {
    StorageClassFacts {
        name: name.to_owned(),
        is_default,
    }
}

fn scraper(monitors: Value, namespaces: Value) -> Scraper {
    Scraper {
        resource: "prometheuses".to_owned(),
        namespace: "monitoring".to_owned(),
        name: "main".to_owned(),
        monitors: serde_json::from_value(monitors).unwrap(),
        namespaces: serde_json::from_value(namespaces).unwrap(),
    }
}

fn stack_with(spec: &Value) -> StackFacts {
    let raw: TpStack = serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": spec,
    }))
    .unwrap();
    let stack = validate(&raw).unwrap();
    let observed = Observed {
        capabilities: Capabilities::all(),
        ..Observed::default()
    };
    StackFacts {
        namespace: "team".to_owned(),
        name: "shop".to_owned(),
        children: fresh(&raw, &stack, &Images::default(), &observed),
        stack: Ok(stack),
        spec: spec.clone(),
        is_observed: true,
        namespace_labels: Some(
            [("kubernetes.io/metadata.name".to_owned(), "team".to_owned())].into(),
        ),
        claims: Some(Vec::new()),
        rights: Some(Rights {
            held: 70,
            missing: Vec::new(),
        }),
        refused_pods: Some(Vec::new()),
        issuer: None,
    }
}

fn stack() -> StackFacts {
    stack_with(&json!({
        "api": {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}},
        "ingress": {"hosts": ["shop.example.org"]},
    }))
}

fn found(facts: &ClusterFacts, own: &StackFacts) -> Vec<Finding> {
    let mut findings = of_cluster(facts);
    findings.extend(of_stack(facts, own));
    findings
}

/// The one thing that is found.
fn only(facts: &ClusterFacts, own: &StackFacts, reason: &str) -> Finding {
    let findings = found(facts, own);
    let reasons: Vec<&str> = findings.iter().map(|finding| finding.reason).collect();
    assert_eq!(reasons, [reason], "{findings:?}");
    findings.into_iter().next().unwrap()
}

#[test]
fn nothing_is_found_where_all_is_well() {
    assert_eq!(found(&healthy(), &stack()), []);
}

#[test]
fn nothing_is_found_in_what_could_not_be_read() {
    let blind = ClusterFacts {
        groups: healthy().groups,
        capabilities: Capabilities::all(),
        ..ClusterFacts::default()
    };
    let own = StackFacts {
        namespace_labels: None,
        claims: None,
        rights: None,
        refused_pods: None,
        ..stack()
    };
    assert_eq!(found(&blind, &own), []);
    let unlabelled = ClusterFacts {
        scrapers: Some(vec![scraper(json!({}), json!({"matchLabels": {"a": "b"}}))]),
        ..healthy()
    };
    assert_eq!(found(&unlabelled, &own), []);
}

#[test]
fn another_definition_or_another_release_is_named() {
    let mut facts = healthy();
    let mut definition = json!(crate::crd::definition());
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        ["new"] = json!({"type": "string"});
    facts.definition = Some(definition);
    only(&facts, &stack(), "DefinitionDiffers");
    let facts = ClusterFacts {
        other_release: Some("9.9.9".to_owned()),
        ..healthy()
    };
    assert!(
        only(&facts, &stack(), "ReleaseDiffers")
            .problem
            .contains("9.9.9")
    );
}

#[test]
fn rights_that_are_missing_are_told_from_a_namespace_without_any() {
    let with = |held, missing: &[&str]| StackFacts {
        rights: Some(Rights {
            held,
            missing: missing.iter().map(ToString::to_string).collect(),
        }),
        ..stack()
    };
    let none = only(
        &healthy(),
        &with(0, &["get secrets"]),
        "NamespaceNotGranted",
    );
    assert!(
        none.next
            .ends_with("--serviceaccount=tpstack-system:tpstack-operator --namespace=team"),
        "{none:?}"
    );
    let some = only(
        &healthy(),
        &with(60, &["patch jobs.batch"]),
        "OperatorRightsMissing",
    );
    assert!(some.problem.contains("patch jobs.batch"), "{some:?}");
    let facts = ClusterFacts {
        missing_rights: Some(vec!["list tpstacks".to_owned()]),
        ..healthy()
    };
    only(&facts, &stack(), "OperatorRightsMissing");
}

#[test]
fn a_spec_that_nobody_looked_at_is_told_where_rights_explain_nothing() {
    let own = StackFacts {
        is_observed: false,
        ..stack()
    };
    only(&healthy(), &own, "NotObserved");
}

#[test]
fn volumes_without_a_class_need_one_default() {
    let with = |classes: Vec<StorageClassFacts>| ClusterFacts {
        storage_classes: Some(classes),
        ..healthy()
    };
    let none = only(
        &with(vec![class("fast", false)]),
        &stack(),
        "DefaultStorageClassMissing",
    );
    assert!(none.next.contains("storageclass fast "), "{none:?}");
    only(
        &with(vec![class("a", true), class("b", true)]),
        &stack(),
        "SeveralDefaultStorageClasses",
    );
    let own = stack_with(
        &json!({"postgres": {"storage": {"storageClassName": "gone"}}, "redis": {"engine": "Disabled"}}),
    );
    only(&with(vec![class("a", false)]), &own, "StorageClassMissing");
    // A claim that is bound, or was given a class, waits for nothing.
    let mut own = stack_with(&json!({"redis": {"engine": "Disabled"}}));
    let claim = |spec: Value, phase: &str| {
        vec![serde_json::from_value(json!({"metadata": {"name": "shop-postgres-data"}, "spec": spec, "status": {"phase": phase}})).unwrap()]
    };
    own.claims = Some(claim(json!({}), "Bound"));
    assert_eq!(found(&with(Vec::new()), &own), []);
    own.claims = Some(claim(json!({"storageClassName": "a"}), "Pending"));
    assert_eq!(found(&with(vec![class("a", false)]), &own), []);
}

#[test]
fn an_autoscaler_needs_metrics() {
    let facts = ClusterFacts {
        groups: ["cert-manager.io".to_owned()].into(),
        ..healthy()
    };
    only(&facts, &stack(), "MetricsServerMissing");
    assert_eq!(found(&facts, &stack_with(&json!({}))), []);
}

#[test]
fn policies_need_somebody_who_enforces_them() {
    let mut facts = healthy();
    facts.workloads.as_mut().unwrap().pop();
    only(&facts, &stack(), "NoPolicyEnforcement");
    let open = stack_with(&json!({"network": {"isolation": "Disabled"}}));
    assert_eq!(found(&facts, &open), []);
}

#[test]
fn a_certificate_needs_cert_manager_and_its_issuer() {
    let mut own = stack();
    own.spec["ingress"]["tls"] = json!({"mode": "CertManager", "certManager": {"issuerRef": {"kind": "ClusterIssuer", "name": "le"}}});
    own.issuer = Some(true);
    assert_eq!(found(&healthy(), &own), []);
    own.issuer = Some(false);
    assert!(
        only(&healthy(), &own, "IssuerMissing")
            .problem
            .contains("ClusterIssuer le")
    );
    let facts = ClusterFacts {
        groups: ["metrics.k8s.io".to_owned()].into(),
        ..healthy()
    };
    only(&facts, &own, "CertManagerMissing");
}

#[test]
fn pods_that_are_refused_are_told_and_whose_rule_it_is() {
    let mut own = stack();
    own.refused_pods = Some(vec![(
        "deployment/shop-api".to_owned(),
        "exceeded quota".to_owned(),
    )]);
    assert!(
        only(&healthy(), &own, "PodsRefused")
            .next
            .contains("describe deployment/shop-api")
    );
    own.refused_pods = Some(vec![(
        "statefulset/shop-redis".to_owned(),
        "violates PodSecurity \"restricted:latest\"".to_owned(),
    )]);
    own.namespace_labels.as_mut().unwrap().insert(
        "pod-security.kubernetes.io/enforce".to_owned(),
        "restricted".to_owned(),
    );
    only(&healthy(), &own, "PodSecurity");
}

#[test]
fn a_spec_that_is_none_is_told_in_the_words_of_its_rules() {
    let own = StackFacts {
        stack: Err("spec.api.replicas is wrong".to_owned()),
        children: Vec::new(),
        ..stack()
    };
    assert!(
        only(&healthy(), &own, "InvalidSpec")
            .problem
            .contains("spec.api.replicas")
    );
}
