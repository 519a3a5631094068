//! What runs inside: scraped, confined, and with the rights it needs and no more.

use crate::{
    data::sql,
    prometheus::{self, query, targets_up},
    stack::Stack,
    wait::eventually,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;

/// A target that is down is a service nobody watches.
pub(crate) fn every_target_is_up(stack: &Stack) -> Result<()> {
    let mut jobs = vec![
        "alertmanager",
        "api",
        "cadvisor",
        "node",
        "postgres",
        "prometheus",
        "redis",
        "socket-proxy",
        "traefik",
    ];
    if stack.has_grafana() {
        jobs.push("grafana");
    }
    eventually(|| {
        let targets = prometheus::targets(stack)?;
        let mut up = BTreeSet::new();
        for target in &targets {
            let job = target["labels"]["job"].as_str().unwrap_or_default();
            if job == "grafana" && !stack.has_grafana() {
                continue;
            }
            ensure!(
                target["health"] == "up",
                "{} is {}: {}",
                target["scrapeUrl"],
                target["health"],
                target["lastError"]
            );
            up.insert(job);
        }
        ensure!(
            up == jobs.iter().copied().collect(),
            "the jobs with targets are {up:?}"
        );
        Ok(())
    })?;
    for expression in ["pg_up{job=\"postgres\"}", "redis_up{job=\"redis\"}"] {
        let up = query(stack, expression)?;
        ensure!(up == [1.0], "{expression} is {up:?}");
    }
    Ok(())
}

pub(crate) fn prometheus_scrapes_the_api(stack: &Stack) -> Result<()> {
    eventually(|| {
        ensure!(targets_up(stack)? == 1, "there is not one target");
        ensure!(query(stack, "up{job=\"api\"}")? == [1.0], "`up` is not 1");
        let requests = query(
            stack,
            "sum(app_requests_total{job=\"api\",endpoint=\"/health\"})",
        )?;
        ensure!(
            requests.first().is_some_and(|&count| count >= 1.0),
            "requests counted: {requests:?}"
        );
        Ok(())
    })
}

pub(crate) fn postgres_has_checksums_and_sorts_by_bytes(stack: &Stack) -> Result<()> {
    ensure!(
        sql(stack, "SHOW data_checksums")? == "on",
        "no data checksums"
    );
    let database =
        "SELECT datcollate, pg_encoding_to_char(encoding), datlocprovider FROM pg_database";
    let database = sql(
        stack,
        &format!("{database} WHERE datname = current_database()"),
    )?;
    ensure!(
        database == "C|UTF8|c",
        "collation, encoding and provider are {database}"
    );
    let version = sql(stack, "SHOW server_version_num")?;
    ensure!(version.starts_with("16"), "it is Postgres {version}");
    Ok(())
}

pub(crate) fn the_application_role_is_no_superuser_and_owns_its_database(
    stack: &Stack,
) -> Result<()> {
    let rights =
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles";
    let rights = sql(stack, &format!("{rights} WHERE rolname = current_user"))?;
    ensure!(rights == "f|f|f|f|f", "its rights are {rights}");
    let owner = sql(
        stack,
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()",
    )?;
    ensure!(owner == "appuser", "the database belongs to {owner}");
    // What an application does on its first day works.
    sql(
        stack,
        "CREATE TABLE first_day (id int PRIMARY KEY); DROP TABLE first_day",
    )?;
    let program = sql(stack, "COPY (SELECT 1) TO PROGRAM 'true'")
        .err()
        .context("it may run programs")?;
    ensure!(
        format!("{program:#}").contains("permission denied"),
        "{program:#}"
    );
    Ok(())
}

pub(crate) fn the_superuser_cannot_log_in_over_the_network(stack: &Stack) -> Result<()> {
    let login = r#"PGPASSWORD=$(cat /secrets/superuser-password) psql -h "$(hostname -i)" -U postgres -Atc "SELECT 1""#;
    let refusal = stack
        .exec("postgres", &["sh", "-c", login])
        .err()
        .context("it logged in")?;
    ensure!(
        format!("{refusal:#}").contains("rejects connection"),
        "{refusal:#}"
    );
    let local = stack.exec("postgres", &["psql", "-U", "postgres", "-Atc", "SELECT 1"])?;
    ensure!(
        local.trim() == "1",
        "on its own machine it cannot log in either"
    );
    Ok(())
}

pub(crate) fn redis_refuses_strangers_and_dangerous_commands(stack: &Stack) -> Result<()> {
    let stranger = stack.exec("redis", &["redis-cli", "GET", "data_cache"])?;
    ensure!(
        stranger.contains("NOAUTH"),
        "a stranger was told {stranger}"
    );

    let password = format!(
        "REDISCLI_AUTH={}",
        stack.run_in_init("cat /secrets/passwords/api/redis-password")?
    );
    let as_app = |command: &[&str]| {
        let client = [
            "exec",
            "--no-TTY",
            "--env",
            &password,
            "redis",
            "redis-cli",
            "--no-auth-warning",
            "--user",
            "app",
        ];
        stack.compose(&[client.as_slice(), command].concat())
    };
    ensure!(
        as_app(&["SET", "a-key", "a value", "EX", "5"])?.contains("OK"),
        "it cannot write"
    );
    for dangerous in [
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "CONFIG GET *",
        "ACL LIST",
        "CLIENT KILL TYPE normal",
        "SHUTDOWN NOSAVE",
        "SAVE",
    ] {
        let answer = as_app(&dangerous.split(' ').collect::<Vec<_>>())?;
        ensure!(
            answer.contains("NOPERM"),
            "{dangerous} was answered {answer}"
        );
    }

    let settings = r"REDISCLI_AUTH=$(cat /secrets/admin-password) exec redis-cli --no-auth-warning --user admin \
        CONFIG GET maxmemory maxmemory-policy appendonly appendfsync";
    let settings = stack.exec("redis", &["sh", "-c", settings])?;
    let lines: Vec<&str> = settings.lines().collect();
    let (names, values) = (lines.iter().step_by(2), lines.iter().skip(1).step_by(2));
    let set: BTreeSet<(&str, &str)> = names.copied().zip(values.copied()).collect();
    let wanted = [
        ("appendfsync", "everysec"),
        ("appendonly", "yes"),
        ("maxmemory", "67108864"),
        ("maxmemory-policy", "volatile-ttl"),
    ];
    ensure!(set == BTreeSet::from(wanted), "its settings are {set:?}");
    Ok(())
}

/// Also those whose images cannot be had everywhere: what can be shown of them without.
pub(crate) fn every_profile_is_a_valid_configuration(stack: &Stack) -> Result<()> {
    let all = [("COMPOSE_PROFILES", "*"), ("TEST_GRAFANA_PROFILE", "host")];
    let shown = stack.compose_with(&all, &["config", "--format", "json"])?;
    ensure!(shown.success, "{}", shown.all);
    let shown: Value = serde_json::from_str(&shown.stdout)?;
    for service in ["grafana", "load", "node-exporter-desktop", "toolbox"] {
        let service_is = &shown["services"][service];
        ensure!(service_is["image"].is_string(), "no {service}");
        ensure!(
            service_is["read_only"] == true
                && service_is["cap_drop"] == serde_json::json!(["ALL"])
                && service_is["mem_limit"].is_string()
                && service_is["pids_limit"].is_number()
                && service_is["user"]
                    .as_str()
                    .is_some_and(|user| !user.starts_with('0')),
            "{service} is not confined: {service_is}"
        );
    }
    Ok(())
}

pub(crate) fn every_container_is_confined(stack: &Stack) -> Result<()> {
    let mut services = BTreeSet::new();
    for container in stack.containers()? {
        let service = service(&container)?;
        let host = &container["HostConfig"];
        let is_init = service == "init";
        // Root without any of its capabilities: the owner of the Docker socket, and of the kernel's accounts.
        let is_root = is_init || service == "socket-proxy" || service == "cadvisor";
        let is_one_shot = is_init || service == "migrate";
        let user = container["Config"]["User"].as_str().unwrap_or_default();
        ensure!(
            host["ReadonlyRootfs"] == true,
            "{service}: its root can be written"
        );
        ensure!(
            host["CapDrop"] == serde_json::json!(["ALL"]),
            "{service}: it keeps capabilities"
        );
        ensure!(
            is_init || host["CapAdd"].is_null(),
            "{service}: it is given {}",
            host["CapAdd"]
        );
        ensure!(
            host["SecurityOpt"]
                .to_string()
                .contains("no-new-privileges:true"),
            "{service}: it may gain privileges"
        );
        ensure!(host["Privileged"] == false, "{service}: it is privileged");
        ensure!(
            host["Memory"].as_u64() > Some(0),
            "{service}: its memory has no bound"
        );
        ensure!(
            host["PidsLimit"].as_i64() > Some(0),
            "{service}: its processes have no bound"
        );
        ensure!(
            host["LogConfig"]["Config"]["max-size"].is_string(),
            "{service}: its logs have no bound"
        );
        ensure!(
            is_root || !(user.is_empty() || user.starts_with('0')),
            "{service}: it runs as root"
        );
        ensure!(
            host["NanoCpus"].as_u64() > Some(0),
            "{service}: its processors have no bound"
        );
        ensure!(
            service == "socket-proxy" || !container["Mounts"].to_string().contains("docker.sock"),
            "{service}: it holds the Docker socket"
        );
        ensure!(
            is_one_shot || !container["Config"]["Healthcheck"].is_null(),
            "{service}: it has no health check"
        );
        services.insert(service);
    }
    let all = [
        "alertmanager",
        "api",
        "cadvisor",
        "init",
        "migrate",
        "node-exporter",
        "postgres",
        "postgres-exporter",
        "prometheus",
        "redis",
        "redis-exporter",
        "socket-proxy",
        "traefik",
    ];
    let mut all = BTreeSet::from(all.map(str::to_owned));
    if stack.has_grafana() {
        all.insert("grafana".to_owned());
    }
    ensure!(services == all, "the services are {services:?}");
    Ok(())
}

/// And nothing has a way out: a network is internal, or, where ports are published, does not masquerade.
pub(crate) fn only_the_edge_is_published_and_nothing_gets_out(stack: &Stack) -> Result<()> {
    let anywhere = BTreeSet::from(["0.0.0.0", "::"]);
    for container in stack.containers()? {
        let service = service(&container)?;
        let bindings = container["HostConfig"]["PortBindings"]
            .as_object()
            .context("no bindings")?;
        for binding in bindings.values().filter_map(Value::as_array).flatten() {
            let address = binding["HostIp"].as_str().unwrap_or_default();
            let public = address.is_empty() || anywhere.contains(address);
            ensure!(
                if public {
                    service == "traefik"
                } else {
                    address == "127.0.0.1"
                },
                "{service} publishes {binding}"
            );
        }
        for network in container["NetworkSettings"]["Networks"]
            .as_object()
            .context("no networks")?
            .keys()
        {
            // Alerts are sent to the world, by one service on a network of its own.
            let may = service == "alertmanager" && network.ends_with("_outbound");
            ensure!(
                way_out(stack, network)? == may,
                "{service} can{} get out through {network}",
                if may { "not" } else { "" }
            );
        }
    }
    Ok(())
}

fn way_out(stack: &Stack, network: &str) -> Result<bool> {
    let format = r#"{{.Driver}} {{.Internal}} {{index .Options "com.docker.network.bridge.enable_ip_masquerade"}}"#;
    let shown = stack.docker(&["network", "inspect", "--format", format, network])?;
    let closed = ["bridge true ", "bridge false false", "null false "];
    Ok(!closed.contains(&shown.trim_end_matches('\n')))
}

fn service(container: &Value) -> Result<String> {
    let label = &container["Config"]["Labels"]["com.docker.compose.service"];
    Ok(label
        .as_str()
        .context("a container without a service")?
        .to_owned())
}
