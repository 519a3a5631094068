//! Samples are documentation, snapshot inputs and end-to-end inputs at once.

use std::process::Command;

use crate::{repository, text};

pub(crate) fn render(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tpstack"))
        .arg("render")
        .args(arguments)
        .env_clear()
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_sample_renders_the_children_it_always_did() {
    insta::glob!("../../../manifests/samples", "*.yaml", |path| {
        let rendered = render(&["--filename", path.to_str().unwrap()]);
        insta::assert_snapshot!(without_dashboards(&rendered));
    });
}

/// Dashboards are long, of every stack the same but for its labels, and have tests of their own (`monitoring/dashboards.rs`).
fn without_dashboards(rendered: &str) -> String {
    let lines = rendered
        .lines()
        .map(|line| match line.split_once(".json: ") {
            Some((name, _)) => format!("{name}.json: a dashboard"),
            None => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let sample = repository("manifests/samples/full.yaml");
    let arguments = ["--filename", sample.to_str().unwrap()];
    assert_eq!(render(&arguments), render(&arguments));
}

/// Samples for what excludes something in the full one.
const MORE: [&str; 4] = ["acme", "cert-manager", "external", "strict-network"];

#[test]
fn the_samples_set_every_field_of_the_spec() {
    let sample = |name: &str| -> serde_json::Value {
        serde_saphyr::from_str(&text(&format!("manifests/samples/{name}.yaml"))).unwrap()
    };
    let definition = serde_json::to_value(operator::crd::definition()).unwrap();
    let spec =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut missing = Vec::new();
    compare(spec, &sample("full")["spec"], "spec", &mut missing);
    for name in MORE {
        let sample = sample(name);
        let mut also_missing = Vec::new();
        compare(spec, &sample["spec"], "spec", &mut also_missing);
        let lacks = |path: &String| {
            let above = |other: &String| path.starts_with(&format!("{other}."));
            also_missing.contains(path) || also_missing.iter().any(above)
        };
        // What the full one leaves out this one sets, down to the last field of it.
        missing = missing
            .iter()
            .flat_map(|path| {
                let below = |other: &&String| other.starts_with(&format!("{path}."));
                if lacks(path) {
                    vec![path.clone()]
                } else {
                    also_missing.iter().filter(below).cloned().collect()
                }
            })
            .collect();
    }
    assert!(
        missing.is_empty(),
        "manifests/samples/full.yaml and {MORE:?} do not set {missing:?}"
    );
}

/// Names the fields of our own schema that the sample leaves out. Kubernetes' own types are not gone into.
fn compare(
    schema: &serde_json::Value,
    value: &serde_json::Value,
    path: &str,
    missing: &mut Vec<String>,
) {
    if crate::is_embedded(path) {
        return;
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match value.get(name) {
            None => missing.push(path),
            Some(value) => compare(below, value, &path, missing),
        }
    }
}

#[test]
fn a_cluster_without_an_optional_api_gets_none_of_its_kinds() {
    let sample = repository("manifests/samples/full.yaml");
    let arguments = [
        "--filename",
        sample.to_str().unwrap(),
        "--without",
        "traefik",
        "--without",
        "prometheus-operator",
    ];
    let rendered = render(&arguments);
    assert!(
        !rendered.contains("traefik.io") && !rendered.contains("monitoring.coreos.com"),
        "{rendered}"
    );
    assert!(rendered.contains("kind: Deployment"), "{rendered}");
}

#[test]
fn without_cert_manager_the_routes_are_there_and_no_certificate() {
    let sample = repository("manifests/samples/cert-manager.yaml");
    let file = sample.to_str().unwrap();
    let with = render(&["--filename", file]);
    let without = render(&["--filename", file, "--without", "cert-manager"]);
    assert!(with.contains("kind: Certificate"), "{with}");
    assert!(!without.contains("cert-manager.io"), "{without}");
    assert!(without.contains("secretName: shop-api-tls"), "{without}");
}

#[test]
fn the_images_are_those_of_the_compose_stack() {
    let compose = text("compose/compose.yaml");
    let images = operator::settings::Images::default();
    for image in [&images.api, &images.postgres, &images.redis] {
        assert!(
            compose.contains(&format!(":-{image}}}")),
            "compose/compose.yaml runs another image than {image}"
        );
    }
}
