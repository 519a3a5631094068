//! What somebody who has got in somewhere tries next. Each attempt is made beside one like it that must work, so that a
//! refusal is shown to be one and not a broken attempt.

use crate::{
    data::sql,
    edge::connect,
    http::Connection,
    stack::{HOST, Stack},
};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// Where an attempt is made from: a container of ours on one network of the stack, or on none of them.
const STRANGER: &str = "bridge";

/// Programs for attempts, in any image that has bash: `open HOST PORT` and `status PORT METHOD PATH HEADERS`.
const TOOLS: &str = r#"
open() { if timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; then echo "$1:$2 open"; else echo "$1:$2 closed"; fi; }
ask() {
    exec 3<>"/dev/tcp/$1/$2" || return
    printf '%s %s HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Length: 0\r\n\r\n' "$3" "$4" >&3
    IFS=' ' read -r -t 5 _ code _ <&3 || code=none
    exec 3>&-
    echo "$3 $4 $code"
}
"#;

/// Runs a script on a network; the words of each line but the last are a question, the last is the answer.
fn from(stack: &Stack, network: &str, script: &str) -> Result<BTreeMap<String, String>> {
    let network = if network == STRANGER {
        STRANGER.to_owned()
    } else {
        stack.volume(network)
    };
    let script = format!("{TOOLS}\n{script}");
    let run = [
        "run",
        "--rm",
        "--user",
        "12345:12345",
        "--network",
        &network,
    ];
    let image = stack.image("POSTGRES_IMAGE")?;
    let printed =
        stack.docker(&[&run[..], &["--entrypoint", "bash", image, "-c", &script]].concat())?;
    let lines = printed.lines().filter_map(|line| line.rsplit_once(' '));
    Ok(lines
        .map(|(question, answer)| (question.to_owned(), answer.to_owned()))
        .collect())
}

/// The address of a service on one of its networks.
fn address(stack: &Stack, service: &str, network: &str) -> Result<String> {
    let network = stack.volume(network);
    for container in stack.containers()? {
        let of = &container["Config"]["Labels"]["com.docker.compose.service"];
        let ip = &container["NetworkSettings"]["Networks"][&network]["IPAddress"];
        if of == service
            && let Some(ip) = ip.as_str().filter(|ip| !ip.is_empty())
        {
            return Ok(ip.to_owned());
        }
    }
    bail!("{service} has no address on {network}")
}

/// Each service, by the network that attempts are made from, one where it may be reached, and where the address is.
const DOORS: [(&str, u16, &str, &str); 17] = [
    ("postgres", 5432, "edge", "data"),
    ("postgres", 5432, "metrics", "data"),
    ("postgres", 5432, "socket", "data"),
    ("postgres", 5432, "admin", "data"),
    ("postgres", 5432, STRANGER, "data"),
    ("redis", 6379, "edge", "data"),
    ("redis", 6379, "metrics", "data"),
    ("redis", 6379, "admin", "data"),
    ("redis", 6379, STRANGER, "data"),
    ("socket-proxy", 2375, "edge", "socket"),
    ("socket-proxy", 2375, "data", "socket"),
    ("socket-proxy", 2375, STRANGER, "socket"),
    ("traefik", 8081, "edge", "metrics"),
    ("traefik", 8081, STRANGER, "metrics"),
    ("prometheus", 9090, "edge", "admin"),
    ("prometheus", 9090, "data", "admin"),
    ("alertmanager", 9093, "edge", "admin"),
];

/// And a port is not open on the wrong side of a service that is on several networks.
const WRONG_SIDES: [(&str, u16, &str, &str); 4] = [
    ("socket-proxy", 2375, "metrics", "socket"),
    ("socket-proxy", 8404, "socket", "metrics"),
    ("traefik", 8081, "edge", "metrics"),
    ("traefik", 8081, "socket", "metrics"),
];

