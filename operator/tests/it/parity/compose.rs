//! What `compose.yaml` and its neighbours say.

use serde_json::{Value, json};

use super::{
    acl, environment, mebibytes, redis_settings, resolved, text_of, unless_the_apis_own_differs,
};
use crate::{repository, text};

pub(super) fn facts(add: &mut dyn FnMut(String, String)) {
    let file: Value = serde_saphyr::from_str(&text("compose/compose.yaml")).unwrap();
    let services = resolved(&file["services"]);
    compose_api(&services, add);
    compose_postgres(&services["postgres"], add);
    compose_redis(&services["redis"], add);
    compose_scrape(add);
    add("exporters".to_owned(), "postgres, redis".to_owned());
    add("alert rules".to_owned(), files("compose/prometheus/rules"));
    add("dashboards".to_owned(), files("compose/grafana/dashboards"));
}

/// Names of a folder's files, without what they end in.
fn files(folder: &str) -> String {
    let entries = std::fs::read_dir(repository(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.join(", ")
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
    assert_eq!(label("routers.api.middlewares"), "api@file");
    compose_edge(&services["traefik"]["environment"], add);
    let migrate = &services["migrate"];
    add("migrate image".to_owned(), text_of(&migrate["image"]));
    add("migrate command".to_owned(), text_of(&migrate["command"]));
    environment(
        pairs(migrate).into_iter(),
        "migrate",
        &mut unless_the_apis_own_differs(add),
    );
}

/// The chain of the API's route, with what Traefik's environment says for its template.
fn compose_edge(environment: &Value, add: &mut dyn FnMut(String, String)) {
    let mut file = text("compose/traefik/dynamic/stack.yml");
    for (name, value) in environment.as_object().unwrap() {
        file = file.replace(&format!("{{{{ env \"{name}\" }}}}"), &text_of(value));
    }
    let file: Value = serde_saphyr::from_str(&file).unwrap();
    let middlewares = &file["http"]["middlewares"];
    let chain = middlewares["api"]["chain"]["middlewares"]
        .as_array()
        .unwrap();
    let steps = chain
        .iter()
        .map(|name| middlewares[name.as_str().unwrap()].clone());
    super::edge(steps, add);
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
