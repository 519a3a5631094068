//! Both runtimes run the same stack: what `compose.yaml` says of a service beside what the operator makes of `spec: {}`.
//! A difference that is not in [`EXCEPTIONS`] fails, and so does an exception that is none any more.

use std::collections::{BTreeMap, BTreeSet};

use operator::crd::TpStack;
use operator::desired::{Children, Stores, desired};
use operator::kept::Pair;
use operator::migration::Migration;
use operator::observed::Observed;
use operator::plan::credential_values;
use operator::settings::Images;
use operator::validate::{Stack, validate};
use serde_json::{Value, json};

use crate::text;

/// What differs, and why it may.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "api DB_HOST",
        "services have their own names in each runtime",
    ),
    (
        "api REDIS_HOST",
        "services have their own names in each runtime",
    ),
    (
        "api DB_SSLMODE",
        "said in Kubernetes since External databases may ask for more; the API's default is the same",
    ),
    (
        "api DRAIN_DELAY_SECONDS",
        "Kubernetes waits before it asks the container to end (preStop), Docker cannot",
    ),
    (
        "migrate DRAIN_DELAY_SECONDS",
        "as for the API, whose environment it has",
    ),
    (
        "postgres stop, seconds",
        "a person waits for `docker compose down`; nobody for a pod that shuts down cleanly",
    ),
    (
        "postgres POSTGRES_DB",
        "both make `postgres` only; Kubernetes says so, the image's default is the superuser's name, the same",
    ),
    (
        "redis memory, MiB",
        "computed from maxMemory by the operator, a knob beside it in Compose",
    ),
    (
        "redis health",
        "a user of its own in Compose; in Kubernetes the application's, whose password is mounted anyway",
    ),
    ("exporters", "the operator has none yet"),
    ("alert rules", "the operator makes none yet"),
    ("dashboards", "the operator makes none yet"),
    (
        "edge middlewares",
        "headers, limit, compression and retry are not in the TpStack yet",
    ),
];

/// A fact of a stack, by name. What one side does not have is empty.
type Facts = BTreeMap<String, [String; 2]>;
const COMPOSE: usize = 0;
const OPERATOR: usize = 1;

#[test]
fn compose_and_the_operator_run_the_same_stack() {
    let mut facts = Facts::new();
    compose(&mut |name, value| facts.entry(name).or_default()[COMPOSE] = value);
    operator(&mut |name, value| facts.entry(name).or_default()[OPERATOR] = value);
    assert!(facts.len() > 40, "only {} facts are compared", facts.len());

    let excepted: BTreeSet<&str> = EXCEPTIONS.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (name, [compose, operator]) in &facts {
        match (compose == operator, excepted.contains(name.as_str())) {
            (false, false) => wrong.push(format!(
                "{name}: Compose has {compose:?}, the operator {operator:?}"
            )),
            (true, true) => wrong.push(format!(
                "{name}: the same by now, {compose:?}: no exception"
            )),
            _ => {}
        }
    }
    for name in excepted {
        if !facts.contains_key(name) {
            wrong.push(format!("{name}: there is no such fact"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `${NAME:-default}` becomes the default, and `$$` a dollar sign: a stack whose `.env` is empty.
fn resolved(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once('$') {
                out.push_str(before);
                rest = if let Some(after) = after.strip_prefix('$') {
                    out.push('$');
                    after
                } else {
                    let (name, after) = after.trim_start_matches('{').split_once('}').unwrap();
                    out.push_str(name.split_once(":-").map_or("", |(_, default)| default));
                    after
                };
            }
            out.push_str(rest);
            Value::String(out)
        }
        Value::Array(values) => values.iter().map(resolved).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), resolved(value)))
            .collect(),
        other => other.clone(),
    }
}

