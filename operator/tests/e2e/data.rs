//! What becomes of data when a pod is killed.

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::{
    cluster::{Cluster, SHOP, is_running, text, uid, until},
    route::{from_the_cache, has_name, make_item, source},
    traefik::Edge,
};

const POSTGRES: &str = "minimal-postgres";
const REDIS: &str = "minimal-redis";

/// Goes through a Secret's way of writing values.
pub(crate) fn decode(value: &str) -> Result<String> {
    let bytes: k8s_openapi::ByteString = serde_json::from_value(Value::from(value))?;
    String::from_utf8(bytes.0).context("the Secret holds something that is not text")
}

/// Runs SQL in Postgres' pod as the application's role, over TCP with its password as the API does. The password and
/// the statements travel by standard input.
pub(crate) fn psql(cluster: &Cluster, sql: &str) -> Result<String> {
    let secret = cluster.get("secret", "minimal-postgres-credentials")?;
    let value = |key: &str| decode(text(&secret, &format!("/data/{key}")));
    let script = "IFS= read -r PGPASSWORD; export PGPASSWORD; exec psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --host=127.0.0.1 --username=\"$0\" --dbname=\"$1\"";
    let (user, database) = (value("username")?, value("database")?);
    let pod = format!("{POSTGRES}-0");
    let exec = [
        "exec",
        "--stdin",
        "--namespace",
        SHOP,
        &pod,
        "--container=postgres",
        "--",
    ];
    let input = format!("{}\n{sql}\n", value("password")?);
    let output = cluster.kubectl_with(
        &[&exec[..], &["sh", "-c", script, &user, &database]].concat(),
        &input,
        30,
    )?;
    Ok(output.trim().to_owned())
}

/// Step: the application's role is no superuser, pages carry checksums, text sorts by its bytes.
pub(crate) fn is_initialised_as_promised(cluster: &Cluster) -> Result<()> {
    for (what, sql, expected) in [
        ("role", "select current_user", "appuser"),
        (
            "rights of the role",
            "select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls from pg_roles where rolname = current_user",
            "f",
        ),
        ("checksums", "show data_checksums", "on"),
        (
            "collation and encoding",
            "select datcollate || ' ' || datctype || ' ' || pg_encoding_to_char(encoding) from pg_database where datname = current_database()",
            "C C.UTF-8 UTF8",
        ),
        (
            "major version",
            "select current_setting('server_version_num')::int / 10000",
            "16",
        ),
    ] {
        let found = psql(cluster, sql)?;
        ensure!(
            found == expected,
            "{what}: {found:?} instead of {expected:?}"
        );
    }
    Ok(())
}

/// Puts a row into a table of its own; gives it back however often it is called.
pub(crate) fn row(cluster: &Cluster) -> Result<String> {
    psql(cluster, "select note from kept where id = 1")
}

/// Step: Postgres is killed without time to tidy up, and comes back with its data on the same volume: a row of a table of
/// its own, and an item of the API's.
pub(crate) fn outlives_its_pod(cluster: &Cluster) -> Result<()> {
    psql(
        cluster,
        "create table kept (id int primary key, note text not null); insert into kept values (1, 'still here');",
    )?;
    let item = make_item(cluster, "through it all")?;
    let volume = volume(cluster)?;
    kill(cluster, POSTGRES)?;
    until(120, "a new Postgres pod is ready", || {
        came_back(cluster, POSTGRES)
    })?;
    let found = row(cluster)?;
    ensure!(found == "still here", "the row is {found:?}");
    let after = self::volume(cluster)?;
    ensure!(
        after == volume,
        "the volume is {after:?} and was {volume:?}"
    );
    cluster.wait_for_ready(60)?;
    until(30, "the API reads from Postgres again", || {
        Ok(match cluster.edge()?.https()?.get("/api/data") {
            Ok(response) if response.status == 200 => Ok(()),
            Ok(response) => Err(format!("status {}", response.status)),
            Err(error) => Err(format!("{error:#}")),
        })
    })?;
    // The answer before may have come from the cache.
    until(30, "the item is read again", || {
        Ok(has_name(cluster, &item, "through it all").map_err(|error| format!("{error:#}")))
    })
}

/// The UID of Postgres' claim and the name of the volume behind it.
pub(crate) fn volume(cluster: &Cluster) -> Result<(String, String)> {
    let claim = cluster.get("pvc", "minimal-postgres-data")?;
    Ok((
        uid(&claim).to_owned(),
        text(&claim, "/spec/volumeName").to_owned(),
    ))
}

/// Step: a client that never stops asking gets an answer every time while Redis is killed and comes back. That some of
/// them come from the database although the cache was warm shows that they were given without Redis.
pub(crate) fn answers_without_redis(cluster: &Cluster) -> Result<()> {
    until(30, "the cache is warm", || from_the_cache(cluster))?;
    let edge = cluster.edge()?.clone();
    let stop = AtomicBool::new(false);
    let (outcome, sources) = thread::scope(|scope| {
        let asking = scope.spawn(|| ask_until(&stop, &edge));
        let outcome = kill(cluster, REDIS).and_then(|()| {
            until(120, "a new Redis pod is ready", || {
                came_back(cluster, REDIS)
            })
        });
        stop.store(true, Ordering::Relaxed);
        (outcome, asking.join())
    });
    outcome?;
    let sources = sources.map_err(|_| anyhow!("the asking thread panicked"))??;
    let from_the_database = sources
        .iter()
        .filter(|source| *source == "database")
        .count();
    ensure!(
        from_the_database > 0,
        "all {} answers came from the cache: Redis was never seen gone",
        sources.len()
    );
    cluster.wait_for_ready(60)?;
    until(30, "an answer comes from the cache again", || {
        from_the_cache(cluster)
    })
}

/// Asks again as soon as there is an answer; gives the sources of all answers, or the first that was none.
fn ask_until(stop: &AtomicBool, edge: &Edge) -> Result<Vec<String>> {
    let mut connection = edge.https()?;
    let mut sources = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let asked = connection
            .get("/api/data")
            .and_then(|response| source(&response));
        sources.push(asked.with_context(|| format!("after {} answers", sources.len()))?);
    }
    Ok(sources)
}

/// Ends the one pod of a stateful set, a second after asking it to; its log is kept.
fn kill(cluster: &Cluster, workload: &str) -> Result<()> {
    cluster.logs.borrow_mut().collect(cluster)?;
    let pod = format!("{workload}-0");
    let before = cluster.get("pod", &pod)?;
    let at_once = ["--grace-period=1", "--wait=false"];
    cluster.kubectl(&[&["delete", "pod", &pod, "--namespace", SHOP][..], &at_once].concat())?;
    until(60, "the pod is gone", || {
        let gone = uid(&pod_now(cluster, workload)?) != uid(&before);
        Ok(if gone {
            Ok(())
        } else {
            Err("still there".to_owned())
        })
    })
}

fn came_back(cluster: &Cluster, workload: &str) -> Result<Result<(), String>> {
    let pod = pod_now(cluster, workload)?;
    Ok(if is_running(&pod) {
        Ok(())
    } else {
        Err(format!("phase {:?}", text(&pod, "/status/phase")))
    })
}

/// The one pod of a stateful set; null when there is none at the moment.
fn pod_now(cluster: &Cluster, workload: &str) -> Result<Value> {
    let get = ["get", "pod", &format!("{workload}-0"), "--namespace", SHOP];
    let pod = cluster.kubectl(&[&get[..], &["--ignore-not-found", "--output=json"]].concat())?;
    if pod.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&pod).context("kubectl get pod: not JSON")
}
