//! `api migrate`: many at once, killed anywhere, before its server, on databases of other releases.

use crate::{
    api::{Api, command, eventually},
    figures,
    items_store::{config, content},
    postgres::{self, Database, Postgres},
    proxy::{Fault, Proxy},
    tls::Authority,
};
use ::api::{
    metrics::Metrics,
    store::{Created, Store},
};
use sqlx::{ConnectOptions, migrate::Migrate, postgres::PgConnectOptions};
use std::{
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// How many migrations there are.
const MIGRATIONS: usize = 2;

/// What `api migrate` needs to find this database.
fn settings(database: &Database) -> Vec<(&str, &str)> {
    let mut settings = database.settings();
    settings.push(("DB_PASSWORD", postgres::PASSWORD));
    settings
}

fn migrate(settings: &[(&str, &str)]) -> Command {
    let mut migrate = command(settings);
    migrate
        .arg("migrate")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    migrate
}

fn started(settings: &[(&str, &str)]) -> Child {
    migrate(settings).spawn().unwrap()
}

/// Runs it to its end, which must be a success; what it said.
fn succeeds(settings: &[(&str, &str)]) -> String {
    said_by_success(&migrate(settings).output().unwrap())
}

fn said_by_success(output: &Output) -> String {
    let said = said(output);
    assert!(output.status.success(), "{said}");
    said
}

/// Runs it to its end, which must be a failure; what it said.
fn fails(settings: &[(&str, &str)]) -> String {
    let output = migrate(settings).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

fn said(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!("{stdout}{}", String::from_utf8_lossy(&output.stderr))
}

fn applied(said: &str) -> usize {
    said.matches("migration applied").count()
}

/// What there is on the server: the migrations noted as applied, and the objects they make.
fn found(server: &Postgres) -> String {
    let noted = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    let noted = if server.sql(noted) == "t" {
        server.sql("SELECT coalesce(string_agg(version::text, ',' ORDER BY version), '') FROM _sqlx_migrations WHERE success")
    } else {
        String::new()
    };
    let objects = server.sql(
        "SELECT coalesce(string_agg(relname, ',' ORDER BY relname), '') FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace AND relname IN \
         ('items', 'idempotency_keys', 'idempotency_keys_created_at')",
    );
    format!("{noted}: {objects}")
}

#[tokio::test]
async fn eight_at_once_apply_each_migration_once() {
    let server = Postgres::start().await;
    let settings = settings(&server.database);
    let children: Vec<_> = (0..8).map(|_| started(&settings)).collect();
    let said: Vec<_> = children
        .into_iter()
        .map(|child| said_by_success(&child.wait_with_output().unwrap()))
        .collect();
    let total: usize = said.iter().map(|said| applied(said)).sum();
    assert_eq!(total, MIGRATIONS, "{said:#?}");
    assert_eq!(server.sql("SELECT count(*) FROM _sqlx_migrations"), "2");
    let again = succeeds(&settings);
    assert_eq!(applied(&again), 0, "{again}");
    assert!(again.contains("the database is up to date"), "{again}");
}

#[test]
fn eight_at_once_apply_each_migration_of_the_embedded_database_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/api.db");
    let settings = [("DATA_FILE", file.to_str().unwrap())];
    let children: Vec<_> = (0..8).map(|_| started(&settings)).collect();
    let said: Vec<_> = children
        .into_iter()
        .map(|child| said_by_success(&child.wait_with_output().unwrap()))
        .collect();
    let total: usize = said.iter().map(|said| applied(said)).sum();
    assert_eq!(total, MIGRATIONS, "{said:#?}");
    assert!(said.iter().all(|said| said.contains("DB_HOST is not set")));
}

/// The server's replies are cut after every few bytes, from the first to the last, and the process is killed there: what
/// the server was doing is finished or undone, and the next run does the rest.
#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_it_leaves_nothing_half_applied() {
    const STEP: usize = 24;
    let server = Postgres::start().await;
    let mut proxy = Proxy::start(server.database.port.parse().unwrap()).await;
    let direct = settings(&server.database);
    let port = proxy.port().to_string();
    let mut cut: Vec<_> = direct.clone();
    cut.push(("DB_PORT", &port));
    let (mut kills, mut states) = (0, std::collections::BTreeSet::new());
    loop {
        proxy
            .set(Fault::Cut {
                after: kills * STEP,
            })
            .await;
        let before = proxy.accepted();
        let mut child = started(&cut);
        let ended = eventually("it is cut off or done", async || {
            if let Some(status) = child.try_wait().unwrap() {
                return Ok(Some(status));
            }
            if proxy.accepted() > before && proxy.open() == 0 {
                return Ok(None);
            }
            Err("neither".to_owned())
        })
        .await;
        if ended.is_some_and(|status| status.success()) {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let found = found(&server);
        let whole = [
            ": ",
            "1: items",
            "1,2: idempotency_keys,idempotency_keys_created_at,items",
        ];
        assert!(
            whole.contains(&found.as_str()),
            "killed at {kills}: {found}"
        );
        states.insert(found);
        let said = succeeds(&direct);
        assert!(said.contains("the database is up to date"), "{said}");
        server.sql("DROP TABLE items, idempotency_keys, _sqlx_migrations");
    }
    assert_eq!(states.len(), 3, "every state was met: {states:?}");
    assert!(kills > 50, "{kills} are not everywhere");
    figures::tell(
        "migrations",
        &format!("killed at {kills} points, nothing half applied, each next run completed"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_a_server_that_comes_later() {
    let mut server = Postgres::absent();
    let settings = {
        let database = &server.database;
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        settings(database)
            .into_iter()
            .map(owned)
            .collect::<Vec<_>>()
    };
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let child = started(&settings);
    server.bring_up().await;
    let said = said_by_success(&child.wait_with_output().unwrap());
    assert_eq!(applied(&said), MIGRATIONS, "{said}");
}

#[tokio::test]
async fn it_gives_up_in_time_and_says_why() {
    let absent = Postgres::absent();
    let mut settings = settings(&absent.database);
    settings.push(("MIGRATE_TIMEOUT_SECONDS", "1"));
    let begun = Instant::now();
    let said = fails(&settings);
    assert!(
        said.contains("gave up after 1 s") && said.contains("Connection refused"),
        "{said}"
    );
    assert!(!said.contains(postgres::PASSWORD), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_the_lock_no_longer_than_it_may() {
    let server = Postgres::start().await;
    let settings = settings(&server.database);
    succeeds(&settings);
    let port = server.database.port.parse().unwrap();
    let mut other = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("appuser")
        .password(postgres::PASSWORD)
        .database("postgres")
        .connect()
        .await
        .unwrap();
    other.lock().await.unwrap();
    let mut patient = started(&settings);
    let begun = Instant::now();
    let said = fails(&[&settings[..], &[("MIGRATE_TIMEOUT_SECONDS", "1")]].concat());
    assert!(
        said.contains("gave up after 1 s (MIGRATE_TIMEOUT_SECONDS)"),
        "{said}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        said.contains("another migration is still running"),
        "{said}"
    );
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    eventually("only the patient one waits", async || {
        match server.sql(waiting).as_str() {
            "1" => Ok(()),
            waiting => Err(waiting.to_owned()),
        }
    })
    .await;
    assert!(patient.try_wait().unwrap().is_none());
    other.unlock().await.unwrap();
    assert!(patient.wait().unwrap().success());
}

#[tokio::test]
async fn a_requests_statement_timeout_cuts_no_migration() {
    let server = Postgres::start().await;
    server.sql("ALTER ROLE appuser SET statement_timeout = '1ms'");
    // Made slow: every command that defines something takes longer than the role's limit.
    server.sql(
        "SET statement_timeout = 0; CREATE FUNCTION slowly() RETURNS event_trigger LANGUAGE plpgsql \
         AS 'BEGIN PERFORM pg_sleep(0.2); END'; \
         CREATE EVENT TRIGGER slowly ON ddl_command_start EXECUTE FUNCTION slowly()",
    );
    let mut settings = settings(&server.database);
    settings.push(("DB_STATEMENT_TIMEOUT_MS", "1"));
    let said = succeeds(&settings);
    assert_eq!(applied(&said), MIGRATIONS, "{said}");
}

#[tokio::test]
async fn a_newer_releases_database_is_left_as_it_is_and_anothers_refused() {
    let server = Postgres::start().await;
    let settings = settings(&server.database);
    succeeds(&settings);
    server.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of a newer release', true, '', 0)",
    );
    let said = succeeds(&settings);
    assert!(
        said.contains("migrated by a newer release") && said.contains("9999"),
        "{said}"
    );
    server.sql("UPDATE _sqlx_migrations SET success = false WHERE version = 9999");
    let said = fails(&settings);
    assert!(
        said.contains("migration 9999 is marked as failed half-way"),
        "{said}"
    );
    server.sql("DELETE FROM _sqlx_migrations WHERE version = 9999");
    server.sql("UPDATE _sqlx_migrations SET checksum = '' WHERE version = 1");
    let said = fails(&settings);
    assert!(
        said.contains("migration 1 is not the one that was applied"),
        "{said}"
    );
    assert_eq!(server.sql("SELECT count(*) FROM items"), "0");
}

#[tokio::test]
async fn it_takes_its_password_from_a_file_and_verifies_the_server() {
    let authority = Authority::new();
    let server = Postgres::start_with_tls(&authority).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{}\n", postgres::PASSWORD)).unwrap();
    let mut settings = server.database.settings();
    settings.push(("DB_PASSWORD_FILE", file.to_str().unwrap()));
    settings.push(("MIGRATE_TIMEOUT_SECONDS", "1"));
    let stranger = Authority::new();
    for (authority, trusted) in [(&stranger, false), (&authority, true)] {
        let file = authority.write(folder.path());
        let settings = [&settings[..], &[("DB_CA_FILE", file.to_str().unwrap())]].concat();
        if trusted {
            assert_eq!(applied(&succeeds(&settings)), MIGRATIONS);
        } else {
            let said = fails(&settings);
            assert!(said.contains("certificate"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_was_there_before_its_tables_needs_no_restart() {
    let server = Postgres::start().await;
    let settings = settings(&server.database);
    let store = Store::open(&config(&settings), Metrics::new())
        .await
        .unwrap();
    assert!(store.probe().await, "the server is there");
    let error = store
        .create_item(&content("early"), None)
        .await
        .unwrap_err();
    assert!(
        error.is_unprepared() && error.is_unavailable(),
        "{}",
        error.chain()
    );
    let api = Api::start(&settings).await;
    api.until("/health/ready", "the API is ready", |answer| {
        answer.status == 200
    })
    .await;
    api.until("/api/data", "what needs no table works", |answer| {
        answer.status == 200
    })
    .await;
    let early = api.get("/api/items").await;
    assert_eq!(early.status, 503, "{early:?}");
    assert_eq!(early.header("retry-after"), "1");
    assert!(early.body.contains("`api migrate`"), "{early:?}");
    succeeds(&settings);
    let made = store.create_item(&content("in time"), None).await.unwrap();
    assert!(matches!(made, Created::New(_)), "{made:?}");
    api.until("/api/items", "items are listed", |answer| {
        answer.status == 200 && answer.body.contains("in time")
    })
    .await;
    store.close().await;
}
