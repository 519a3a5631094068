//! One outage from before to after, on an API, a Redis and proxies of its own.

use super::{
    Manner, Outage,
    endpoints::{Allowed, ENDPOINTS, Endpoint},
    seeds::Seeds,
};
use crate::{
    api::{Answer, Api, eventually},
    postgres::{self, Database},
    proxy::{Fault, Proxy},
    redis::{self, Redis},
};
use futures::future::join_all;
use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// What the API promises: a second, and what its slowest route may spend on its dependencies.
const IN_TIME: Duration = Duration::from_millis(1000 + 50 + 200 + 900 + 50);
/// What the API promises for the time after.
pub(super) const RECOVERED: Duration = Duration::from_secs(2);
/// For a machine that is busy with other tests; what was measured is told.
const MARGIN: Duration = Duration::from_secs(5);

/// How often each endpoint is asked while the outage lasts.
const ROUNDS: usize = 3;
/// Long enough to flap several times.
const FLAPPING: Duration = Duration::from_secs(3);
/// One period a second.
const HALF_PERIOD: Duration = Duration::from_millis(500);

/// A dependency that is well is given time: a busy machine must not look like an outage of it.
const UNHURRIED_POSTGRES: [(&str, &str); 3] = [
    ("DB_ACQUIRE_TIMEOUT_MS", "10000"),
    ("DB_CONNECT_TIMEOUT_MS", "10000"),
    ("DB_STATEMENT_TIMEOUT_MS", "10000"),
];
const UNHURRIED_REDIS: [(&str, &str); 1] = [("REDIS_TIMEOUT_MS", "10000")];

/// How long something took, and what it was.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Longest {
    pub(super) took: Duration,
    what: String,
}

impl fmt::Display for Longest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms ({})", self.took.as_millis(), self.what)
    }
}

/// What an outage showed.
#[derive(Default)]
pub(super) struct Record {
    pub(super) requests: usize,
    pub(super) slowest: Longest,
    pub(super) latest: Longest,
    pub(super) problems: Vec<String>,
}

pub(super) struct Scenario {
    outage: Outage,
    api: Api,
    seeds: Seeds,
    /// Whether the answer of `/api/data` is in Redis.
    copied: AtomicBool,
    requests: AtomicUsize,
    slowest: Mutex<Longest>,
    problems: Mutex<Vec<String>>,
}

/// The way to both dependencies.
struct Network {
    postgres: Proxy,
    redis: Proxy,
}

impl Network {
    async fn fail(&mut self, outage: Outage, fault: Fault) {
        if outage.takes_postgres() {
            self.postgres.set(fault).await;
        }
        if outage.takes_redis() {
            self.redis.set(fault).await;
        }
    }

    async fn heal(&mut self) {
        self.postgres.heal().await;
        self.redis.heal().await;
    }
}

impl Scenario {
    /// Runs an outage from before to after.
    pub(super) async fn run(outage: Outage, database: &Database) -> Record {
        let redis = Redis::start().await;
        let port = database.port.parse().expect("the testbed says a port");
        let mut network = Network {
            postgres: Proxy::start(port).await,
            redis: Proxy::start(redis.port).await,
        };
        let mut api = start(outage, database, &network).await;
        let seeds = Seeds::sow(&api).await;
        let mut flapping = Vec::new();
        match outage.manner {
            Manner::Steady(_, fault) => network.fail(outage, fault).await,
            Manner::AtStart => {
                drop(api);
                network.fail(outage, Fault::Refuse).await;
                api = start(outage, database, &network).await;
                if !outage.takes_postgres() {
                    let well = |answer: &Answer| answer.status == 200;
                    api.until("/health/ready", "the API is ready", well).await;
                }
            }
            Manner::Flapping => {
                let both = [
                    (outage.takes_postgres(), &network.postgres),
                    (outage.takes_redis(), &network.redis),
                ];
                let taken = both.into_iter().filter(|(taken, _)| *taken);
                flapping.extend(taken.map(|(_, proxy)| proxy.flap(Fault::Refuse, HALF_PERIOD)));
            }
        }
        let scenario = Self {
            outage,
            api,
            seeds,
            copied: AtomicBool::new(true),
            requests: AtomicUsize::new(0),
            slowest: Mutex::default(),
            problems: Mutex::default(),
        };
        scenario.endure(&redis).await;
        drop(flapping);
        let lifted = Instant::now();
        network.heal().await;
        let latest = scenario.recover(lifted).await;
        Record {
            requests: scenario.requests.into_inner(),
            slowest: scenario.slowest.into_inner().unwrap(),
            latest,
            problems: scenario.problems.into_inner().unwrap(),
        }
    }

