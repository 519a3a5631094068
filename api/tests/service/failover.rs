//! Postgres stops taking writes, is replaced by another server, is killed and comes back: reads go on where they can,
//! writes are back within two seconds, and nobody restarts anything.

use crate::{
    api::{Api, eventually},
    figures,
    items_store::{config, content},
    postgres::{self, Postgres},
    proxy::{Fault, Proxy},
};
use ::api::{
    app::App,
    config::{Config, Variables},
    health::Condition,
    store::{Created, StoreError, migrate},
};
use std::time::{Duration, Instant};

/// What the API promises.
const RECOVERY: Duration = Duration::from_secs(2);

/// A busy machine takes its time to open a connection; no read fails for that here.
const UNHURRIED: (&str, &str) = ("DB_ACQUIRE_TIMEOUT_MS", "1000");

fn settings(server: &Postgres) -> Vec<(&str, &str)> {
    let mut settings = server.database.settings();
    settings.push(("DB_PASSWORD", postgres::PASSWORD));
    settings.push(UNHURRIED);
    settings
}

/// The API's parts, running in this process.
async fn start(settings: &[(&str, &str)]) -> App {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: Variables = settings.iter().map(owned).collect();
    let app = App::start(&Config::parse(&variables).unwrap())
        .await
        .unwrap();
    condition_is(&app, Condition::Up).await;
    app
}

async fn condition_is(app: &App, wanted: Condition) {
    eventually("the condition is known", async || {
        let condition = app.store.condition();
        (condition == wanted)
            .then_some(())
            .ok_or_else(|| format!("{condition:?}"))
    })
    .await;
}

async fn write(app: &App) -> Result<(), StoreError> {
    let made = app.store.create_item(&content("written"), None).await?;
    assert!(matches!(made, Created::New(_)), "{made:?}");
    Ok(())
}

/// Writes until it works; how long that took. Every refusal on the way is one that a client should retry.
async fn until_written(app: &App) -> Duration {
    let started = Instant::now();
    eventually("writes are back", async || {
        let asked = Instant::now();
        write(app).await.map_err(|error| {
            assert!(error.is_unavailable(), "{}", error.chain());
            assert!(asked.elapsed() < RECOVERY, "{:?}", asked.elapsed());
            error.chain()
        })
    })
    .await;
    started.elapsed()
}

/// Writes until they are refused for what the server is.
async fn until_refused(app: &App) {
    eventually("writes are refused", async || match write(app).await {
        Err(error) if error.is_read_only() => Ok(()),
        Err(error) => Err(error.chain()),
        Ok(()) => Err("written".to_owned()),
    })
    .await;
}

async fn reads(app: &App) {
    app.store.items(None, 1).await.unwrap();
    app.store.current_time().await.unwrap();
}

fn set_read_only(server: &Postgres, on: bool) {
    server.sql(&format!(
        "ALTER SYSTEM SET default_transaction_read_only = {on}"
    ));
    server.sql("SELECT pg_reload_conf()");
}