pub(crate) fn no_service_is_reached_from_a_network_it_is_not_for(stack: &Stack) -> Result<()> {
    let mut tries: BTreeMap<&str, Vec<(String, bool, &str)>> = BTreeMap::new();
    for (service, port, outside, inside) in DOORS {
        let at = format!("{} {port}", address(stack, service, inside)?);
        tries
            .entry(outside)
            .or_default()
            .push((at.clone(), false, service));
        tries.entry(inside).or_default().push((at, true, service));
    }
    for (service, port, outside, inside) in WRONG_SIDES {
        let wrong = format!("{} {port}", address(stack, service, outside)?);
        let right = format!("{} {port}", address(stack, service, inside)?);
        tries
            .entry(outside)
            .or_default()
            .push((wrong, false, service));
        tries
            .entry(inside)
            .or_default()
            .push((right, true, service));
    }
    for (network, tries) in tries {
        let lines: Vec<String> = tries.iter().map(|(at, ..)| format!("open {at}")).collect();
        let script = lines.join("\n");
        let found = from(stack, network, &script)?;
        for (at, allowed, service) in tries {
            let answer = found.get(&at.replace(' ', ":")).map_or("", String::as_str);
            let wanted = if allowed { "open" } else { "closed" };
            ensure!(
                answer == wanted,
                "{service} at {at} is {answer:?} from {network}, not {wanted}"
            );
        }
    }
    Ok(())
}

/// Whoever takes Traefik over learns which containers there are. Their files, logs and processes stay their own.
pub(crate) fn the_docker_api_is_open_for_reading_what_runs_and_nothing_else(
    stack: &Stack,
) -> Result<()> {
    let id = stack.compose(&["ps", "--quiet", "postgres"])?;
    let id = id.trim();
    let allowed = [
        "GET /_ping".to_owned(),
        "HEAD /_ping".to_owned(),
        "GET /version".to_owned(),
        "GET /v1.44/info".to_owned(),
        "GET /v1.44/containers/json".to_owned(),
        format!("GET /containers/{id}/json"),
        format!("GET /v1.44/containers/{id}/json"),
    ];
    let refused = [
        format!("GET /containers/{id}/export"),
        format!("GET /v1.44/containers/{id}/export"),
        format!("GET /containers/{id}/%65xport"),
        format!("GET /containers/{id}/json/../export"),
        format!("GET //containers/{id}/export"),
        format!("GET /containers/{id}/export/json"),
        format!("GET /containers/{id}/archive?path=/secrets"),
        format!("HEAD /containers/{id}/archive?path=/secrets"),
        format!("PUT /containers/{id}/archive?path=/"),
        format!("GET /containers/{id}/logs?stdout=1"),
        format!("GET /containers/{id}/top"),
        format!("GET /containers/{id}/stats?stream=0"),
        format!("GET /containers/{id}/changes"),
        format!("GET /containers/{id}/attach/ws"),
        format!("POST /containers/{id}/exec"),
        format!("POST /containers/{id}/attach?stream=1"),
        format!("POST /containers/{id}/stop"),
        format!("POST /containers/{id}/json"),
        format!("DELETE /containers/{id}?force=1"),
        "POST /containers/create".to_owned(),
        "GET /images/json".to_owned(),
        "POST /images/create?fromImage=x".to_owned(),
        "GET /volumes".to_owned(),
        "GET /networks".to_owned(),
        "GET /system/df".to_owned(),
        "GET /secrets".to_owned(),
        "POST /build".to_owned(),
        "POST /session".to_owned(),
        "GET /v1.44/plugins".to_owned(),
        "GET /containers/json/x".to_owned(),
        "GET /".to_owned(),
    ];
    let line = |request: &String| {
        let (method, path) = request.split_once(' ').unwrap_or_default();
        format!("ask docker-socket 2375 {method} '{path}'")
    };
    let lines: Vec<String> = allowed.iter().chain(&refused).map(line).collect();
    let script = lines.join("\n");
    let found = from(stack, "socket", &script)?;
    let answer = |request: &String| found.get(request).map_or("", String::as_str);
    for request in &allowed {
        ensure!(answer(request) == "200", "{request}: {:?}", answer(request));
    }
    for request in &refused {
        ensure!(answer(request) == "403", "{request}: {:?}", answer(request));
    }
    ensure!(
        stack.compose(&["ps", "--quiet", "postgres"])?.trim() == id,
        "Postgres is not the one it was"
    );
    // Whoever is on call sees that somebody tried, and is not drowned in what is granted all day.
    let log = stack.compose(&["logs", "--no-log-prefix", "socket-proxy"])?;
    ensure!(
        log.contains(&format!("GET /containers/{id}/export ")),
        "nothing of it is in the log:\n{log}"
    );
    ensure!(
        !log.contains("/containers/json "),
        "what is granted is in the log:\n{log}"
    );
    Ok(())
}

