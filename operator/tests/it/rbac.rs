//! The shipped roles cover what the operator reads and writes, and nothing that could destroy data.

use std::collections::{BTreeMap, BTreeSet};

use operator::kind::Kind;
use serde_json::{Value, json};

use crate::text;

/// One object of install.yaml.
fn object(kind: &str, name: &str) -> Value {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text("manifests/install.yaml")).unwrap();
    documents
        .into_iter()
        .find(|document| document["kind"] == kind && document["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("install.yaml has no {kind} {name}"))
}

/// Verbs of a `ClusterRole` of install.yaml, by group and resource.
fn role(name: &str) -> BTreeMap<(String, String), BTreeSet<String>> {
    let role = object("ClusterRole", name);
    let words = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let mut verbs: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                verbs
                    .entry((group.clone(), resource))
                    .or_default()
                    .extend(words(&rule["verbs"]));
            }
        }
    }
    verbs
}

#[test]
fn the_children_role_covers_every_kind_and_no_other() {
    let role = role("tpstack-operator-children");
    for kind in Kind::ALL {
        let resource = kind.resource();
        let verbs = &role[&(resource.group, resource.plural)];
        for verb in ["get", "list", "watch", "create", "patch"] {
            assert!(verbs.contains(verb), "{kind:?} needs {verb}");
        }
        assert_eq!(
            verbs.contains("delete"),
            !kind.is_kept(),
            "{kind:?}: data and credentials are never deleted"
        );
    }
    assert_eq!(role.len(), Kind::ALL.len(), "{role:?}");
}

#[test]
fn cluster_wide_the_operator_reads_tpstacks_writes_their_status_and_tells_of_it() {
    let role = role("tpstack-operator");
    let held: Vec<String> = role
        .iter()
        .map(|((group, resource), verbs)| format!("{group}/{resource} {verbs:?}"))
        .collect();
    assert_eq!(
        held,
        [
            r#"authorization.k8s.io/selfsubjectaccessreviews {"create"}"#,
            r#"events.k8s.io/events {"create", "patch"}"#,
            r#"tpstack.dev/tpstacks {"get", "list", "watch"}"#,
            r#"tpstack.dev/tpstacks/status {"patch"}"#,
        ]
    );
}

#[test]
fn at_home_the_operator_has_its_one_lease_and_nothing_else() {
    let role = object("Role", "tpstack-operator");
    assert_eq!(role["metadata"]["namespace"], "tpstack-system");
    assert_eq!(
        role["rules"],
        json!([
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
            {
                "apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
                "resourceNames": [operator::lease::NAME], "verbs": ["get", "update"],
            },
        ])
    );
    let binding = object("RoleBinding", "tpstack-operator-lease");
    assert_eq!(binding["metadata"]["namespace"], "tpstack-system");
    assert_eq!(binding["roleRef"]["kind"], "Role");
    assert_eq!(binding["roleRef"]["name"], "tpstack-operator");
}

#[test]
fn the_shipped_workload_takes_part_in_the_election() {
    let workload = object("Deployment", "tpstack-operator");
    let environment = workload["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let variable = |name: &str| {
        let mut all = environment.as_array().unwrap().iter();
        all.find(|variable| variable["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(variable("TPSTACK_LEADER_ELECTION")["value"], "true");
    assert_eq!(
        variable("POD_NAME")["valueFrom"]["fieldRef"]["fieldPath"],
        "metadata.name"
    );
    // The Lease is in the namespace that this names: the role must be there.
    let home = variable("TPSTACK_SERVICE_ACCOUNT")["value"].clone();
    assert_eq!(home, "tpstack-system/tpstack-operator");
    assert_eq!(workload["spec"]["strategy"]["type"], "RollingUpdate");
}
