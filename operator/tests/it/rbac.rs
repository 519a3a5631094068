//! The shipped roles cover what the operator reads and writes, and nothing that could destroy data.

use std::collections::{BTreeMap, BTreeSet};

use operator::kind::Kind;
use serde_json::Value;

use crate::text;

/// Verbs of a `ClusterRole` of install.yaml, by group and resource.
fn role(name: &str) -> BTreeMap<(String, String), BTreeSet<String>> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text("manifests/install.yaml")).unwrap();
    let role = documents
        .iter()
        .find(|document| document["kind"] == "ClusterRole" && document["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("install.yaml has no ClusterRole {name}"));
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
fn cluster_wide_the_operator_reads_tpstacks_and_writes_their_status_alone() {
    let role = role("tpstack-operator");
    let held: Vec<String> = role
        .iter()
        .map(|((group, resource), verbs)| format!("{group}/{resource} {verbs:?}"))
        .collect();
    assert_eq!(
        held,
        [
            r#"authorization.k8s.io/selfsubjectaccessreviews {"create"}"#,
            r#"tpstack.dev/tpstacks {"get", "list", "watch"}"#,
            r#"tpstack.dev/tpstacks/status {"get", "patch"}"#,
        ]
    );
}
