//! From a fault to whoever is told: Prometheus' rules, Alertmanager's receivers, a web hook and a mail that really arrive.

use crate::{
    edge::connect,
    prometheus::{self, query},
    sink::{Mailbox, Webhook},
    stack::{HOST, Stack},
    wait::{eventually, eventually_within},
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Duration;

/// What is said of the receivers, with which knobs and secrets, and what Alertmanager's own check thinks of it.
pub(crate) fn receivers_follow_knobs_and_secrets(stack: &Stack) -> Result<()> {
    stack.reset()?;
    let made = |variables: &[(&str, &str)]| -> Result<String> {
        let outcome = stack.init(variables)?;
        ensure!(outcome.success, "init failed:\n{}", outcome.all);
        let check = ["--entrypoint", "/bin/amtool", "alertmanager"];
        let run = ["run", "--rm", "--no-deps", "--no-TTY"];
        let config = ["check-config", "/secrets/alertmanager.yml"];
        stack.compose(&[&run[..], &check, &config].concat())?;
        stack.run_in_init("cat /secrets/alertmanager/alertmanager.yml; ls /secrets/alertmanager")
    };

    let nobody = made(&[])?;
    ensure!(
        !nobody.contains("_configs") && nobody.contains("receiver: team"),
        "with nothing set somebody is told:\n{nobody}"
    );

    let mail = [
        ("ALERT_EMAIL_TO", "o'call@example.org, second@example.org"),
        ("ALERT_EMAIL_FROM", "stack@example.org"),
        ("ALERT_SMTP_SERVER", "mail.example.org:587"),
        ("ALERT_SMTP_USER", "stack"),
    ];
    for (left_out, why) in [
        ("ALERT_EMAIL_FROM", "ALERT_EMAIL_FROM is not"),
        ("ALERT_SMTP_SERVER", "must be HOST:PORT"),
    ] {
        let variables: Vec<_> = mail
            .into_iter()
            .filter(|(name, _)| *name != left_out)
            .collect();
        let outcome = stack.init(&variables)?;
        ensure!(
            !outcome.success && outcome.all.contains(why),
            "without {left_out}:\n{}",
            outcome.all
        );
    }
    let outcome = stack.init(&mail)?;
    ensure!(
        !outcome.success && outcome.all.contains("compose/secrets/smtp-password"),
        "without a password:\n{}",
        outcome.all
    );
    let outcome = stack.init(&[("ALERT_GROUP_WAIT", "soon")])?;
    ensure!(
        !outcome.success && outcome.all.contains("ALERT_GROUP_WAIT must be a duration"),
        "{}",
        outcome.all
    );
    stack.provide("alert-slack-url", "hooks.example.org")?;
    let outcome = stack.init(&[])?;
    ensure!(
        !outcome.success && outcome.all.contains("alert-slack-url must hold a URL"),
        "{}",
        outcome.all
    );

    let secrets = [
        ("smtp-password", "the mail's password"),
        (
            "alert-slack-url",
            "https://hooks.example.org/services/T0/B0/X",
        ),
        ("alert-webhook-url", "http://pager.example.org/hook"),
        ("alert-watchdog-url", "https://ping.example.org/stack"),
    ];
    for (name, value) in secrets {
        stack.provide(name, &format!("{value}\n"))?;
    }
    let all = made(&mail)?;
    for kind in ["email", "slack", "webhook"] {
        ensure!(
            all.contains(&format!("{kind}_configs")),
            "no {kind}:\n{all}"
        );
    }
    ensure!(
        all.contains("'o''call@example.org, second@example.org'"),
        "not as it was given:\n{all}"
    );
    for (name, value) in secrets {
        ensure!(
            !all.contains(value),
            "the secret {name} is in the configuration"
        );
    }

    // What is taken away again is told no more.
    stack.provide_nothing()?;
    let nobody = made(&[])?;
    ensure!(
        !nobody.contains("_configs") && !nobody.contains("slack"),
        "it still tells:\n{nobody}"
    );
    Ok(())
}

/// The cases of compose/prometheus/tests, by the promtool of the image that runs; in a container of its own, since they
/// take memory and a place to write.
pub(crate) fn promtool_agrees_with_every_rule_and_its_cases(stack: &Stack) -> Result<()> {
    let folder = crate::stack::root().join("compose/prometheus");
    let mount = format!("{}:/etc/prometheus:ro", folder.display());
    let image = stack.image("PROMETHEUS_IMAGE")?;
    for script in [
        "promtool check config --lint=all --lint-fatal prometheus.yml",
        "promtool check rules --lint=all --lint-fatal rules/*.yml",
        "promtool test rules tests/*.yml",
    ] {
        let run = ["run", "--rm", "--network", "none", "--tmpfs", "/tmp"];
        let place = ["--workdir", "/etc/prometheus", "--volume", &mount];
        let command = ["--entrypoint", "sh", image, "-c", script];
        stack.docker(&[&run[..], &place, &command].concat())?;
    }
    Ok(())
}

/// Rules that Prometheus did not take are rules that never fire.
pub(crate) fn every_rule_is_loaded_and_can_be_evaluated(stack: &Stack) -> Result<()> {
    let files = crate::rules::files()?;
    let written: usize = files.iter().map(|file| file.rules.len()).sum();
    eventually(|| {
        let groups = prometheus::ask(stack, "/api/v1/rules")?;
        let groups = groups["groups"].as_array().context("no groups")?;
        let rules: Vec<&Value> = groups
            .iter()
            .filter_map(|group| group["rules"].as_array())
            .flatten()
            .collect();
        ensure!(
            rules.len() == written,
            "{} rules of {written} are loaded",
            rules.len()
        );
        for rule in rules {
            ensure!(
                rule["health"] == "ok",
                "{}: {} {}",
                rule["name"],
                rule["health"],
                rule["lastError"]
            );
        }
        Ok(())
    })
}

/// On a stack that is well, nobody is woken; the watchdog alone fires, which is its work.
pub(crate) fn only_the_watchdog_fires_on_a_stack_that_is_well(stack: &Stack) -> Result<()> {
    eventually(|| {
        let firing = firing(stack)?;
        ensure!(firing == ["Watchdog"], "firing: {firing:?}");
        Ok(())
    })
}

/// And a limit of 0, which means none, is no limit to be near of: the course's rule divided by it.
pub(crate) fn unlimited_containers_are_not_called_short_of_memory(stack: &Stack) -> Result<()> {
    let name = stack.volume("unlimited");
    stack.docker(&[
        "run",
        "--detach",
        "--rm",
        "--name",
        &name,
        "--network",
        "none",
        "--entrypoint",
        "sleep",
        stack.image("POSTGRES_IMAGE")?,
        "600",
    ])?;
    let found = eventually(|| {
        let limit = query(
            stack,
            &format!("container_spec_memory_limit_bytes{{name=\"{name}\"}}"),
        )?;
        let used = query(
            stack,
            &format!("container_memory_working_set_bytes{{name=\"{name}\"}}"),
        )?;
        ensure!(
            limit == [0.0] && used.len() == 1,
            "limit {limit:?}, used {used:?}"
        );
        Ok(())
    });
    let expression = crate::rules::expression("ContainerHighMemory")?;
    let near = query(stack, &expression);
    stack.docker(&["rm", "--force", &name])?;
    found?;
    let near = near?;
    ensure!(near.is_empty(), "short of memory: {near:?}");
    Ok(())
}

/// The course's alert, with the time it really takes: scrape, evaluation and the rule's own minute.
pub(crate) fn a_stopped_api_is_told_by_web_hook_and_mail_and_its_return_too(
    stack: &Stack,
) -> Result<()> {
    let webhook = Webhook::start()?;
    let mailbox = Mailbox::start()?;
    stack.provide(
        "alert-webhook-url",
        &format!("http://sink.test:{}/", webhook.port),
    )?;
    let server = format!("sink.test:{}", mailbox.port);
    let mail = [
        ("ALERT_EMAIL_TO", "on-call@example.org"),
        ("ALERT_EMAIL_FROM", "stack@example.org"),
        ("ALERT_SMTP_SERVER", &server),
        ("ALERT_SMTP_TLS", "false"),
    ];
    let outcome = stack.init(&mail)?;
    ensure!(outcome.success, "init failed:\n{}", outcome.all);
    // As init says.
    stack.compose(&["restart", "alertmanager"])?;

    stack.compose(&["stop", "api"])?;
    away(stack)?;
    let patience = Duration::from_mins(4);
    eventually_within(patience, || {
        ensure!(
            webhook.got("APIDown", "firing"),
            "no web hook; firing: {:?}",
            firing(stack)?
        );
        ensure!(mailbox.got("APIDown", "firing"), "no mail");
        Ok(())
    })?;
    stack.compose_with(&mail, &["up", "--wait", "api"])?;
    eventually_within(patience, || {
        ensure!(webhook.got("APIDown", "resolved"), "no web hook of the end");
        ensure!(mailbox.got("APIDown", "resolved"), "no mail of the end");
        Ok(())
    })?;
    stack.provide_nothing()
}

/// Without a replica the API's address is still there, and says that it can be tried again; so it says nothing of metrics.
fn away(stack: &Stack) -> Result<()> {
    eventually(|| {
        let mut connection = connect(stack)?;
        for (path, wanted) in [("/health", 503), ("/api/data", 503), ("/metrics", 404)] {
            let status = connection.get(HOST, path)?.status;
            ensure!(status == wanted, "{path} without a replica: {status}");
        }
        Ok(())
    })
}

/// The names of what fires now.
pub(crate) fn firing(stack: &Stack) -> Result<Vec<String>> {
    let alerts = prometheus::ask(stack, "/api/v1/alerts")?;
    let alerts = alerts["alerts"].as_array().context("no list of alerts")?;
    let mut names: Vec<String> = alerts
        .iter()
        .filter(|alert| alert["state"] == "firing")
        .filter_map(|alert| Some(alert["labels"]["alertname"].as_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}
