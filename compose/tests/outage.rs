//! What disturbs: Redis away, replicas coming and going, the whole stack down and up again.

use crate::{
    data::sql,
    edge::connect,
    http::Connection,
    items,
    prometheus::{query, targets_up},
    secrets::digests,
    stack::{HOST, Stack},
    wait::eventually,
};
use anyhow::{Context, Result, anyhow, ensure};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

pub(crate) fn the_api_answers_without_redis_and_caches_again_after(stack: &Stack) -> Result<()> {
    stack.compose(&["stop", "redis"])?;
    let mut connection = connect(stack)?;
    for _ in 0..5 {
        let answer = connection.get(HOST, "/api/data")?.json()?;
        ensure!(
            answer["source"] == "database",
            "without Redis it says {answer}"
        );
        ensure!(
            connection.get(HOST, "/health")?.status == 200,
            "without Redis it is not healthy"
        );
    }
    stack.compose(&["start", "redis"])?;
    eventually(|| {
        let answer = connection.get(HOST, "/api/data")?.json()?;
        ensure!(
            answer["source"] == "cache",
            "with Redis back it says {answer}"
        );
        Ok(())
    })
}

/// As many as the challenge of the course asks for.
const REPLICAS: usize = 3;

pub(crate) fn every_replica_is_scraped_and_gets_requests(stack: &Stack) -> Result<()> {
    let scale = format!("api={REPLICAS}");
    stack.compose(&["up", "--wait", "--no-recreate", "--scale", &scale])?;
    eventually(|| {
        let up = targets_up(stack)?;
        ensure!(up == REPLICAS, "{up} targets are up");
        Ok(())
    })?;
    let mut connection = connect(stack)?;
    eventually(|| {
        for _ in 0..60 {
            let answer = connection.get(HOST, "/api/data")?;
            ensure!(answer.status == 200, "a request failed: {}", answer.status);
        }
        let each = query(
            stack,
            "sum by (instance) (app_requests_total{job=\"api\",endpoint=\"/api/data\"})",
        )?;
        ensure!(
            each.len() == REPLICAS && each.iter().all(|&count| count >= 15.0),
            "requests by replica: {each:?}"
        );
        Ok(())
    })
}

/// One written by any of them is read from the cache by the others: what Redis is for.
pub(crate) fn replicas_share_the_cache(stack: &Stack) -> Result<()> {
    let mut connection = connect(stack)?;
    let mut answers = BTreeSet::new();
    for _ in 0..30 {
        let answer = connection.get(HOST, "/api/data")?.json()?;
        answers.insert(answer["data"].to_string());
    }
    // At most one minute ended meanwhile.
    ensure!(answers.len() <= 2, "they tell {answers:?}");
    Ok(())
}

/// Off unless it is asked for; then whoever keeps the cookie keeps the replica.
pub(crate) fn a_client_stays_with_a_replica_if_that_is_asked_for(stack: &Stack) -> Result<()> {
    let ours = connect(stack)?.get(HOST, "/health")?;
    ensure!(
        ours.header("set-cookie").is_none(),
        "a cookie nobody asked for: {ours:?}"
    );
    let scale = format!("api={REPLICAS}");
    let up = ["up", "--wait", "--no-deps", "--scale", &scale, "api"];
    let sticky = stack.compose_with(&[("API_STICKY", "true")], &up)?;
    ensure!(sticky.success, "{}", sticky.all);
    let mut connection = connect(stack)?;
    let cookie = eventually(|| {
        let answer = connection.get(HOST, "/health")?;
        let cookie = answer.header("set-cookie").context("no cookie")?;
        Ok(cookie.split(';').next().unwrap_or_default().to_owned())
    })?;
    let asked_for = r#"app_requests_total{job="api",endpoint="/api/items"}"#;
    let header = format!("Cookie: {cookie}");
    for _ in 0..30 {
        let answer = connection.get_with(HOST, "/api/items", &header)?;
        ensure!(answer.status == 200, "a request failed: {}", answer.status);
    }
    eventually(|| {
        let each = query(stack, &format!("sum by (instance) ({asked_for} > 0)"))?;
        ensure!(each == [30.0], "requests by replica: {each:?}");
        Ok(())
    })?;
    stack.compose(&up)?;
    Ok(())
}

/// Asked all the while: a replica that drains is left in time, and what reaches nobody is sent to another.
pub(crate) fn a_stopped_replica_loses_no_request(stack: &Stack) -> Result<()> {
    let containers = stack.compose(&["ps", "--quiet", "api"])?;
    ensure!(
        containers.lines().count() == REPLICAS,
        "there are not {REPLICAS} replicas"
    );
    let stopped = AtomicBool::new(false);
    let authority = stack.authority()?;
    thread::scope(|scope| {
        let ask = || -> Result<usize> {
            let mut connection = Connection::tls(stack.tls_port, HOST, &authority)?;
            let mut asked = 0;
            let mut after = 0;
            // And a while longer, when the container's address is nobody's any more.
            while after < 200 {
                after += usize::from(stopped.load(Ordering::Relaxed));
                for path in ["/health", "/api/data"] {
                    let status = connection.get(HOST, path)?.status;
                    ensure!(status == 200, "request {asked}, {path}: {status}");
                    asked += 1;
                }
            }
            Ok(asked)
        };
        let clients = [scope.spawn(ask), scope.spawn(ask)];
        let first = containers.lines().next().context("no replica");
        let stop = first.and_then(|replica| stack.docker(&["stop", replica]));
        stopped.store(true, Ordering::Relaxed);
        for client in clients {
            let asked = client.join().map_err(|_| anyhow!("a client panicked"))??;
            ensure!(asked > 400, "only {asked} requests");
        }
        stop.map(drop)
    })
}

pub(crate) fn down_and_up_keep_data_and_passwords(stack: &Stack) -> Result<()> {
    sql(
        stack,
        "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')",
    )?;
    let item = items::make(stack, "through it all")?;
    let before = digests(stack)?;
    stack.compose(&["down"])?;
    stack.compose(&["up", "--wait"])?;
    ensure!(digests(stack)? == before, "a secret changed");
    ensure!(
        sql(stack, "SELECT word FROM kept")? == "still here",
        "the row is gone"
    );
    items::has_name(stack, &item, "through it all")?;
    ensure!(
        connect(stack)?.get(HOST, "/health")?.status == 200,
        "it is not healthy"
    );
    Ok(())
}
