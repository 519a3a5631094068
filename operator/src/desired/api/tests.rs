use serde_json::{Value, json};

use super::data_digest;
use super::template::template;
use crate::crd::TpStack;
use crate::desired::metadata::DATA_DIGEST;
use crate::desired::migrate;
use crate::observed::Observed;
use crate::settings::Images;
use crate::validate::{Stack, validate};
use crate::variables::Variables;

fn stack(api: &Value) -> Stack {
    let raw: TpStack = serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": {"api": api},
    }))
    .unwrap();
    validate(&raw).unwrap()
}

/// The API's pods.
fn pod(api: &Value) -> Value {
    let template = template(&stack(api), &Images::default(), None);
    serde_json::to_value(template).unwrap()["spec"].take()
}

/// The pods of its migration.
fn migration(api: &Value) -> Value {
    let job = migrate::job(&stack(api), &Images::default(), "a-volume").unwrap();
    serde_json::to_value(job).unwrap()["spec"]["template"]["spec"].take()
}

#[test]
fn pods_are_spread_over_zones_and_nodes_and_never_kept_from_starting() {
    let spread = pod(&json!({}))["topologySpreadConstraints"].take();
    let spread = spread.as_array().unwrap();
    let keys: Vec<&Value> = spread.iter().map(|of| &of["topologyKey"]).collect();
    assert_eq!(
        keys,
        ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    );
    for constraint in spread {
        assert_eq!(constraint["whenUnsatisfiable"], "ScheduleAnyway");
        let labels = &constraint["labelSelector"]["matchLabels"];
        assert_eq!(labels["app.kubernetes.io/instance"], "shop");
        assert_eq!(labels["app.kubernetes.io/component"], "api");
    }
}

#[test]
fn a_spread_of_the_users_takes_the_place_of_ours_and_is_about_the_apis_pods() {
    let of = |selector: &Value| {
        let mut constraint =
            json!({"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"});
        if !selector.is_null() {
            constraint["labelSelector"] = selector.clone();
        }
        pod(&json!({"scheduling": {"topologySpreadConstraints": [constraint]}}))["topologySpreadConstraints"]
            .take()
    };
    let spread = of(&Value::Null);
    assert_eq!(spread.as_array().unwrap().len(), 1);
    assert_eq!(
        spread[0]["labelSelector"]["matchLabels"]["app.kubernetes.io/component"],
        "api"
    );
    let own = json!({"matchLabels": {"tier": "web"}});
    assert_eq!(of(&own)[0]["labelSelector"], own);
}

#[test]
fn a_migration_runs_on_the_apis_nodes_and_beside_anybody() {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let nodes = json!({required: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]}});
    let spec = json!({"scheduling": {
        "nodeSelector": {"kubernetes.io/arch": "arm64"},
        "tolerations": [{"key": "web", "operator": "Exists"}],
        "priorityClassName": "critical",
        "affinity": {"nodeAffinity": nodes, "podAntiAffinity": {required: [{"topologyKey": "kubernetes.io/hostname"}]}},
    }});
    let (api, migration) = (pod(&spec), migration(&spec));
    for field in ["nodeSelector", "tolerations", "priorityClassName"] {
        assert!(!api[field].is_null(), "{field}");
        assert_eq!(api[field], migration[field], "{field}");
    }
    assert_eq!(api["affinity"]["nodeAffinity"], nodes);
    assert!(!api["affinity"]["podAntiAffinity"].is_null());
    assert_eq!(migration["affinity"], json!({"nodeAffinity": nodes}));
    assert_eq!(migration["topologySpreadConstraints"], Value::Null);
}

#[test]
fn an_image_of_the_users_is_pulled_and_started_as_they_say() {
    let spec = json!({
        "image": "shop:1", "imagePullPolicy": "Never", "imagePullSecrets": [{"name": "registry"}],
        "command": ["shop"], "args": ["serve"], "port": 8080, "migrate": {"command": ["shop", "migrate"]},
        "envFrom": [{"secretRef": {"name": "mail"}}],
    });
    let (api, migration) = (pod(&spec), migration(&spec));
    for pod in [&api, &migration] {
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
        let container = &pod["containers"][0];
        assert_eq!(container["imagePullPolicy"], "Never");
        assert_eq!(
            container["envFrom"],
            json!([{"secretRef": {"name": "mail"}}])
        );
        assert_eq!(
            container["env"][0],
            json!({"name": "PORT", "value": "8080"})
        );
    }
    let container = &api["containers"][0];
    assert_eq!(container["command"], json!(["shop"]));
    assert_eq!(container["args"], json!(["serve"]));
    assert_eq!(container["ports"][0]["containerPort"], 8080);
    assert_eq!(container["readinessProbe"]["httpGet"]["port"], "http");
    let container = &migration["containers"][0];
    assert_eq!(container["command"], json!(["shop", "migrate"]));
    assert_eq!(container["args"], Value::Null);
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let pod = pod(&json!({"image": "shop:1"}));
    for field in [
        "imagePullSecrets",
        "nodeSelector",
        "tolerations",
        "affinity",
        "priorityClassName",
    ] {
        assert_eq!(pod[field], Value::Null, "{field}");
    }
    for field in ["imagePullPolicy", "command", "args", "envFrom"] {
        assert_eq!(pod["containers"][0][field], Value::Null, "{field}");
    }
    let probe = &pod["containers"][0]["livenessProbe"];
    assert_eq!(probe["initialDelaySeconds"], Value::Null);
}

#[test]
fn passwords_are_files_or_variables_and_never_text() {
    for (spec, is_file) in [
        (
            json!({"image": "shop:1", "credentials": {"mode": "File"}}),
            true,
        ),
        (json!({"credentials": {"mode": "Env"}}), false),
    ] {
        let pod = pod(&spec);
        let container = &pod["containers"][0];
        let variables = container["env"].as_array().unwrap();
        let variable = |name: &str| variables.iter().find(|of| of["name"] == name);
        for (prefix, store) in [("DB", "postgres"), ("REDIS", "redis")] {
            let file = variable(&format!("{prefix}_PASSWORD_FILE"));
            let text = variable(&format!("{prefix}_PASSWORD"));
            assert_eq!((file.is_some(), text.is_some()), (is_file, !is_file));
            assert!(text.is_none_or(|text| text["value"].is_null()));
            let mounts = container["volumeMounts"].as_array().unwrap();
            assert_eq!(mounts.iter().any(|mount| mount["name"] == store), is_file);
            let volumes = pod["volumes"].as_array().unwrap();
            assert_eq!(
                volumes.iter().any(|volume| volume["name"] == store),
                is_file
            );
        }
    }
}

#[test]
fn what_is_not_known_leaves_pods_as_they_were_made() {
    let mut observed = Observed::default();
    assert_eq!(data_digest(&observed), None);
    let serving = template(
        &stack(&json!({})),
        &Images::default(),
        Some("old".to_owned()),
    );
    let annotations = serving.metadata.as_ref().unwrap().annotations.clone();
    assert_eq!(annotations.unwrap()[DATA_DIGEST], "old");
    observed.serving = Some(Box::new(serving));
    assert_eq!(data_digest(&observed).as_deref(), Some("old"));
    observed.variables = Some(Variables {
        digest: "new".to_owned(),
        missing: Vec::new(),
    });
    assert_eq!(data_digest(&observed).as_deref(), Some("new"));
}
