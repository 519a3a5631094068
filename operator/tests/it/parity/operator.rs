//! What the operator makes of a TpStack that says no more than its host, and at the edge what Compose's settings say.

use operator::crd::TpStack;
use operator::desired::{Children, Stores, desired};
use operator::kept::Pair;
use operator::migration::Migration;
use operator::observed::Observed;
use operator::plan::credential_values;
use operator::settings::Images;
use operator::validate::{Stack, validate};
use serde_json::{Value, json};

use super::{acl, environment, mebibytes, redis_settings, text_of, unless_the_apis_own_differs};

pub(super) fn facts(add: &mut dyn FnMut(String, String)) {
    let object: TpStack = serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "team"},
        "spec": {"ingress": {
            "hosts": ["api.localhost"],
            "headers": {"hsts": {"maxAgeSeconds": 3600}, "frameDeny": true, "contentTypeNosniff": true},
            "rateLimit": {"average": 200, "burst": 400},
            "compress": true,
            "retry": {"attempts": 3},
        }},
    }))
    .unwrap();
    let stack = validate(&object).unwrap();
    let pair = Some(Pair::default());
    let stores = Stores {
        postgres: pair.clone(),
        redis: pair,
    };
    let children = desired(
        &stack,
        &Images::default(),
        &Observed {
            capabilities: operator::observed::Capabilities::all(),
            ..Observed::default()
        },
        &stores,
        &Migration::default(),
    );
    api(&stack, &children, add);
    let job = operator::desired::migrate::job(&stack, &Images::default(), "uid").unwrap();
    migrate(&stack, &pod(&job), add);
    data(&stack, &children, add);
    let names = |names: Vec<&Option<String>>| {
        let names = names.into_iter().flatten();
        let names = names.map(|name| name.replace("shop-", "").replace("-dashboard", ""));
        names.collect::<Vec<_>>().join(", ")
    };
    let rules = children.prometheus_rules.iter();
    add(
        "alert rules".to_owned(),
        names(rules.map(|rule| &rule.metadata.name).collect()),
    );
    let dashboards = children.config_maps.iter().map(|map| &map.metadata.name);
    let dashboards = dashboards.filter(|name| name.iter().any(|name| name.ends_with("-dashboard")));
    add("dashboards".to_owned(), names(dashboards.collect()));
    edge(&children, add);
    add("exporters".to_owned(), String::new());
}

fn pod(workload: &impl serde::Serialize) -> Value {
    serde_json::to_value(workload).unwrap()["spec"]["template"]["spec"].take()
}

fn variables(stack: &Stack, container: &Value) -> Vec<(String, String)> {
    let list = container["env"].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|variable| {
            let reference = &variable["valueFrom"]["secretKeyRef"];
            let value = if reference.is_null() {
                text_of(&variable["value"])
            } else {
                crate::contract::secret(stack, reference)
            };
            (text_of(&variable["name"]), value)
        })
        .collect()
}

fn common(name: &str, pod: &Value, add: &mut dyn FnMut(String, String)) {
    let container = &pod["containers"][0];
    add(format!("{name} image"), text_of(&container["image"]));
    add(
        format!("{name} user"),
        text_of(&pod["securityContext"]["runAsUser"]),
    );
    add(
        format!("{name} stop, seconds"),
        text_of(&pod["terminationGracePeriodSeconds"]),
    );
    add(
        format!("{name} memory, MiB"),
        mebibytes(&container["resources"]["limits"]["memory"]),
    );
}