/// In whole MiB, of `128m`, `64mb` and `128Mi`.
fn mebibytes(value: &Value) -> String {
    let text = text_of(value).to_ascii_lowercase();
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let bytes = match text.trim_start_matches(|c: char| c.is_ascii_digit()) {
        "m" | "mb" | "mi" => 1024 * 1024,
        "g" | "gb" | "gi" => 1024 * 1024 * 1024,
        "" => 1,
        unit => panic!("{text}: what is {unit}?"),
    };
    (digits.parse::<u64>().unwrap() * bytes / (1024 * 1024)).to_string()
}

/// Lines that say something, without the place of files, which is each runtime's own.
fn redis_settings(text: &str, add: &mut dyn FnMut(String, String)) {
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.split_once(' ') else {
            continue;
        };
        match name {
            // The first is in a place of its own, the others are what Redis does if nothing is said.
            "aclfile" | "port" | "protected-mode" => {}
            "maxmemory" => add("redis maxmemory, MiB".to_owned(), mebibytes(&json!(value))),
            _ => add(format!("redis {name}"), value.to_owned()),
        }
    }
}

/// What a user may do, without its password.
fn acl(line: &str) -> String {
    line.split(' ')
        .filter(|word| !word.starts_with('#'))
        .collect::<Vec<_>>()
        .join(" ")
}

fn environment(
    pairs: impl Iterator<Item = (String, String)>,
    service: &str,
    add: &mut dyn FnMut(String, String),
) {
    for (name, value) in pairs {
        // Where a secret is mounted is each runtime's own; that it is a file is not.
        let value = if name.ends_with("_FILE") {
            "a file".to_owned()
        } else {
            value
        };
        add(format!("{service} {name}"), value);
    }
}

/// What differs there differs for the API too, where it is told.
fn unless_the_apis_own_differs(add: &mut dyn FnMut(String, String)) -> impl FnMut(String, String) {
    |name, value| {
        if !name.ends_with("_HOST") && !name.ends_with("_SSLMODE") {
            add(name, value);
        }
    }
}

// ---- Compose -----------------------------------------------------------------------------------------------------

fn compose(add: &mut dyn FnMut(String, String)) {
    let file: Value = serde_saphyr::from_str(&text("compose/compose.yaml")).unwrap();
    let services = resolved(&file["services"]);
    compose_api(&services, add);
    compose_postgres(&services["postgres"], add);
    compose_redis(&services["redis"], add);
    compose_scrape(add);
    add("exporters".to_owned(), "postgres, redis".to_owned());
    add("alert rules".to_owned(), "prometheus/rules".to_owned());
    add("dashboards".to_owned(), "grafana/dashboards".to_owned());
}

fn seconds(service: &Value) -> String {
    text_of(&service["stop_grace_period"])
        .trim_end_matches('s')
        .to_owned()
}

fn pairs(service: &Value) -> Vec<(String, String)> {
    let fields = service["environment"].as_object().unwrap();
    fields
        .iter()
        .map(|(name, value)| (name.clone(), text_of(value)))
        .collect()
}

fn compose_api(services: &Value, add: &mut dyn FnMut(String, String)) {
    let api = &services["api"];
    environment(pairs(api).into_iter(), "api", add);
    add("api image".to_owned(), text_of(&api["image"]));
    add("api user".to_owned(), uid(&api["user"]));
    add("api stop, seconds".to_owned(), seconds(api));
    add("api memory, MiB".to_owned(), mebibytes(&api["mem_limit"]));
    let label = |name: &str| text_of(&api["labels"][format!("traefik.http.{name}")]);
    add(
        "api port".to_owned(),
        label("services.api.loadbalancer.server.port"),
    );
    add(
        "api readiness".to_owned(),
        label("services.api.loadbalancer.healthcheck.path"),
    );
    add(
        "edge rule".to_owned(),
        label("routers.api.rule").replace('\n', " "),
    );
    add(
        "edge middlewares".to_owned(),
        label("routers.api.middlewares"),
    );
    let migrate = &services["migrate"];
    add("migrate image".to_owned(), text_of(&migrate["image"]));
    add("migrate command".to_owned(), text_of(&migrate["command"]));
    environment(
        pairs(migrate).into_iter(),
        "migrate",
        &mut unless_the_apis_own_differs(add),
    );
}