fn within_bounds(what: &str, times: &[Duration]) {
    let worst = times.iter().max().expect("something was measured");
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
    figures::tell(
        what,
        &format!(
            "{} times, writes back after {mean:.0?} on average, {worst:.0?} at worst",
            times.len()
        ),
    );
    assert!(*worst < RECOVERY, "{what}: {times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_read_and_written_again_when_it_does() {
    let server = Postgres::start().await;
    migrate(&config(&settings(&server))).await.unwrap();
    let app = start(&settings(&server)).await;
    let api = Api::start(&settings(&server)).await;
    api.until("/health/ready", "the API is ready", |answer| {
        answer.status == 200
    })
    .await;
    let mut times = Vec::new();
    for _ in 0..10 {
        until_written(&app).await;
        set_read_only(&server, true);
        until_refused(&app).await;
        for _ in 0..20 {
            reads(&app).await;
            let refused = write(&app).await.unwrap_err();
            assert!(
                refused.is_read_only() && refused.is_unavailable(),
                "{}",
                refused.chain()
            );
        }
        assert_eq!(app.store.condition(), Condition::ReadOnly);
        set_read_only(&server, false);
        times.push(until_written(&app).await);
        condition_is(&app, Condition::Up).await;
    }
    within_bounds("server turned read-only and back", &times);
    set_read_only(&server, true);
    let told = |body: &str| body.contains(r#""postgres","status":"read-only""#);
    let ready = api
        .until("/health/ready", "the condition is told", |answer| {
            told(&answer.body)
        })
        .await;
    assert_eq!(ready.status, 200, "reads go on: {ready:?}");
    app.stop().await;
}

/// Sessions keep the setting they began with, as connections to a demoted server stay with it: only new ones can tell.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_refused_a_write_are_not_used_again() {
    let server = Postgres::start().await;
    migrate(&config(&settings(&server))).await.unwrap();
    let app = start(&settings(&server)).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        until_written(&app).await;
        server.sql("ALTER ROLE appuser SET default_transaction_read_only = on");
        server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tpstack-api'",
        );
        until_refused(&app).await;
        reads(&app).await;
        server.sql("SET transaction_read_only = off; ALTER ROLE appuser RESET default_transaction_read_only");
        times.push(until_written(&app).await);
        // Every connection of the pool, not just the one that was lucky.
        let writes = (0..10).map(|_| write(&app));
        for written in futures::future::join_all(writes).await {
            written.unwrap();
        }
    }
    within_bounds("sessions that stay read-only", &times);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_follow_to_the_server_that_was_promoted() {
    let servers = [Postgres::start().await, Postgres::start().await];
    for server in &servers {
        migrate(&config(&settings(server))).await.unwrap();
    }
    set_read_only(&servers[1], true);
    let mut proxy = Proxy::start(servers[0].database.port.parse().unwrap()).await;
    let port = proxy.port().to_string();
    let mut through_proxy = settings(&servers[0]);
    through_proxy.push(("DB_PORT", &port));
    let app = start(&through_proxy).await;
    let (mut times, mut current) = (Vec::new(), 0);
    for round in 0..20 {
        until_written(&app).await;
        let (old, new) = (&servers[current], &servers[1 - current]);
        set_read_only(old, true);
        // Seen as read-only before it is replaced, or replaced before anybody notices.
        if round % 4 < 2 {
            until_refused(&app).await;
        }
        set_read_only(new, false);
        let before = new.sql("SELECT count(*) FROM items");
        proxy.retarget(new.database.port.parse().unwrap()).await;
        times.push(until_written(&app).await);
        assert_ne!(
            new.sql("SELECT count(*) FROM items"),
            before,
            "written to the new one"
        );
        current = 1 - current;
    }
    within_bounds("failover to another server", &times);
    app.stop().await;
}

/// However the way to the server fails: every write is answered in time, and they are back soon after it heals.
#[tokio::test(flavor = "multi_thread")]
async fn writes_are_back_after_every_kind_of_fault() {
    let server = Postgres::start().await;
    migrate(&config(&settings(&server))).await.unwrap();
    let mut proxy = Proxy::start(server.database.port.parse().unwrap()).await;
    let port = proxy.port().to_string();
    let mut through_proxy = settings(&server);
    through_proxy.push(("DB_PORT", &port));
    let app = start(&through_proxy).await;
    let faults = [
        Fault::Refuse,
        Fault::Reset,
        Fault::Hang,
        Fault::HalfOpen,
        Fault::Cut { after: 0 },
        Fault::Slow {
            delay: Duration::from_secs(2),
            bytes_per_second: 1000,
        },
    ];
    let mut times = Vec::new();
    for fault in faults {
        until_written(&app).await;
        proxy.set(fault).await;
        for _ in 0..5 {
            let asked = Instant::now();
            let error = write(&app).await.unwrap_err();
            assert!(error.is_unavailable(), "{fault:?}: {}", error.chain());
            assert!(
                asked.elapsed() < RECOVERY,
                "{fault:?}: {:?}",
                asked.elapsed()
            );
        }
        condition_is(&app, Condition::Down).await;
        proxy.heal().await;
        times.push(until_written(&app).await);
    }
    within_bounds("six kinds of fault", &times);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_written_to_within_two_seconds_of_its_return() {
    let mut server = Postgres::start().await;
    let port = server.database.port.clone();
    let settings = [
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", port.as_str()),
        ("DB_NAME", "postgres"),
        ("DB_USER", "appuser"),
        ("DB_PASSWORD", postgres::PASSWORD),
        UNHURRIED,
    ];
    migrate(&config(&settings)).await.unwrap();
    let app = start(&settings).await;
    let api = Api::start(&settings).await;
    let (mut times, mut alive) = (Vec::new(), 0);
    for _ in 0..5 {
        until_written(&app).await;
        server.kill().await;
        condition_is(&app, Condition::Down).await;
        for _ in 0..10 {
            let error = write(&app).await.unwrap_err();
            assert!(error.is_unavailable(), "{}", error.chain());
            assert_eq!(api.get("/health").await.status, 200);
            alive += 1;
        }
        server.bring_up().await;
        times.push(until_written(&app).await);
        assert_eq!(api.get("/health").await.status, 200);
        alive += 1;
    }
    within_bounds("Postgres killed and restarted", &times);
    figures::tell(
        "/health through the outages",
        &format!("{alive} asked, all 200"),
    );
    app.stop().await;
}
