//! What becomes of data when a pod is killed.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    cluster::{Cluster, SHOP, is_running, text, uid, until},
    route::source,
    traefik,
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

/// Step: Postgres is killed without time to tidy up, and comes back with its data on the same volume.
pub(crate) fn outlives_its_pod(cluster: &Cluster) -> Result<()> {
    psql(
        cluster,
        "create table kept (id int primary key, note text not null); insert into kept values (1, 'still here');",
    )?;
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
        Ok(match traefik::https(cluster)?.get("/api/data") {
            Ok(response) if response.status == 200 => Ok(()),
            Ok(response) => Err(format!("status {}", response.status)),
            Err(error) => Err(format!("{error:#}")),
        })
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

/// Step: with Redis killed, every request is answered, some of them while there is no Redis at all; afterwards the cache is in use
/// again.
pub(crate) fn answers_without_redis(cluster: &Cluster) -> Result<()> {
    let before = kill(cluster, REDIS)?;
    let mut answers_without = 0;
    until(120, "a new Redis pod is ready", || {
        let pod = cluster.try_kubectl(&[
            "get",
            "pod",
            &format!("{REDIS}-0"),
            "--namespace",
            SHOP,
            "--output=json",
        ])?;
        let pod: Value = serde_json::from_str(&pod.stdout).unwrap_or_default();
        let back = is_running(&pod) && uid(&pod) != before;
        source(&traefik::https(cluster)?.get("/api/data")?)?;
        if back {
            return Ok(Ok(()));
        }
        answers_without += 1;
        Ok(Err(format!("phase {:?}", text(&pod, "/status/phase"))))
    })?;
    ensure!(
        answers_without > 0,
        "Redis was never seen gone: nothing was shown"
    );
    cluster.wait_for_ready(60)?;
    until(30, "an answer comes from the cache again", || {
        let source = source(&traefik::https(cluster)?.get("/api/data")?)?;
        Ok(if source == "cache" {
            Ok(())
        } else {
            Err(source)
        })
    })
}

/// Ends the one pod of a stateful set, a second after asking it to; its log is kept, and its UID given.
fn kill(cluster: &Cluster, workload: &str) -> Result<String> {
    cluster.logs.borrow_mut().collect(cluster)?;
    let pod = cluster.get("pod", &format!("{workload}-0"))?;
    cluster.kubectl(&[
        "delete",
        "pod",
        &format!("{workload}-0"),
        "--namespace",
        SHOP,
        "--grace-period=1",
        "--wait=false",
    ])?;
    until(60, "the pod is gone", || {
        let now = cluster.try_kubectl(&[
            "get",
            "pod",
            &format!("{workload}-0"),
            "--namespace",
            SHOP,
            "--output=jsonpath={.metadata.uid}",
        ])?;
        Ok(if now.stdout.trim() == uid(&pod) {
            Err("still there".to_owned())
        } else {
            Ok(())
        })
    })?;
    Ok(uid(&pod).to_owned())
}

fn came_back(cluster: &Cluster, workload: &str) -> Result<Result<(), String>> {
    let pod = cluster.try_kubectl(&[
        "get",
        "pod",
        &format!("{workload}-0"),
        "--namespace",
        SHOP,
        "--output=json",
    ])?;
    let pod: Value = serde_json::from_str(&pod.stdout).unwrap_or_default();
    Ok(if is_running(&pod) {
        Ok(())
    } else {
        Err(format!("phase {:?}", text(&pod, "/status/phase")))
    })
}
