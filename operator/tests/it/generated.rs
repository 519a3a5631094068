//! Generated files are committed, so that a diff shows what changed; they must be fresh.

use crate::text;

#[test]
fn the_committed_definition_is_what_the_code_says() {
    let fresh = operator::cli::crd().unwrap();
    for path in [
        "manifests/crd/tpstacks.yaml",
        "charts/tpstack/files/tpstacks.yaml",
    ] {
        assert!(
            text(path) == fresh,
            "{path} is not what `tpstack crd` prints: run make generate"
        );
    }
}

#[test]
fn install_yaml_holds_the_definition_and_grants_default() {
    let install = text("manifests/install.yaml");
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&install).unwrap();
    let find = |kind: &str| {
        documents
            .iter()
            .filter(|document| document["kind"] == kind)
            .collect::<Vec<_>>()
    };
    let [definition] = find("CustomResourceDefinition")[..] else {
        panic!("one definition")
    };
    let mut fresh = serde_json::to_value(operator::crd::definition()).unwrap();
    let mut installed = (*definition).clone();
    floats(&mut fresh);
    floats(&mut installed);
    assert!(
        installed["spec"] == fresh["spec"],
        "manifests/install.yaml is stale: run make generate"
    );
    let grants: Vec<_> = find("RoleBinding")
        .into_iter()
        .filter(|binding| binding["roleRef"]["kind"] == "ClusterRole")
        .collect();
    let [binding] = grants[..] else {
        panic!("one granted namespace")
    };
    assert_eq!(binding["metadata"]["namespace"], "default");
    assert_eq!(binding["roleRef"]["name"], "tpstack-operator-children");
}

/// Helm writes the bound `100.0` as `100`.
fn floats(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) => *value = number.as_f64().into(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(floats),
        serde_json::Value::Object(map) => map.values_mut().for_each(floats),
        _ => {}
    }
}

#[test]
fn admission_refuses_the_same_variables_as_validation() {
    let definition = serde_json::to_value(operator::crd::definition()).unwrap();
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/api/properties/env/x-kubernetes-validations/0/rule";
    let rule = definition.pointer(path).unwrap().as_str().unwrap();
    let quoted: Vec<&str> = rule.split('\'').skip(1).step_by(2).collect();
    assert_eq!(quoted, operator::crd::RESERVED_ENV);
}

#[test]
fn admission_refuses_the_same_parameters_as_validation() {
    let definition = serde_json::to_value(operator::crd::definition()).unwrap();
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/postgres/properties/parameters/x-kubernetes-validations/1/rule";
    let rule = definition.pointer(path).unwrap().as_str().unwrap();
    let mut quoted: Vec<&str> = rule.split('\'').skip(1).step_by(2).collect();
    // The families, which go by how they begin.
    let families = quoted.split_off(quoted.len() - 3);
    assert_eq!(families, ["ssl_", "unix_socket_", "recovery_target"]);
    assert_eq!(quoted, operator::crd::RESERVED_PARAMETERS);
}

/// The server refuses a definition whose rules might cost too much, which it reckons from these bounds.
#[test]
fn everything_that_a_rule_looks_at_is_bounded() {
    let definition = serde_json::to_value(operator::crd::definition()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let (mut rules, mut unbounded) = (0, Vec::new());
    ruled(
        &schema["properties"]["spec"],
        "spec",
        &mut |schema, path| {
            rules += 1;
            let members = [&schema["items"], &schema["additionalProperties"]];
            for schema in std::iter::once(schema).chain(members) {
                let bound = match schema["type"].as_str() {
                    Some("string") if schema["enum"].is_null() => "maxLength",
                    Some("array") => "maxItems",
                    Some("object") if schema["properties"].is_null() => "maxProperties",
                    _ => continue,
                };
                if schema[bound].is_null() {
                    unbounded.push(format!("{path}: {bound}"));
                }
            }
        },
    );
    assert!(rules >= 15, "only {rules} fields with rules were found");
    assert!(unbounded.is_empty(), "{unbounded:?}");
}

/// Visits every field with rules.
fn ruled(schema: &serde_json::Value, path: &str, visit: &mut impl FnMut(&serde_json::Value, &str)) {
    if !schema["x-kubernetes-validations"].is_null() {
        visit(schema, path);
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        ruled(below, &format!("{path}.{name}"), visit);
    }
    for members in ["items", "additionalProperties"] {
        if schema[members].is_object() {
            ruled(&schema[members], &format!("{path}[]"), visit);
        }
    }
}

#[test]
fn every_field_of_ours_is_explained() {
    let definition = serde_json::to_value(operator::crd::definition()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut silent = Vec::new();
    look(&schema["properties"]["spec"], "spec", &mut silent);
    look(&schema["properties"]["status"], "status", &mut silent);
    assert!(
        silent.is_empty(),
        "kubectl explain has nothing to say about {silent:?}"
    );
}

fn look(schema: &serde_json::Value, path: &str, silent: &mut Vec<String>) {
    if !schema["description"].is_string() {
        silent.push(path.to_owned());
    }
    // Kubernetes explains its own types.
    if crate::is_embedded(path) {
        return;
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        look(below, &format!("{path}.{name}"), silent);
    }
    if let Some(items) = schema["items"]
        .as_object()
        .filter(|items| items.contains_key("properties"))
    {
        for (name, below) in items["properties"].as_object().into_iter().flatten() {
            look(below, &format!("{path}[].{name}"), silent);
        }
    }
}