/// The dashboard tells of every route: it asks who wants to know.
pub(crate) fn the_dashboard_asks_for_the_administrators_password(stack: &Stack) -> Result<()> {
    let host = "traefik.localhost";
    let password = stack.run_in_init("cat /secrets/passwords/grafana/admin-password")?;
    let authority = stack.authority()?;
    let status = |target: &str, credentials: Option<&str>| -> Result<u16> {
        let mut connection = Connection::tls(stack.tls_port, host, &authority)?;
        Ok(connection.get_as(host, target, credentials)?.status)
    };
    let right = format!("admin:{}", password.trim());
    ensure!(
        status("/api/version", Some(&right))? == 200,
        "the administrator is not let in"
    );
    let wrong = [
        None,
        Some("admin:"),
        Some("admin:admin"),
        Some("admin:admin123"),
        Some("root:x"),
        Some(":"),
    ];
    for target in [
        "/api/version",
        "/api/rawdata",
        "/dashboard/",
        "/",
        "/api/overview",
    ] {
        for credentials in wrong {
            let status = status(target, credentials)?;
            ensure!(status == 401, "{target} for {credentials:?}: {status}");
        }
    }
    // And it is under no other name.
    let mut connection = connect(stack)?;
    for target in ["/api/rawdata", "/dashboard/", "/api/version"] {
        let status = connection.get_as(HOST, target, Some(&right))?.status;
        ensure!(status == 404, "{target} at the API's name: {status}");
    }
    Ok(())
}

/// A header is what a client says, not who it is.
pub(crate) fn no_header_opens_the_metrics(stack: &Stack) -> Result<()> {
    let mut connection = connect(stack)?;
    for header in [
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-For: 10.0.0.1, 172.16.0.1",
        "X-Real-Ip: 127.0.0.1",
        "Forwarded: for=127.0.0.1;host=localhost",
        "X-Forwarded-Host: localhost",
        "X-Forwarded-Uri: /health",
        "X-Original-URL: /metrics",
        "X-Rewrite-URL: /metrics",
        "X-Forwarded-Prefix: /metrics",
        "X-HTTP-Method-Override: GET",
    ] {
        let metrics = connection.get_with(HOST, "/metrics", header)?;
        ensure!(
            metrics.status == 404 && !metrics.body.contains("app_requests_total"),
            "{header}: {}",
            metrics.status
        );
        let health = connection.get_with(HOST, "/health", header)?;
        ensure!(
            health.status == 200 && !health.body.contains("app_requests_total"),
            "{header}: /health gives {}",
            health.status
        );
    }
    Ok(())
}

