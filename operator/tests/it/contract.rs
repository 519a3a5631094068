//! The app contract: what a pod is given must be what the API reads.

use std::collections::BTreeMap;
use std::path::Path;

use api::config::{Config, Variables};
use operator::crd::TpStack;
use operator::desired::metadata::Component;
use operator::desired::{Stores, desired};
use operator::kept::Pair;
use operator::migration::Migration;
use operator::observed::Observed;
use operator::plan::credential_values;
use operator::settings::Images;
use operator::validate::{Stack, validate};
use serde_json::{Value, json};

use crate::text;

fn stack(spec: &Value) -> Stack {
    let stack: TpStack = serde_json::from_value(
        json!({"metadata": {"name": "shop", "namespace": "team"}, "spec": spec}),
    )
    .unwrap();
    validate(&stack).unwrap()
}

/// The environment of the API's container, with Secrets looked up and mounted files made in `files`.
fn environment(stack: &Stack, files: &Path) -> BTreeMap<String, String> {
    let pair = Some(Pair::default());
    let stores = Stores {
        postgres: pair.clone(),
        redis: pair,
    };
    let children = desired(
        stack,
        &Images::default(),
        &Observed::default(),
        &stores,
        &Migration::default(),
    );
    let deployment = serde_json::to_value(children.deployments.first().unwrap()).unwrap();
    let mut variables = BTreeMap::new();
    for variable in deployment
        .pointer("/spec/template/spec/containers/0/env")
        .and_then(Value::as_array)
        .unwrap()
    {
        let name = variable["name"].as_str().unwrap().to_owned();
        let value = match variable["value"].as_str() {
            Some(value) if name.ends_with("_FILE") => mounted(value, files),
            Some(value) => value.to_owned(),
            None => secret(stack, &variable["valueFrom"]["secretKeyRef"]),
        };
        variables.insert(name, value);
    }
    variables
}

fn mounted(path: &str, files: &Path) -> String {
    let file = files.join(path.trim_start_matches('/'));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "secret").unwrap();
    file.to_str().unwrap().to_owned()
}

pub(crate) fn secret(stack: &Stack, reference: &Value) -> String {
    let component = [Component::Postgres, Component::Redis]
        .into_iter()
        .find(|component| reference["name"] == component.credentials_name(&stack.name));
    let Some(component) = component else {
        return of_others(stack, reference);
    };
    let values = credential_values(stack, component, || "secret".to_owned());
    let key = reference["key"].as_str().unwrap();
    values
        .get(key)
        .unwrap_or_else(|| panic!("the Secret of {component:?} has no key {key}"))
        .clone()
}

/// The value of a key in a Secret that says where somebody else's store is.
fn of_others(stack: &Stack, reference: &Value) -> String {
    let name = reference["name"].as_str().unwrap();
    assert!(
        stack.external.secrets().contains(&name),
        "{reference} names no Secret of the stack's"
    );
    let value = match reference["key"].as_str().unwrap() {
        "port" => "7000",
        "sslmode" => "verify-full",
        "tls" => "true",
        "host" => "store.example.org",
        "database" | "username" | "password" => "shop",
        key => panic!("{key} is no key that the documents know"),
    };
    value.to_owned()
}

fn parses(spec: &Value, names: &[&str]) {
    let files = tempfile::tempdir().unwrap();
    let variables = environment(&stack(spec), files.path());
    for name in names {
        assert!(
            variables.contains_key(*name),
            "{spec}: no {name} in {variables:?}"
        );
    }
    let variables: Variables = variables.into_iter().collect();
    if let Err(error) = Config::parse(&variables) {
        panic!("the API refuses what it is given for {spec}: {error}");
    }
}

#[test]
fn the_api_reads_what_its_pods_are_given() {
    parses(
        &json!({}),
        &[
            "PORT",
            "DB_HOST",
            "DB_PASSWORD_FILE",
            "DB_SSLMODE",
            "REDIS_HOST",
            "REDIS_USER",
            "REDIS_PASSWORD_FILE",
        ],
    );
    parses(
        &json!({"redis": {"engine": "Disabled"}}),
        &["DB_HOST", "DB_PASSWORD_FILE"],
    );
    parses(
        &json!({"api": {"image": "any/image:1"}}),
        &["DB_PASSWORD", "REDIS_PASSWORD"],
    );
    parses(
        &json!({"api": {"credentials": {"mode": "Env"}}}),
        &["DB_PASSWORD", "REDIS_PASSWORD"],
    );
    parses(
        &json!({"api": {"image": "any/image:1", "credentials": {"mode": "File"}}}),
        &["DB_PASSWORD_FILE", "REDIS_PASSWORD_FILE"],
    );
    parses(&json!({"api": {"port": 8080}}), &["PORT"]);
    parses(
        &json!({"api": {"env": [{"name": "LOG_LEVEL", "value": "debug"}]}}),
        &["LOG_LEVEL"],
    );
}