fn api(stack: &Stack, children: &Children, add: &mut dyn FnMut(String, String)) {
    let pod = pod(children.deployments.first().unwrap());
    let container = &pod["containers"][0];
    common("api", &pod, add);
    environment(variables(stack, container).into_iter(), "api", add);
    add(
        "api port".to_owned(),
        text_of(&container["ports"][0]["containerPort"]),
    );
    add(
        "api readiness".to_owned(),
        text_of(&container["readinessProbe"]["httpGet"]["path"]),
    );
    add(
        "scraped port".to_owned(),
        text_of(&container["ports"][0]["containerPort"]),
    );
    let route = serde_json::to_value(children.ingress_routes.first().unwrap()).unwrap();
    add(
        "edge rule".to_owned(),
        // One host or several: the operator puts them in parentheses.
        text_of(&route["spec"]["routes"][0]["match"]).replacen(
            "(Host(`api.localhost`))",
            "Host(`api.localhost`)",
            1,
        ),
    );
    let monitor = serde_json::to_value(children.service_monitors.first().unwrap()).unwrap();
    // The job is this label's value.
    let label = monitor["spec"]["jobLabel"].as_str().unwrap();
    let service = children
        .services
        .iter()
        .find(|service| service.metadata.name.as_deref() == Some("shop-api"))
        .unwrap();
    let labels = service.metadata.labels.as_ref().unwrap();
    add("scraped job".to_owned(), labels[label].clone());
    let endpoint = &monitor["spec"]["endpoints"][0];
    add("scraped path".to_owned(), text_of(&endpoint["path"]));
    add("scraped every".to_owned(), text_of(&endpoint["interval"]));
}

/// The steps on the main route in their order, and what each is set to.
fn edge(children: &Children, add: &mut dyn FnMut(String, String)) {
    let steps = children.ingress_routes.first().unwrap().spec.routes[0]
        .middlewares
        .iter()
        .map(|step| {
            let named = |middleware: &&operator::foreign::Middleware| {
                middleware.metadata.name.as_deref() == Some(&step.name)
            };
            let middleware = children.middlewares.iter().find(named).unwrap();
            serde_json::to_value(&middleware.spec).unwrap()
        });
    super::edge(steps, add);
}

fn migrate(stack: &Stack, pod: &Value, add: &mut dyn FnMut(String, String)) {
    let container = &pod["containers"][0];
    add("migrate image".to_owned(), text_of(&container["image"]));
    add("migrate command".to_owned(), text_of(&container["args"]));
    environment(
        variables(stack, container).into_iter(),
        "migrate",
        &mut unless_the_apis_own_differs(add),
    );
}

fn data(stack: &Stack, children: &Children, add: &mut dyn FnMut(String, String)) {
    let workload = |name: &str| {
        let of_it = |set: &&k8s_openapi::api::apps::v1::StatefulSet| {
            set.metadata.name.as_deref() == Some(name)
        };
        pod(children.stateful_sets.iter().find(of_it).unwrap())
    };
    let configuration = |name: &str, key: &str| {
        let of_it = |map: &&k8s_openapi::api::core::v1::ConfigMap| {
            map.metadata.name.as_deref() == Some(name)
        };
        let map = children.config_maps.iter().find(of_it).unwrap();
        map.data.as_ref().unwrap()[key].clone()
    };

    let postgres = workload("shop-postgres");
    common("postgres", &postgres, add);
    let container = &postgres["containers"][0];
    let initialize = &postgres["initContainers"][0];
    environment(variables(stack, container).into_iter(), "postgres", add);
    environment(variables(stack, initialize).into_iter(), "postgres", add);
    let shm = postgres["volumes"].as_array().unwrap();
    let shm = shm.iter().find(|volume| volume["name"] == "shm").unwrap();
    add(
        "postgres /dev/shm, MiB".to_owned(),
        mebibytes(&shm["emptyDir"]["sizeLimit"]),
    );
    add(
        "postgres health".to_owned(),
        container["readinessProbe"]["exec"]["command"].to_string(),
    );
    add(
        "postgres application".to_owned(),
        configuration("shop-postgres", "10-application.sh"),
    );

    let redis = workload("shop-redis");
    common("redis", &redis, add);
    redis_settings(&configuration("shop-redis", "redis.conf"), add);
    let users = credential_values(stack, operator::desired::metadata::Component::Redis, || {
        "secret".to_owned()
    });
    for line in users["users.acl"].lines() {
        let (user, rules) = line.strip_prefix("user ").unwrap().split_once(' ').unwrap();
        add(format!("redis user {user}"), acl(rules));
    }
    add("redis health".to_owned(), "user app".to_owned());
}