/// Somebody in a container finds nothing to change in it, and nobody else's secret.
pub(crate) fn inside_a_container_there_is_nothing_to_take(stack: &Stack) -> Result<()> {
    let inside = |service: &str, script: &str| stack.exec(service, &["sh", "-c", script]);
    for (service, writable) in [
        ("postgres", "/tmp"),
        ("redis", "/data"),
        ("alertmanager", "/alertmanager"),
        ("prometheus", "/prometheus"),
    ] {
        inside(service, &format!("echo x >{writable}/x && rm {writable}/x"))
            .with_context(|| format!("{service} cannot write {writable}"))?;
        for folder in ["/", "/etc", "/usr/bin", "/secrets"] {
            let wrote = inside(service, &format!("echo x >{folder}/x 2>/dev/null"));
            ensure!(wrote.is_err(), "{service} can write {folder}");
        }
        let capabilities = inside(service, "grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status")?;
        ensure!(
            capabilities.lines().count() == 3
                && capabilities
                    .lines()
                    .all(|line| line.ends_with("\t0000000000000000")),
            "{service} has capabilities:\n{capabilities}"
        );
    }
    // All that a service sees of secrets is its own.
    let own = [
        (
            "postgres",
            "app-password exporter-password superuser-password",
        ),
        ("redis", "admin-password health-password users.acl"),
        ("traefik", "ca.crt dashboard-users traefik.pem"),
        ("alertmanager", "alertmanager.yml"),
    ];
    for (service, files) in own {
        let seen = inside(service, "ls /secrets | sort")?;
        let seen: Vec<&str> = seen.split_whitespace().collect();
        ensure!(seen.join(" ") == files, "{service} sees {seen:?}");
    }
    Ok(())
}

/// Those who count may not read what they count.
pub(crate) fn the_exporters_see_figures_and_no_data(stack: &Stack) -> Result<()> {
    let login = |database: &str, statement: &str| {
        let script = r#"PGPASSWORD=$(cat /secrets/exporter-password) exec psql -h "$(hostname -i)" -U exporter -d "$0" \
            --no-psqlrc --quiet --set=ON_ERROR_STOP=1 -Atc "$1""#;
        stack.exec("postgres", &["sh", "-c", script, database, statement])
    };
    sql(stack, "CREATE TABLE IF NOT EXISTS private (word text)")?;
    ensure!(
        login("appdb", "SELECT count(*) > 0 FROM pg_stat_activity")?.trim() == "t",
        "it sees no figures"
    );
    for statement in [
        "SELECT * FROM private",
        "SELECT * FROM items",
        "INSERT INTO private VALUES ('x')",
        "CREATE TABLE mine (x int)",
        "CREATE ROLE mine",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT * FROM pg_authid",
    ] {
        let refusal = login("appdb", statement).err();
        let refusal = refusal.with_context(|| format!("it may: {statement}"))?;
        ensure!(
            format!("{refusal:#}").contains("permission denied"),
            "{statement}: {refusal:#}"
        );
    }
    ensure!(
        login("postgres", "SELECT 1").is_err(),
        "it gets into `postgres`"
    );
    sql(stack, "DROP TABLE private")?;

    let password = stack.run_in_init("cat /secrets/passwords/redis-exporter/passwords.json")?;
    let password: BTreeMap<String, String> = serde_json::from_str(&password)?;
    let password = password.values().next().context("no password")?;
    let redis = |command: &str| {
        let mut words = vec!["exec", "--no-TTY", "--env"];
        let environment = format!("REDISCLI_AUTH={password}");
        words.extend([
            environment.as_str(),
            "redis",
            "redis-cli",
            "--no-auth-warning",
        ]);
        words.extend(["--user", "exporter"]);
        words.extend(command.split(' '));
        stack.compose(&words)
    };
    ensure!(
        redis("INFO memory")?.contains("used_memory"),
        "it sees no figures"
    );
    for command in [
        "GET data_cache",
        "SET x y",
        "KEYS *",
        "SCAN 0",
        "FLUSHALL",
        "CONFIG GET *",
        "ACL LIST",
        "MONITOR",
        "CLIENT LIST",
    ] {
        let answer = redis(command)?;
        ensure!(answer.contains("NOPERM"), "{command}: {answer}");
    }
    Ok(())
}