fn compose_postgres(postgres: &Value, add: &mut dyn FnMut(String, String)) {
    environment(
        pairs(postgres)
            .into_iter()
            .filter(|(name, _)| !name.starts_with("EXPORTER_")),
        "postgres",
        add,
    );
    add("postgres image".to_owned(), text_of(&postgres["image"]));
    add("postgres user".to_owned(), uid(&postgres["user"]));
    add("postgres stop, seconds".to_owned(), seconds(postgres));
    add(
        "postgres memory, MiB".to_owned(),
        mebibytes(&postgres["mem_limit"]),
    );
    add(
        "postgres /dev/shm, MiB".to_owned(),
        mebibytes(&postgres["shm_size"]),
    );
    let probe = postgres["healthcheck"]["test"].as_array().unwrap();
    add("postgres health".to_owned(), json!(probe[1..]).to_string());
    add(
        "postgres POSTGRES_DB".to_owned(),
        text_of(&postgres["environment"]["POSTGRES_DB"]),
    );
    add(
        "postgres application".to_owned(),
        text("compose/postgres/initdb/10-application.sh"),
    );
}

fn compose_redis(redis: &Value, add: &mut dyn FnMut(String, String)) {
    add("redis image".to_owned(), text_of(&redis["image"]));
    add("redis user".to_owned(), uid(&redis["user"]));
    add("redis stop, seconds".to_owned(), seconds(redis));
    add(
        "redis memory, MiB".to_owned(),
        mebibytes(&redis["mem_limit"]),
    );
    redis_settings(&text("compose/redis/redis.conf"), add);
    let command = redis["command"].as_array().unwrap();
    let place = command
        .iter()
        .position(|word| word == "--maxmemory")
        .unwrap();
    add(
        "redis maxmemory, MiB".to_owned(),
        mebibytes(&command[place + 1]),
    );
    let init = text("compose/init/init.sh");
    for user in ["default", "app"] {
        let line = init
            .lines()
            .find_map(|line| line.trim().strip_prefix(&format!("echo \"user {user} ")))
            .unwrap();
        let line = line
            .trim_end_matches('"')
            .replace("$(acl_hash \"$app\") ", "");
        add(format!("redis user {user}"), acl(&line));
    }
    add("redis health".to_owned(), "user health".to_owned());
}

fn compose_scrape(add: &mut dyn FnMut(String, String)) {
    let prometheus: Value =
        serde_saphyr::from_str(&text("compose/prometheus/prometheus.yml")).unwrap();
    let scraped = prometheus["scrape_configs"].as_array().unwrap();
    let scraped = scraped.iter().find(|job| job["job_name"] == "api").unwrap();
    add("scraped job".to_owned(), text_of(&scraped["job_name"]));
    add(
        "scraped port".to_owned(),
        text_of(&scraped["dns_sd_configs"][0]["port"]),
    );
    add(
        "scraped path".to_owned(),
        scraped["metrics_path"]
            .as_str()
            .unwrap_or("/metrics")
            .to_owned(),
    );
    add(
        "scraped every".to_owned(),
        text_of(&prometheus["global"]["scrape_interval"]),
    );
}

fn uid(user: &Value) -> String {
    text_of(user).split(':').next().unwrap().to_owned()
}

// ---- Operator ----------------------------------------------------------------------------------------------------

fn operator(add: &mut dyn FnMut(String, String)) {
    let object: TpStack = serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "team"},
        "spec": {"ingress": {"hosts": ["api.localhost"]}},
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
    for absent in ["exporters", "alert rules", "dashboards", "edge middlewares"] {
        add(absent.to_owned(), String::new());
    }
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
