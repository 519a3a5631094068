//! What the API server accepts and refuses, by the schema and its rules alone; the operator has no say here.
//! A refusal has to tell the user what to do, so each case names words of the message.

mod routes;

use kube::core::Status;
use serde_json::{Value, json};

use crate::harness::{kinds, sandbox::Sandbox};

#[tokio::test]
async fn an_empty_spec_is_a_whole_stack() {
    let sandbox = Sandbox::ungranted().await;
    let stored = sandbox
        .try_create(&kinds::TPSTACK, stack("shop", &json!({})), true)
        .await;
    let spec = &stored
        .unwrap_or_else(|refused| panic!("`spec: {{}}` was refused: {}", refused.message))["spec"];
    // Where a transition rule is, the default has to be stored, or the rule would be skipped.
    for (path, value) in [
        ("/deletionPolicy", json!("Retain")),
        ("/api/replicas", json!(2)),
        ("/postgres/engine", json!("BuiltIn")),
        ("/postgres/version", json!("16")),
        ("/postgres/database", json!("appdb")),
        ("/postgres/storage/size", json!("1Gi")),
        ("/redis/engine", json!("BuiltIn")),
        ("/redis/maxMemory", json!("64Mi")),
        ("/redis/persistence/mode", json!("AppendOnly")),
        ("/redis/persistence/size", json!("256Mi")),
        ("/redis/auth/mode", json!("Password")),
        ("/monitoring/mode", json!("Auto")),
        ("/network/isolation", json!("Data")),
        ("/monitoring/interval", json!("15s")),
        ("/monitoring/rules/mode", json!("Enabled")),
        (
            "/monitoring/dashboards/labels",
            json!({"grafana_dashboard": "1"}),
        ),
    ] {
        assert_eq!(spec.pointer(path), Some(&value), "spec{path} of {spec}");
    }
}

#[tokio::test]
async fn a_stack_at_its_limits_is_accepted() {
    let sandbox = Sandbox::ungranted().await;
    let hosts: Vec<String> = (0..20)
        .map(|number| format!("shop-{number}.example.org"))
        .collect();
    for (name, spec) in [
        ("a".repeat(40), json!({})),
        ("shop-2".to_owned(), json!({"api": {"replicas": 0}})),
        ("shop".to_owned(), json!({"api": {"replicas": 100}})),
        ("shop".to_owned(), json!({"ingress": {"hosts": hosts}})),
        (
            "shop".to_owned(),
            json!({"ingress": {"hosts": ["localhost"]}}),
        ),
        (
            "shop".to_owned(),
            tls(&json!({"mode": "Secret", "secret": {"name": "shop-tls"}})),
        ),
        (
            "shop".to_owned(),
            json!({"api": {"env": [{"name": "PORTAL", "value": "x"}, {"name": "DB", "value": ""}]}}),
        ),
        (
            "shop".to_owned(),
            json!({"api": {"image": "shop:1", "migrate": {"command": vec!["a".repeat(4096); 100]}}}),
        ),
        (
            "shop".to_owned(),
            json!({"redis": {"engine": "Disabled"}, "monitoring": {"interval": "500ms"}}),
        ),
        (
            "shop".to_owned(),
            json!({"postgres": {"storage": {"size": "10Ti", "storageClassName": "fast"}}}),
        ),
    ] {
        let accepted = sandbox
            .try_create(&kinds::TPSTACK, stack(&name, &spec), true)
            .await;
        assert!(
            accepted.is_ok(),
            "{name} with {spec} was refused: {}",
            accepted.expect_err("it is").message
        );
    }
}

