//! The command line: what it prints, and what it says about wrong input.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn tpstack(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tpstack"))
        .args(arguments)
        .env_clear()
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn refuses(input: &str, words: &[&str]) {
    let output = tpstack(&["render", "--filename", "-"], input);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{input:?} was taken");
    assert!(output.stdout.is_empty(), "nothing half-done is printed");
    assert!(
        !said.contains("panicked") && !said.contains("backtrace"),
        "{said}"
    );
    assert!(said.starts_with("tpstack: "), "{said}");
    for word in words {
        assert!(said.contains(word), "{said:?} says {word:?}");
    }
}

fn stack(spec: &str) -> String {
    format!(
        "apiVersion: tpstack.dev/v1alpha1\nkind: TpStack\nmetadata: {{name: shop}}\nspec: {spec}\n"
    )
}

#[test]
fn render_says_what_is_wrong_with_its_input() {
    refuses("", &["no TpStack"]);
    refuses("{", &["not valid YAML"]);
    refuses("kind: Pod\napiVersion: v1\n", &["no TpStack", "Pod"]);
    refuses(&stack("{api: {replicas: many}}"), &["not a valid TpStack"]);
    refuses(
        &stack("{api: {replicas: -1}, monitoring: {interval: x}}"),
        &["spec.api.replicas", "spec.monitoring.interval"],
    );
    refuses(
        &stack("{redis: {engine: Sideways}}"),
        &["Sideways", "BuiltIn", "Disabled"],
    );
}

#[test]
fn render_names_a_file_that_is_not_there() {
    let output = tpstack(&["render", "--filename", "no/such/file.yaml"], "");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such/file.yaml"));
}

#[test]
fn render_takes_several_stacks_and_gives_each_its_namespace() {
    let input = format!(
        "{}---\n{}",
        stack("{}"),
        stack("{}").replace("name: shop", "name: second, namespace: other")
    );
    let output = tpstack(
        &["render", "--filename", "-", "--namespace", "team"],
        &input,
    );
    let rendered = String::from_utf8(output.stdout).unwrap();
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&rendered).unwrap();
    let of = |namespace: &str| {
        documents
            .iter()
            .filter(|document| document["metadata"]["namespace"] == namespace)
            .count()
    };
    assert!(of("team") > 0);
    assert_eq!(of("team"), of("other"));
    assert_eq!(of("team") * 2, documents.len());
}

#[test]
fn rendered_secrets_have_no_values() {
    let output = tpstack(&["render", "--filename", "-"], &stack("{}"));
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap();
    let secrets: Vec<_> = documents
        .iter()
        .filter(|document| document["kind"] == "Secret")
        .collect();
    assert_eq!(secrets.len(), 2);
    for secret in secrets {
        assert!(
            secret["stringData"]
                .as_object()
                .unwrap()
                .values()
                .all(|value| value == ""),
            "{secret}"
        );
    }
}

#[test]
fn the_operator_says_what_is_wrong_with_its_settings() {
    for (arguments, words) in [
        (
            ["operator", "--discovery-interval", "soon"],
            ["--discovery-interval", "30s"],
        ),
        (
            ["operator", "--service-account", "me"],
            ["--service-account", "namespace/name"],
        ),
        (
            ["operator", "--admin-address", "here"],
            ["--admin-address", "here"],
        ),
    ] {
        let output = tpstack(&arguments, "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
}

#[test]
fn kubectl_finds_it_as_a_plugin_and_the_help_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-tpstack");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tpstack"), &plugin).unwrap();
    for (program, name) in [
        (plugin.as_path(), "kubectl tpstack"),
        (env!("CARGO_BIN_EXE_tpstack").as_ref(), "tpstack"),
    ] {
        let output = Command::new(program)
            .args(["status", "--help"])
            .output()
            .unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains(&format!("Usage: {name} status ")), "{help}");
    }
}

#[test]
fn a_question_that_makes_no_sense_is_an_error_and_the_exit_code_is_2() {
    for (arguments, words) in [
        (
            &["status", "shop", "--all-namespaces"][..],
            "--all-namespaces",
        ),
        (&["doctor", "-A", "-n", "team"], "--namespace"),
        (&["diff"], "--filename"),
        (&["diff", "shop", "-f", "x"], "--filename"),
        (&["diff", "-f", "no/such/file.yaml"], "no/such/file.yaml"),
        (&["explain", "-f", "no/such/file.yaml"], "no/such/file.yaml"),
        (&["status"], "KUBECONFIG"),
    ] {
        let output = tpstack(arguments, "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            output.stdout.is_empty() && said.contains(words),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn explain_says_where_a_child_comes_from_without_a_cluster() {
    let output = tpstack(
        &["explain", "--filename", "-"],
        &stack("{ingress: {hosts: [shop.example.org]}}"),
    );
    let said = String::from_utf8(output.stdout).unwrap();
    for line in [
        "StatefulSet shop-postgres\n  made by     spec.postgres, spec.stopped\n  in Compose  service postgres\n",
        "  in Compose  service api: labels: traefik.http.routers.api.rule\n",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
}