#[test]
fn the_api_reads_what_it_is_given_of_stores_of_others() {
    let external = |authority: &str| json!({"engine": "External", "external": {"secretRef": {"name": "theirs"}, "authority": authority}});
    let both = |authority| json!({"postgres": external(authority), "redis": external(authority)});
    let always = [
        "DB_HOST",
        "DB_SSLMODE",
        "DB_PASSWORD_FILE",
        "REDIS_HOST",
        "REDIS_USER",
        "REDIS_TLS",
        "REDIS_PASSWORD_FILE",
    ];
    parses(&both("Public"), &always);
    parses(
        &both("Secret"),
        &[&always[..], &["DB_CA_FILE", "REDIS_CA_FILE"]].concat(),
    );
    let mut others = both("Secret");
    others["api"] = json!({"image": "any/image:1"});
    parses(
        &others,
        &[
            "DB_PASSWORD",
            "REDIS_PASSWORD",
            "DB_CA_FILE",
            "REDIS_CA_FILE",
        ],
    );
}

#[test]
fn an_image_that_cannot_log_in_to_redis_is_given_no_password() {
    let files = tempfile::tempdir().unwrap();
    let external = json!({"engine": "External", "auth": {"mode": "None"}, "external": {"secretRef": {"name": "theirs"}}});
    for redis in [json!({"auth": {"mode": "None"}}), external] {
        let variables = environment(&stack(&json!({"redis": redis})), files.path());
        assert!(variables.contains_key("REDIS_HOST"), "{variables:?}");
        for name in ["REDIS_USER", "REDIS_PASSWORD", "REDIS_PASSWORD_FILE"] {
            assert!(!variables.contains_key(name), "{redis}: {name}");
        }
        let variables: Variables = variables.into_iter().collect();
        Config::parse(&variables).unwrap();
    }
}

#[test]
fn without_redis_the_api_hears_nothing_of_it() {
    let files = tempfile::tempdir().unwrap();
    let variables = environment(
        &stack(&json!({"redis": {"engine": "Disabled"}})),
        files.path(),
    );
    assert!(
        variables.keys().all(|name| !name.starts_with("REDIS_")),
        "{variables:?}"
    );
}

#[test]
fn every_variable_of_the_contract_is_reserved() {
    let files = tempfile::tempdir().unwrap();
    for spec in [
        json!({}),
        json!({"api": {"image": "any/image:1"}}),
        json!({"api": {"credentials": {"mode": "Env"}}}),
    ] {
        for name in environment(&stack(&spec), files.path()).keys() {
            assert!(
                operator::crd::RESERVED_ENV.contains(&name.as_str()),
                "{name} could be set by spec.api.env"
            );
        }
    }
}

/// The Job and Compose's one-shot service run the same argument of the same image, each with all that its API has.
#[test]
fn a_migration_runs_as_its_api_does_in_both_runtimes() {
    let compose: Value = serde_saphyr::from_str(&text("compose/compose.yaml")).unwrap();
    let (api, migrate) = (&compose["services"]["api"], &compose["services"]["migrate"]);
    for field in [
        "image",
        "user",
        "environment",
        "volumes",
        "read_only",
        "cap_drop",
        "security_opt",
    ] {
        assert!(api[field] != Value::Null, "{field}");
        assert_eq!(migrate[field], api[field], "{field} of Compose's migrate");
    }
    assert_eq!(
        api["depends_on"]["migrate"]["condition"],
        "service_completed_successfully"
    );

    let stack = stack(&json!({}));
    let job = operator::desired::migrate::job(&stack, &Images::default(), "a-volume").unwrap();
    let job = serde_json::to_value(job).unwrap();
    let stores = Stores {
        postgres: Some(Pair::default()),
        redis: Some(Pair::default()),
    };
    let children = desired(
        &stack,
        &Images::default(),
        &Observed::default(),
        &stores,
        &Migration::default(),
    );
    let deployment = serde_json::to_value(children.deployments.first().unwrap()).unwrap();
    let pod = |object: &Value, field: &str| {
        let path = format!("/spec/template/spec/{field}");
        object.pointer(&path).cloned().unwrap_or_default()
    };
    for field in [
        "containers/0/image",
        "containers/0/env",
        "containers/0/volumeMounts",
        "containers/0/securityContext",
        "containers/0/resources",
        "volumes",
        "securityContext",
        "serviceAccountName",
        "automountServiceAccountToken",
    ] {
        assert!(pod(&job, field) != Value::Null, "{field}");
        assert_eq!(pod(&job, field), pod(&deployment, field), "{field}");
    }
    assert_eq!(pod(&job, "containers/0/args"), migrate["command"]);
    assert_eq!(
        pod(&job, "containers/0/command"),
        Value::Null,
        "the entry point stays"
    );
}
