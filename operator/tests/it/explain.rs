//! The table behind `tpstack explain` is complete and true: of what is rendered, of the schema, of the Compose files.

use std::collections::BTreeMap;
use std::process::Command;

use operator::cli::explain::{Counterpart, entries};
use operator::desired::metadata::possible_children;
use operator::desired::routes;
use operator::kind::{Kind, ObjectId};
use serde_json::{Value, json};

use crate::{repository, text};

fn tpstack(verb: &str, more: &[&str], spec: &Value) -> String {
    let stack = json!({"apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "metadata": {"name": "shop"}, "spec": spec});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), stack.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tpstack"))
        .args([verb, "--filename", file.path().to_str().unwrap()])
        .args(more)
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{spec}");
    String::from_utf8(output.stdout).unwrap()
}

/// What is rendered, by `Kind/name`.
fn rendered(spec: &Value) -> BTreeMap<String, Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&tpstack("render", &[], spec)).unwrap();
    let named = documents.into_iter().map(|object| {
        let (kind, name) = (&object["kind"], &object["metadata"]["name"]);
        let name = name.as_str().unwrap();
        // The image's digest is in a migration's name.
        let name = if kind == "Job" {
            "shop-api-migrate-0"
        } else {
            name
        };
        (format!("{}/{name}", kind.as_str().unwrap()), object)
    });
    named.collect()
}

/// The spec of each sample.
fn samples() -> Vec<Value> {
    let folder = std::fs::read_dir(repository("manifests/samples")).unwrap();
    let files = folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let documents = files.flat_map(|text| serde_saphyr::from_multiple::<Value>(&text).unwrap());
    documents.map(|document| document["spec"].clone()).collect()
}

fn fields_of(object: &str) -> Vec<&'static str> {
    let (kind, name) = object.split_once('/').unwrap();
    let kind = Kind::ALL
        .into_iter()
        .find(|of| of.resource().kind == kind)
        .unwrap();
    let suffix = name.strip_prefix("shop-").unwrap();
    let suffix = if kind == Kind::Job {
        "api-migrate-0"
    } else {
        suffix
    };
    let entry = entries(kind).iter().find(|entry| entry.is_named(suffix));
    entry
        .unwrap_or_else(|| panic!("{object} is not in the table of tpstack explain"))
        .spec
        .to_vec()
}

#[test]
fn every_child_of_every_sample_is_explained_and_so_is_every_name_a_child_may_have() {
    for spec in samples() {
        let explained = tpstack("explain", &["--output", "json"], &spec);
        let explained: Value = serde_json::from_str(&explained).unwrap();
        for child in rendered(&spec).keys() {
            assert!(!fields_of(child).is_empty(), "{child}");
        }
        let mut without = spec.clone();
        without["stopped"] = json!(false);
        assert_eq!(
            explained["children"].as_array().unwrap().len(),
            rendered(&without).len()
        );
    }
    for id in possible() {
        assert!(!fields_of(&format!("{}/{}", id.kind.resource().kind, id.name)).is_empty());
    }
}

/// Every name that a child may have.
fn possible() -> Vec<ObjectId> {
    [possible_children("shop"), routes::possible("shop")].concat()
}

#[test]
fn nothing_is_explained_that_no_stack_has() {
    let possible = possible();
    for kind in Kind::ALL {
        assert!(!entries(kind).is_empty(), "{kind:?} has no entry");
        for entry in entries(kind) {
            let is_met = possible.iter().any(|id| {
                id.kind == kind && entry.is_named(id.name.strip_prefix("shop-").unwrap())
            });
            assert!(
                is_met || kind == Kind::Job,
                "{kind:?} {} is no child",
                entry.name
            );
        }
    }
}

/// Each field of docs/fields.md and each child that it changes, as `Kind/name`; what is there, another test holds to what
/// is rendered.
fn changes() -> Vec<(String, String)> {
    let mut changes = Vec::new();
    for row in text("docs/fields.md").lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, field, .., children, _] = cells[..] else {
            continue;
        };
        for child in children
            .split(", ")
            .filter(|child| child.contains("`<stack>-"))
        {
            let (kind, name) = child.split_once(' ').unwrap();
            let name = name.trim_matches('`').replace("<stack>", "shop");
            changes.push((
                format!("spec.{}", field.trim_matches('`')),
                format!("{kind}/{name}"),
            ));
        }
    }
    assert!(
        changes.len() > 30,
        "docs/fields.md has another form: {changes:?}"
    );
    changes
}

fn is_under(field: &str, of: &str) -> bool {
    field == of || field.starts_with(&format!("{of}."))
}

#[test]
fn every_field_that_changes_a_child_is_named_there() {
    for (field, child) in changes() {
        let named = fields_of(&child);
        let is_named = named.iter().any(|of| is_under(&field, of));
        assert!(
            is_named,
            "{field} changes {child}, which says that it is made by {named:?} alone"
        );
    }
}

#[test]
fn every_field_that_is_named_changes_the_child_unless_nothing_does() {
    let changes = changes();
    for kind in Kind::ALL {
        for entry in entries(kind) {
            let suffix = |child: &str| {
                child
                    .strip_prefix(&format!("{}/shop-", kind.resource().kind))
                    .map(str::to_owned)
            };
            let own = changes
                .iter()
                .filter(|(_, child)| suffix(child).is_some_and(|suffix| entry.is_named(&suffix)));
            let own: Vec<&str> = own.map(|(field, _)| field.as_str()).collect();
            for named in entry.spec {
                let is_true = own.is_empty() || own.iter().any(|field| is_under(field, named));
                assert!(
                    is_true,
                    "{named} does not change {kind:?} {}: {own:?} do",
                    entry.name
                );
            }
        }
    }
}

#[test]
fn every_field_is_one_of_the_schema() {
    let definition = serde_json::to_value(operator::crd::definition()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    for entry in Kind::ALL.into_iter().flat_map(entries) {
        for field in entry.spec {
            let known = field
                .split('.')
                .try_fold(schema, |schema, name| schema.get("properties")?.get(name));
            assert!(known.is_some(), "there is no {field}");
        }
        assert!(
            !entry.spec.is_empty() && !entry.compose.is_empty(),
            "{entry:?}"
        );
    }
}

#[test]
fn every_counterpart_is_in_the_compose_files() {
    let compose: Value = serde_saphyr::from_str(&text("compose/compose.yaml")).unwrap();
    for counterpart in Kind::ALL
        .into_iter()
        .flat_map(entries)
        .flat_map(|entry| entry.compose)
    {
        let is_there = match counterpart {
            Counterpart::Service(name) => compose["services"].get(name).is_some(),
            Counterpart::Field(service, path) => path
                .iter()
                .try_fold(&compose["services"][service], |value, key| value.get(key))
                .is_some(),
            Counterpart::Volume(name) => compose["volumes"].get(name).is_some(),
            Counterpart::Network(name) => compose["networks"].get(name).is_some(),
            Counterpart::File(path) => repository("compose").join(path).exists(),
            Counterpart::Nothing(why) => !why.is_empty(),
        };
        assert!(is_there, "{counterpart} is not in compose/");
    }
}
