//! Keeps the connection: makes it, listens to its heart, lets go of it and makes the next.

use super::{
    RedisError,
    breaker::Breaker,
    connector::{Connection, Connector},
    refusal,
    tracking::{Tracking, listener},
};
use crate::health::Dependency;
use ::redis::{Value, aio::MultiplexedConnection, cmd};
use arc_swap::ArcSwapOption;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// How long connecting and greeting may take together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// Between two attempts: from the first to the second. With a last attempt that hangs, Redis is in use again two seconds
/// after its return at the latest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// A connection that lived as long had a reason to end that has nothing to do with the last one's.
const STEADY: Duration = Duration::from_secs(5);
/// Between two beats of the heart.
const BEAT: Duration = Duration::from_millis(250);
/// A connection silent for this long is hung up. Copies are good for as long after the last beat that was answered.
const SILENCE: Duration = Duration::from_millis(500);

/// What callers and the keeping task share.
pub(super) struct Link {
    pub(super) dependency: Dependency,
    pub(super) breaker: Breaker,
    pub(super) tracking: Arc<Tracking>,
    /// What a call may take, and so what a probe may take.
    deadline: Duration,
    live: ArcSwapOption<Live>,
}

/// A connection that was greeted.
pub(super) struct Live {
    connection: MultiplexedConnection,
    unwanted: CancellationToken,
}

impl Live {
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Some refusals are about the connection rather than the command: another one, with the password and the address
    /// as they are then, may fare better.
    pub(super) fn refused(&self, refusal: &RedisError) {
        if let Some("NOAUTH" | "WRONGPASS" | "READONLY") = refusal.code() {
            self.unwanted.cancel();
        }
    }

    /// The same for one of several answers.
    pub(super) fn heard(&self, answer: &Value) {
        if let Value::ServerError(error) = answer {
            self.refused(&error.clone().into());
        }
    }
}

impl Link {
    pub(super) fn new(
        dependency: Dependency,
        breaker: Breaker,
        tracking: Arc<Tracking>,
        deadline: Duration,
    ) -> Self {
        Self {
            dependency,
            breaker,
            tracking,
            deadline,
            live: ArcSwapOption::empty(),
        }
    }

    /// The connection, if there is one.
    pub(super) fn live(&self) -> Option<Arc<Live>> {
        self.live.load_full()
    }

    /// Opens a connection and asks it to tell of changes. Whether it will is the second part.
    async fn open(&self, connector: &Connector) -> Result<(Connected, bool), String> {
        let (connection, driver): Connection = connector
            .connect(listener(Arc::clone(&self.tracking)))
            .await
            .map_err(|error| error.to_string())?;
        let connected = Connected {
            connection,
            driver: AbortOnDropHandle::new(tokio::spawn(driver)),
        };
        let mut track = cmd("CLIENT");
        // Only what is asked for, key by key: sessions are read here too, and change with every request.
        track.arg("TRACKING").arg("ON").arg("OPTIN");
        let told = track
            .query_async::<Value>(&mut connected.connection.clone())
            .await;
        match told {
            Ok(_) => Ok((connected, true)),
            Err(error) => match refusal(&error) {
                Some(refusal) => {
                    tracing::info!(%refusal, "Redis tells of no changes: no copies in this process");
                    Ok((connected, false))
                }
                None => Err(error.to_string()),
            },
        }
    }

    /// A connection's life, from the attempt to make it to the cause of its end.
    async fn live_once(&self, connector: &Connector) -> String {
        let (connected, tracked) = match timeout(CONNECT_DEADLINE, self.open(connector)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(cause)) => return cause,
            Err(_) => return format!("no greeting within {} ms", CONNECT_DEADLINE.as_millis()),
        };
        let Connected {
            connection,
            mut driver,
        } = connected;
        let unwanted = CancellationToken::new();
        self.breaker.answered();
        self.dependency.up();
        self.live.store(Some(Arc::new(Live {
            connection: connection.clone(),
            unwanted: unwanted.clone(),
        })));
        let cause = tokio::select! {
            _ = &mut driver => "the connection was closed".to_owned(),
            cause = self.listen(connection, tracked) => cause,
            () = unwanted.cancelled() => "the server no longer serves this connection".to_owned(),
        };
        self.cut();
        // Its last messages must not be taken for the next one's.
        if !driver.is_finished() {
            driver.abort();
            _ = driver.await;
        }
        cause
    }

    /// Beats until one is not answered; the cause.
    async fn listen(&self, mut connection: MultiplexedConnection, tracked: bool) -> String {
        let ping = cmd("PING");
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let asked = Instant::now();
            let probing = self.breaker.wants_a_probe(asked);
            match timeout(SILENCE, ping.query_async::<Value>(&mut connection)).await {
                Ok(Ok(_)) => {}
                // An answer as well: this user may not beat.
                Ok(Err(error)) if refusal(&error).is_some() => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return format!("no answer within {} ms", SILENCE.as_millis()),
            }
            if tracked {
                self.tracking.heard(asked, SILENCE);
            }
            if probing && asked.elapsed() <= self.deadline {
                self.breaker.answered();
            } else if probing {
                self.breaker.failed(Instant::now());
            }
        }
    }

    /// No connection, and no copy, from now on.
    fn cut(&self) {
        self.live.store(None);
        self.tracking.lost();
    }
}

struct Connected {
    connection: MultiplexedConnection,
    driver: AbortOnDropHandle<()>,
}

/// Keeps a connection until `stop`.
pub(super) async fn keep(link: Arc<Link>, connector: Connector, stop: CancellationToken) {
    let attempts = async {
        let mut backoff = BACKOFF.0;
        loop {
            let started = Instant::now();
            let cause = link.live_once(&connector).await;
            link.dependency.down(&cause);
            if started.elapsed() > STEADY {
                backoff = BACKOFF.0;
            }
            sleep(with_jitter(backoff)).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = attempts => {}
    }
    link.cut();
}

/// Between half of it and all of it, so that the replicas of a stack do not come back as one.
fn with_jitter(pause: Duration) -> Duration {
    // Without randomness there is no jitter, which is no reason not to connect.
    let random = getrandom::u32().unwrap_or(u32::MAX);
    pause / 2 + (pause / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}
