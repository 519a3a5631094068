//! Every field of the spec and the children it changes: the table in `docs/fields.md`, and that it is true. A field that
//! changes no child fails; so does a child that changes in some sample without its field being known to change it.

mod cases;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use operator::crd;
use operator::desired::metadata::Component;
use operator::desired::{Children, Stores, storage};
use operator::kept::Pair;
use operator::kind::OptionalApi;
use operator::observed::Observed;
use operator::plan::{credential_values, fresh};
use operator::settings::Images;
use operator::validate::{Stack, validate};
use serde_json::{Value, json};

use crate::{repository, text};
use cases::{Case, all, told_by_the_status_alone};

/// Name of the stack in every case; the table says `<stack>` for it.
const STACK: &str = "qzstack";

/// The children of a spec by their names, or `None` where the spec is not valid.
fn children(spec: &Value) -> Option<BTreeMap<String, Value>> {
    let document = json!({
        "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack",
        "metadata": {"name": STACK, "namespace": "team", "uid": "00000000-0000-0000-0000-000000000000"},
        "spec": spec,
    });
    let stack = crd::read(document).ok()?;
    let valid = validate(&stack).ok()?;
    let mut observed = Observed {
        capabilities: OptionalApi::ALL.into_iter().collect(),
        ..Observed::default()
    };
    let objects = fresh(&stack, &valid, &Images::default(), &observed);
    for object in &objects {
        if object.id.kind.is_kept() {
            let metadata = serde_json::from_value(object.value["metadata"].clone()).unwrap();
            observed.objects.insert(object.id.clone(), metadata);
        }
    }
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    // Kept objects are made once, and something is held on them from then on: both are what a field may change.
    let held = held(&valid, &observed).into_objects();
    for object in objects.into_iter().chain(held) {
        let mut name = object.id.name.replace(STACK, "<stack>");
        // The rest of a migration's name is made from what it does.
        if let Some(at) = name.find("-migrate-") {
            name.replace_range(at.., "-migrate-…");
        }
        let name = format!("{:?} `{name}`", object.id.kind);
        all.entry(name)
            .or_insert_with(|| json!([]))
            .as_array_mut()?
            .push(object.value);
    }
    for store in [Component::Postgres, Component::Redis] {
        let name = format!("Secret `{}`", store.credentials_name("<stack>"));
        if let Some(Value::Array(shapes)) = all.get_mut(&name) {
            shapes.push(json!(credential_values(&valid, store, String::new)));
        }
    }
    Some(all)
}

/// What is held on the kept objects that are there.
fn held(stack: &Stack, observed: &Observed) -> Children {
    let pair = Some(Pair {
        volume_uid: Some("1".to_owned()),
        ..Pair::default()
    });
    let stores = Stores {
        postgres: pair.clone(),
        redis: pair,
    };
    let mut children = Children::default();
    storage::add(stack, observed, &stores, &mut children);
    children
}

/// What a child is after a change, in the words of the table.
fn changed(before: &Value, after: &Value) -> Option<BTreeSet<String>> {
    let (before, after) = (children(before)?, children(after)?);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    Some(
        names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .cloned()
            .collect(),
    )
}

/// The spec with that value at a path such as `ingress.tls.mode`.
fn with(spec: &Value, path: &str, value: &Value) -> Value {
    let mut spec = spec.clone();
    let mut place = &mut spec;
    for word in path.split('.') {
        let (name, in_list) = word
            .strip_suffix("[]")
            .map_or((word, false), |name| (name, true));
        place = &mut place[name];
        if in_list {
            if place.is_null() {
                *place = json!([{}]);
            }
            place = &mut place[0];
        }
    }
    *place = value.clone();
    spec
}

/// The spec after a case.
fn after(case: &Case, spec: &Value) -> Value {
    let mut spec = with(spec, case.path, &case.value);
    for (path, value) in &case.along {
        spec = with(&spec, path, value);
    }
    spec
}

/// The children that each field changes, as its cases show.
fn table() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut table: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for case in all() {
        let (path, after) = (case.path, after(&case, &case.base));
        let changed = changed(&case.base, &after)
            .unwrap_or_else(|| panic!("{path}: {} or {after} is not valid", case.base));
        table.entry(path).or_default().extend(changed);
    }
    table
}

#[test]
fn every_field_has_a_case_and_every_case_a_field() {
    let fields: BTreeSet<String> = schema::fields()
        .into_iter()
        .map(|field| field.path)
        .collect();
    let shown: BTreeSet<String> = all().iter().map(|case| case.path.to_owned()).collect();
    let missing: Vec<_> = fields.difference(&shown).collect();
    assert!(
        missing.is_empty(),
        "operator/tests/it/fields/cases.rs has no case for {missing:#?}"
    );
    let strange: Vec<_> = shown.difference(&fields).collect();
    assert!(strange.is_empty(), "there is no field {strange:#?}");
}

#[test]
fn every_field_changes_a_child() {
    for (path, children) in table() {
        assert_eq!(
            children.is_empty(),
            told_by_the_status_alone().contains(&path),
            "{path}: {children:?}"
        );
    }
}

/// Whatever else a spec says, a field changes what the table says and nothing more.
#[test]
fn no_child_changes_in_a_sample_without_its_field_being_known_to() {
    let table = table();
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    for (sample, spec) in samples() {
        for case in all() {
            let (path, after) = (case.path, after(&case, &spec));
            let Some(changed) = changed(&spec, &after) else {
                // Together with what this sample says, the value is refused.
                continue;
            };
            *tried.entry(path).or_default() += 1;
            let unknown: Vec<_> = changed.difference(&table[path]).collect();
            assert!(
                unknown.is_empty(),
                "in {sample}, {path} changes {unknown:?} too: a case has to show it"
            );
        }
    }
    let paths = table.len();
    assert!(
        tried.len() * 10 >= paths * 9,
        "the samples accept only {} of {paths} fields",
        tried.len()
    );
}

/// The specs of all samples.
fn samples() -> Vec<(String, Value)> {
    let mut samples = Vec::new();
    for entry in std::fs::read_dir(repository("manifests/samples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text(&format!("manifests/samples/{name}"))).unwrap();
        let stacks = documents
            .into_iter()
            .filter(|document| document["kind"] == "TpStack");
        samples.extend(stacks.map(|stack| (name.clone(), stack["spec"].clone())));
    }
    assert!(samples.len() >= 2, "{samples:?}");
    samples
}

#[test]
fn the_table_in_the_documents_is_what_the_code_does() {
    let path = repository("docs/fields.md");
    let fresh = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    assert!(
        text("docs/fields.md") == fresh,
        "docs/fields.md is stale: run make generate"
    );
}

fn page() -> String {
    let table = table();
    let mut page = "# The fields of a TpStack\n\n\
        Generated from the definition and from what the operator renders; do not edit (`make generate`). What each field means, in\n\
        which unit and with an example, is told by `kubectl explain tpstack.spec`; `manifests/samples/full.yaml` sets them all.\n\n\
        | field | type | default | children it changes |\n|---|---|---|---|\n"
        .to_owned();
    for field in schema::fields() {
        let children: Vec<&str> = table
            .get(field.path.as_str())
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let children = if children.is_empty() {
            "none: the status tells".to_owned()
        } else {
            children.join(", ")
        };
        writeln!(
            page,
            "| `{}` | {} | {} | {children} |",
            field.path, field.type_, field.default
        )
        .unwrap();
    }
    page
}