#[tokio::test]
async fn a_value_that_does_not_exist_is_refused_with_those_that_do() {
    refused_when_created(&[
        (
            "shop",
            json!({"deletionPolicy": "Keep"}),
            &["spec.deletionPolicy", r#""Retain", "Delete""#],
        ),
        (
            "shop",
            json!({"redis": {"engine": "Memcached"}}),
            &["spec.redis.engine", r#""BuiltIn", "External", "Disabled""#],
        ),
        (
            "shop",
            json!({"redis": {"persistence": {"mode": "Snapshot"}}}),
            &["spec.redis.persistence.mode", r#""AppendOnly", "None""#],
        ),
        (
            "shop",
            json!({"postgres": {"engine": "MySQL"}}),
            &["spec.postgres.engine", r#""BuiltIn""#],
        ),
        (
            "shop",
            json!({"postgres": {"engine": "External"}}),
            &["engine External needs external.secretRef"],
        ),
        (
            "shop",
            json!({"redis": {"external": {"secretRef": {"name": "theirs"}}}}),
            &["any other engine excludes external"],
        ),
        (
            "shop",
            json!({"redis": {"auth": {"mode": "None"}}, "network": {"isolation": "Disabled"}}),
            &["every pod of the cluster", "set the isolation"],
        ),
        (
            "shop",
            json!({"network": {"isolation": "Strict"}}),
            &["isolation Strict needs strict"],
        ),
        (
            "shop",
            json!({"postgres": {"engine": "External", "external": {"secretRef": {"name": "theirs"}}}, "network": {"isolation": "Strict", "strict": {
                "ingressNamespaces": {"matchLabels": {"a": "b"}}, "monitoringNamespaces": {"matchLabels": {"a": "b"}},
            }}}),
            &["must open the way to a store"],
        ),
        (
            "shop",
            json!({"postgres": {"parameters": {"archive_command": "rm"}}}),
            &["spec.postgres.parameters may not set", "remove the entry"],
        ),
        (
            "shop",
            json!({"postgres": {"version": "9.6"}}),
            &["spec.postgres.version", r#""16""#],
        ),
        (
            "shop",
            json!({"monitoring": {"mode": "Sometimes"}}),
            &["spec.monitoring.mode", r#""Auto", "Enabled", "Disabled""#],
        ),
        (
            "shop",
            tls(&json!({"mode": "Magic"})),
            &["spec.ingress.tls.mode", r#""TraefikDefault", "Secret""#],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_value_out_of_bounds_is_refused_with_the_bound() {
    let many: Vec<String> = (0..21)
        .map(|number| format!("shop-{number}.example.org"))
        .collect();
    refused_when_created(&[
        (
            "shop",
            json!({"api": {"replicas": -1}}),
            &["spec.api.replicas", "greater than or equal to 0"],
        ),
        (
            "shop",
            json!({"api": {"replicas": 101}}),
            &["spec.api.replicas", "less than or equal to 100"],
        ),
        (
            "shop",
            json!({"api": {"image": "shop:1", "migrate": {"command": []}}}),
            &["spec.api.migrate.command", "at least 1"],
        ),
        (
            "shop",
            json!({"api": {"image": "shop:1", "migrate": {"command": [""]}}}),
            &["spec.api.migrate.command must start with a program"],
        ),
        (
            "shop",
            hosts(&json!([])),
            &["spec.ingress.hosts", "at least 1"],
        ),
        (
            "shop",
            hosts(&json!(many)),
            &["spec.ingress.hosts", "at most 20"],
        ),
        (
            "shop",
            hosts(&json!(["a.example.org", "a.example.org"])),
            &["spec.ingress.hosts", "Duplicate value"],
        ),
        (
            "a-name-of-forty-one-characters-is-too-lon",
            json!({}),
            &["at most 40 characters", "choose a shorter name"],
        ),
        ("shop.example", json!({}), &["no dots", "for example shop"]),
        (
            "1shop",
            json!({}),
            &["starting with a letter", "for example shop"],
        ),
    ])
    .await;
}

/// Text that would end up in a routing rule, a configuration file or an environment.
#[tokio::test]
async fn text_that_means_more_than_it_says_is_refused_with_an_example() {
    let spaced =
        json!({"ingress": {"hosts": ["a.example.org"], "entryPoints": {"https": "web secure"}}});
    refused_when_created(&[
        (
            "shop",
            hosts(&json!(["a.example.org`) || PathPrefix(`/metrics"])),
            &["DNS names in lower case", "shop.example.org"],
        ),
        ("shop", hosts(&json!(["*.example.org"])), &["no wildcard"]),
        (
            "shop",
            hosts(&json!(["shop.example.org:8443"])),
            &["no port"],
        ),
        ("shop", hosts(&json!(["SHOP.example.org"])), &["lower case"]),
        (
            "shop",
            hosts(&json!(["shop.example.org\nx"])),
            &["DNS names"],
        ),
        ("shop", spaced, &["as in Traefik's own configuration"]),
        (
            "shop",
            json!({"api": {"image": "shop: latest"}}),
            &["spec.api.image must not contain spaces"],
        ),
        (
            "shop",
            json!({"postgres": {"database": "App-DB"}}),
            &["lower-case letters, digits and '_'", "for example appdb"],
        ),
        (
            "shop",
            json!({"postgres": {"database": "template1"}}),
            &["Postgres' own databases", "choose another name"],
        ),
        (
            "shop",
            json!({"monitoring": {"labels": {"app.kubernetes.io/instance": "x"}}}),
            &["may not set app.kubernetes.io/ labels"],
        ),
        (
            "shop",
            json!({"monitoring": {"dashboards": {"labels": {"app.kubernetes.io/instance": "x"}}}}),
            &["may not set app.kubernetes.io/ labels"],
        ),
        (
            "shop",
            json!({"monitoring": {"relabelings": [{"targetLabel": "stack"}]}}),
            &["may not write the labels namespace, stack and job", "write another label"],
        ),
        (
            "shop",
            json!({"monitoring": {"metricRelabelings": [{"action": "hashmod", "targetLabel": "a"}]}}),
            &["a modulus with action hashmod", "set it, or remove it"],
        ),
        (
            "shop",
            json!({"monitoring": {"rules": {"runbookBaseUrl": "https://example.org/{{ $value }}"}}}),
            &["spec.monitoring.rules.runbookBaseUrl", "for example https://"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_bad_quantity_or_interval_is_refused_with_an_example() {
    refused_when_created(&[
        (
            "shop",
            json!({"postgres": {"storage": {"size": "lots"}}}),
            &["spec.postgres.storage.size", "for example 20Gi"],
        ),
        (
            "shop",
            json!({"postgres": {"storage": {"size": "-1Gi"}}}),
            &["spec.postgres.storage.size", "for example 20Gi"],
        ),
        (
            "shop",
            json!({"redis": {"maxMemory": "64MB\nsave"}}),
            &["spec.redis.maxMemory", "for example 64Mi"],
        ),
        (
            "shop",
            json!({"redis": {"persistence": {"size": "0Mi"}}}),
            &["spec.redis.persistence.size", "for example 256Mi"],
        ),
        (
            "shop",
            json!({"monitoring": {"interval": "often"}}),
            &["spec.monitoring.interval", "for example 15s"],
        ),
        (
            "shop",
            json!({"monitoring": {"interval": "0s"}}),
            &["spec.monitoring.interval", "for example 15s"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_variable_of_the_app_contract_is_refused_since_it_is_the_operators() {
    let cases: Vec<Case> = [
        "PORT",
        "DB_HOST",
        "DB_PORT",
        "DB_NAME",
        "DB_USER",
        "DB_PASSWORD",
        "DB_PASSWORD_FILE",
        "DB_SSLMODE",
        "DB_CA_FILE",
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_USER",
        "REDIS_PASSWORD",
        "REDIS_PASSWORD_FILE",
    ]
    .into_iter()
    .map(|name| -> Case {
        (
            "shop",
            json!({"api": {"env": [{"name": name, "value": "mine"}]}}),
            &["DB_*", "remove the entry"],
        )
    })
    .collect();
    refused_when_created(&cases).await;
}

/// A name, a spec, and words that the refusal must have.
pub(crate) type Case = (&'static str, Value, &'static [&'static str]);

async fn refused_when_created(cases: &[Case]) {
    let sandbox = Sandbox::ungranted().await;
    for case @ (name, spec, _) in cases {
        refused(
            case,
            sandbox
                .try_create(&kinds::TPSTACK, stack(name, spec), true)
                .await,
        );
    }
}

/// Fails unless the answer is a refusal with all the words of the case.
pub(crate) fn refused((name, spec, words): &Case, answer: Result<Value, Box<Status>>) {
    let message = answer.map_or_else(
        |refused| refused.message,
        |_| panic!("{name} with {spec} was accepted"),
    );
    for word in *words {
        assert!(
            message.contains(word),
            "{name} with {spec} should be refused with {word:?}, but the words are: {message}"
        );
    }
}

fn stack(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": spec})
}

fn hosts(hosts: &Value) -> Value {
    json!({"ingress": {"hosts": hosts}})
}

fn tls(tls: &Value) -> Value {
    json!({"ingress": {"hosts": ["shop.example.org"], "tls": tls}})
}
