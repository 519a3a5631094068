//! The dashboards: what can be read from the files, and every query asked of the running stack.

use crate::{
    edge::connect,
    prometheus,
    stack::{HOST, Stack, root},
    wait::eventually,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// A dashboard's file name and content.
fn all() -> Result<Vec<(String, Value)>> {
    let mut dashboards = Vec::new();
    for entry in fs::read_dir(root().join("compose/grafana/dashboards"))? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .context("no name")?
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&path)?;
        let dashboard =
            serde_json::from_str(&text).with_context(|| format!("{name} is not JSON"))?;
        dashboards.push((name, dashboard));
    }
    dashboards.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(dashboards)
}

/// Panels, also those inside of rows.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let top = dashboard["panels"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let below = top
        .iter()
        .filter_map(|panel| panel["panels"].as_array())
        .flatten();
    top.iter().chain(below).collect()
}

/// A panel's questions, as Prometheus can be asked: Grafana's one variable is put in.
fn queries(panel: &Value) -> Result<Vec<String>> {
    let title = panel["title"].as_str().unwrap_or_default();
    let targets = panel["targets"].as_array().into_iter().flatten();
    targets
        .map(|target| {
            let query = target["expr"]
                .as_str()
                .with_context(|| format!("{title}: a target without a query"))?;
            Ok(query.replace("$__rate_interval", "1m"))
        })
        .collect()
}

pub(crate) fn every_dashboard_is_complete_and_can_be_reviewed() -> Result<()> {
    let dashboards = all()?;
    let names: BTreeSet<&str> = dashboards.iter().map(|(name, _)| name.as_str()).collect();
    let wanted = [
        "alerts",
        "api",
        "containers",
        "home",
        "host",
        "postgres",
        "redis",
        "traefik",
    ];
    ensure!(
        names == BTreeSet::from(wanted),
        "the dashboards are {names:?}"
    );
    for (name, dashboard) in &dashboards {
        let uid = format!("tpstack-{name}");
        ensure!(
            dashboard["uid"] == uid.as_str(),
            "{name}: uid {}",
            dashboard["uid"]
        );
        // What one Grafana has made of it.
        for field in ["id", "version", "iteration"] {
            ensure!(dashboard[field].is_null(), "{name}: it has a {field}");
        }
        for field in ["title", "description", "schemaVersion", "time", "refresh"] {
            ensure!(!dashboard[field].is_null(), "{name}: no {field}");
        }
        ensure!(
            dashboard["tags"] == json!(["tpstack"])
                && dashboard["links"][0]["tags"] == json!(["tpstack"]),
            "{name}: tags and links lead from one dashboard to the others"
        );
        let variables = dashboard["templating"]["list"].to_string();
        ensure!(
            variables.matches("\"name\"").count() == 1
                && variables.contains("\"name\":\"datasource\""),
            "{name}: its variables are {variables}"
        );
        let mut ids = BTreeSet::new();
        let mut places = BTreeSet::new();
        for panel in panels(dashboard) {
            let title = panel["title"].as_str().unwrap_or_default();
            let at = format!("{name}, {title}");
            ensure!(!title.is_empty(), "{name}: a panel without a title");
            ensure!(
                panel["id"].as_u64().is_some_and(|id| ids.insert(id)),
                "{at}: its id is another panel's or none"
            );
            let [x, y, width, height] =
                ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap_or(99));
            ensure!(x + width <= 24, "{at}: it does not fit in");
            for x in x..x + width {
                for y in y..y + height {
                    ensure!(places.insert((x, y)), "{at}: it lies on another panel");
                }
            }
            if panel["type"] != "row" {
                complete(panel).with_context(|| at)?;
            }
        }
    }
    home_has_every_job(&dashboards)
}

/// What a panel needs so that a reader knows what it shows, and the operator can narrow it down to one stack.
fn complete(panel: &Value) -> Result<()> {
    ensure!(
        panel["datasource"] == json!({"type": "prometheus", "uid": "${datasource}"}),
        "data source {}",
        panel["datasource"]
    );
    let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
    ensure!(unit.is_some_and(|unit| !unit.is_empty()), "no unit");
    let queries = queries(panel)?;
    ensure!(!queries.is_empty(), "it asks nothing");
    for query in queries {
        ensure!(!query.contains('$'), "a variable is left: {query}");
        // Every selector, by its opening brace.
        for selector in query.split('{').skip(1) {
            let matchers = selector.split('}').next().unwrap_or_default();
            let is_alerts = matchers.contains("alertstate=") || matchers.contains("severity");
            ensure!(
                matchers.contains("job=\"") || is_alerts,
                "of which job? {query}"
            );
        }
        ensure!(
            !query.contains("histogram_quantile") || query.contains("(le"),
            "a quantile of each series by itself: {query}"
        );
    }
    Ok(())
}

/// The first tiles tell of every job that Prometheus has, and of none that it has not.
fn home_has_every_job(dashboards: &[(String, Value)]) -> Result<()> {
    let (_, home) = dashboards
        .iter()
        .find(|(name, _)| name == "home")
        .context("no home")?;
    let panels = panels(home);
    let up = panels.iter().find(|panel| panel["title"] == "Targets up");
    let asked = queries(up.context("no panel `Targets up`")?)?.join(" ");
    let configuration = fs::read_to_string(root().join("compose/prometheus/prometheus.yml"))?;
    let jobs: BTreeSet<&str> = configuration
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- job_name: "))
        .collect();
    let shown: BTreeSet<&str> = asked
        .split("up{job=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    ensure!(
        jobs == shown,
        "jobs {jobs:?}, on the home dashboard {shown:?}"
    );
    Ok(())
}

/// Panels that show trouble, and are empty on a stack that has none; and the kernel counts no reading and writing of
/// containers where their files are in memory, as they are in a private engine.
const SILENT: [&str; 7] = [
    "Firing alerts",
    "Failed notifications",
    "Errors by endpoint and status",
    "Errors by service",
    "Failed calls",
    "Read from disk",
    "Written to disk",
];

/// With something to see on every one of them: an empty panel is a wrong name, or a question nobody has.
pub(crate) fn no_panel_is_empty_under_load(stack: &Stack) -> Result<()> {
    let mut connection = connect(stack)?;
    let mut asked = 0;
    eventually(|| {
        for path in [
            "/api/data",
            "/health",
            "/api/items",
            "/api/items/nobody",
            "/nowhere",
        ] {
            connection.get(HOST, path)?;
        }
        asked = 0;
        let mut empty = Vec::new();
        for (name, dashboard) in all()? {
            for panel in panels(&dashboard) {
                let mut is_empty = panel["type"] != "row";
                for query in queries(panel)? {
                    asked += 1;
                    let series = prometheus::series(stack, &query)
                        .with_context(|| format!("{name}, {}: {query}", panel["title"]))?;
                    is_empty &= series.is_empty();
                }
                let title = panel["title"].as_str().unwrap_or_default();
                if is_empty && !SILENT.contains(&title) {
                    empty.push(format!("{name}, {title}: {:?}", queries(panel)?));
                }
            }
        }
        ensure!(empty.is_empty(), "empty:\n{}", empty.join("\n"));
        Ok(())
    })?;
    ensure!(asked > 150, "only {asked} queries");
    Ok(())
}
