//! What disturbs: Redis away, replicas coming and going, the whole stack down and up again.

use crate::{
    data::sql,
    edge::connect,
    items,
    secrets::digests,
    services::{query, targets_up},
    stack::{HOST, Stack, eventually},
};
use anyhow::{Context, Result, ensure};

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

pub(crate) fn every_replica_is_scraped_and_gets_requests(stack: &Stack) -> Result<()> {
    stack.compose(&[
        "up",
        "--wait",
        "--no-recreate",
        "--scale",
        "api=2",
        "api",
        "traefik",
    ])?;
    eventually(|| {
        ensure!(targets_up(stack)? == 2, "there are not two targets");
        Ok(())
    })?;
    let mut connection = connect(stack)?;
    for _ in 0..40 {
        ensure!(
            connection.get(HOST, "/api/data")?.status == 200,
            "a request failed"
        );
    }
    eventually(|| {
        let each = query(
            stack,
            "sum by (instance) (app_requests_total{endpoint=\"/api/data\"})",
        )?;
        ensure!(
            each.len() == 2 && each.iter().all(|&count| count >= 5.0),
            "requests by replica: {each:?}"
        );
        Ok(())
    })
}

pub(crate) fn a_stopped_replica_gets_no_request(stack: &Stack) -> Result<()> {
    let containers = stack.compose(&["ps", "--quiet", "api"])?;
    ensure!(
        containers.lines().count() == 2,
        "there are not two replicas"
    );
    stack.docker(&["stop", containers.lines().next().context("no replica")?])?;
    let mut connection = connect(stack)?;
    for request in 0..40 {
        let status = connection.get(HOST, "/health")?.status;
        ensure!(
            status == 200,
            "request {request} after the stop gave {status}"
        );
    }
    Ok(())
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