    /// Asks all endpoints at once, several times.
    async fn endure(&self, redis: &Redis) {
        let started = Instant::now();
        let long_enough = |round| match self.outage.manner {
            Manner::Flapping => started.elapsed() >= FLAPPING,
            _ => round >= ROUNDS,
        };
        let mut round = 0;
        while !long_enough(round) {
            join_all(ENDPOINTS.iter().map(async |endpoint| {
                let allowed = endpoint.allowed(self.outage, self.copied.load(Ordering::Acquire));
                self.ask(endpoint, allowed).await;
            }))
            .await;
            // What is cached was served once; from now on `/api/data` needs the database.
            tokio::task::block_in_place(|| redis.command(&["DEL", "data_cache"]));
            self.no_copy_is_left().await;
            self.copied.store(false, Ordering::Release);
            round += 1;
            if self.outage.manner == Manner::Flapping {
                // Several rounds in each state, rather than as many as the machine can do.
                tokio::time::sleep(HALF_PERIOD / 4).await;
            }
        }
    }

    /// The API is told of the deletion within moments, and a connection that tells nothing ends its copy.
    async fn no_copy_is_left(&self) {
        eventually("the deleted answer is served no more", async || {
            let answer = self.api.get("/api/data").await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            if answer.status == 200 && answer.source() == "cache" {
                Err(format!("{}: {answer:?}", self.outage))
            } else {
                Ok(())
            }
        })
        .await;
    }

    /// Asks each endpoint until it works; which took longest.
    async fn recover(&self, lifted: Instant) -> Longest {
        let recoveries = join_all(ENDPOINTS.iter().map(async |endpoint| {
            loop {
                let well = self.ask(endpoint, Allowed::Either).await;
                let took = lifted.elapsed();
                if well || took > RECOVERED + MARGIN {
                    if !well {
                        let log = self.api.log();
                        let last = log.iter().rev().take(3).collect::<Vec<_>>();
                        self.problem(&format!(
                            "{endpoint} does not work {took:?} after it: {last:#?}"
                        ));
                    }
                    let what = format!("{}, {endpoint}", self.outage);
                    return Longest { took, what };
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }));
        recoveries.await.into_iter().max().unwrap_or_default()
    }

    /// Asks once and judges the answer; whether it was a good one.
    async fn ask(&self, endpoint: &Endpoint, allowed: Allowed) -> bool {
        let answer = self.seeds.ask(&self.api, endpoint).await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (answer, well) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.problem(&format!("{endpoint} got no answer: {error}"));
                return false;
            }
        };
        let longest = Longest {
            took: answer.took,
            what: format!("{}, {endpoint}", self.outage),
        };
        {
            let mut slowest = self.slowest.lock().unwrap();
            *slowest = longest.max(std::mem::take(&mut slowest));
        }
        for wrong in judge(endpoint, allowed, &answer, well) {
            let Answer {
                status, body, took, ..
            } = &answer;
            self.problem(&format!(
                "{endpoint}: {wrong}: {status} after {took:?}: {body}"
            ));
        }
        well
    }

    fn problem(&self, problem: &str) {
        let outage = self.outage;
        self.problems
            .lock()
            .unwrap()
            .push(format!("{outage}: {problem}"));
    }
}

/// What is wrong with an answer.
fn judge(endpoint: &Endpoint, allowed: Allowed, answer: &Answer, well: bool) -> Vec<&'static str> {
    let refusal = matches!(answer.status, 503 | 504);
    let fits = match allowed {
        Allowed::Well => well,
        Allowed::Refusal => refusal,
        Allowed::Either => well || refusal,
    };
    let sets_cookie = answer.headers.contains_key("set-cookie");
    let is_object = serde_json::from_str::<serde_json::Map<_, _>>(&answer.body).is_ok();
    let wrongs = [
        (!fits, "this status is not allowed"),
        (answer.took > IN_TIME + MARGIN, "too late"),
        (
            answer.status == 503 && answer.header("retry-after") != "1",
            "a 503 without Retry-After",
        ),
        (
            refusal && !is_object,
            "a refusal that no program understands",
        ),
        (
            sets_cookie && !(well && endpoint.may_set_cookie()),
            "a cookie that was not asked for",
        ),
    ];
    wrongs
        .into_iter()
        .filter_map(|(wrong, what)| wrong.then_some(what))
        .collect()
}

async fn start(outage: Outage, database: &Database, network: &Network) -> Api {
    let (postgres, redis) = (
        network.postgres.port().to_string(),
        network.redis.port().to_string(),
    );
    let mut settings = database.settings();
    settings.retain(|(name, _)| !matches!(*name, "DB_HOST" | "DB_PORT"));
    settings.extend([
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", &postgres),
        ("DB_PASSWORD", postgres::PASSWORD),
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", &redis),
        ("REDIS_PASSWORD", redis::PASSWORD),
    ]);
    if !outage.takes_postgres() {
        settings.extend(UNHURRIED_POSTGRES);
    }
    if !outage.takes_redis() {
        settings.extend(UNHURRIED_REDIS);
    }
    Api::start(&settings).await
}
