//! The outage matrix: every way a dependency can fail, on every endpoint. While it lasts, each request is answered in time
//! and with what the endpoint promises; when it is over, each endpoint works again by itself.

mod endpoints;
mod scenario;
mod seeds;

use crate::{api::Api, figures, postgres::Postgres, proxy::Fault};
use endpoints::ENDPOINTS;
use futures::{StreamExt, stream};
use scenario::{RECOVERED, Record, Scenario};
use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

/// Scenarios at once: they wait more than they work.
const PARALLEL: usize = 4;

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Postgres,
    Redis,
    Both,
}

/// How it is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// From a running API, until it is lifted.
    Steady(&'static str, Fault),
    /// Refused since before the API was started.
    AtStart,
    /// Refused every other half second.
    Flapping,
}

const MANNERS: [Manner; 8] = [
    Manner::Steady("refuse", Fault::Refuse),
    Manner::Steady("reset", Fault::Reset),
    Manner::Steady("hang", Fault::Hang),
    Manner::Steady("half-open", Fault::HalfOpen),
    Manner::Steady("slow", SLOW),
    // The shortest reply of either protocol is longer.
    Manner::Steady("cut mid-reply", Fault::Cut { after: 2 }),
    Manner::AtStart,
    Manner::Flapping,
];

const SLOW: Fault = Fault::Slow {
    delay: Duration::from_millis(100),
    bytes_per_second: 1000,
};

/// One outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    victim: Victim,
    manner: Manner,
}

impl Outage {
    fn all() -> Vec<Self> {
        let each = |victim| MANNERS.map(|manner| Self { victim, manner });
        [Victim::Postgres, Victim::Redis, Victim::Both]
            .map(each)
            .concat()
    }

    fn takes_postgres(self) -> bool {
        self.victim != Victim::Redis
    }

    fn takes_redis(self) -> bool {
        self.victim != Victim::Postgres
    }

    /// Nothing gets through while it lasts.
    fn is_total(self) -> bool {
        !matches!(self.manner, Manner::Flapping | Manner::Steady(_, SLOW))
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manner = match self.manner {
            Manner::Steady(name, _) => name,
            Manner::AtStart => "away at start",
            Manner::Flapping => "flapping",
        };
        write!(f, "{:?} {manner}", self.victim)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_answers_in_time_through_every_outage_and_works_again_after_it() {
    let started = Instant::now();
    let postgres = Postgres::start_with_cheap_passwords().await;
    postgres.database.migrate();
    let records: Vec<Record> = stream::iter(Outage::all())
        .map(|outage| Scenario::run(outage, &postgres.database))
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    let cases = records.len() * ENDPOINTS.len();
    let requests: usize = records.iter().map(|record| record.requests).sum();
    let slowest = records.iter().map(|record| &record.slowest).max().unwrap();
    let mut recoveries: Vec<_> = records.iter().map(|record| &record.latest).collect();
    recoveries.sort();
    let (median, latest) = (recoveries[recoveries.len() / 2], recoveries.last().unwrap());
    let problems: Vec<_> = records.iter().flat_map(|record| &record.problems).collect();
    figures::tell(
        "outage matrix",
        &format!(
            "{cases} cases ({} outages x {} endpoints), {requests} requests, {} wrong answers; slowest answer {slowest}; \
             recovery of the last endpoint: median {} ms, longest {latest}; {} s",
            records.len(),
            ENDPOINTS.len(),
            problems.len(),
            median.took.as_millis(),
            started.elapsed().as_secs()
        ),
    );
    assert!(
        problems.is_empty(),
        "{} problems, the first of them: {:#?}",
        problems.len(),
        problems.iter().take(50).collect::<Vec<_>>()
    );
    assert!(
        median.took <= RECOVERED,
        "most outages were followed by {median} of trouble"
    );
}

#[tokio::test]
async fn the_matrix_knows_every_endpoint() {
    let api = Api::start(&[]).await;
    let document = api.get("/openapi.json").await.json();
    let published: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().keys();
            operations
                .filter(|name| *name != "parameters")
                .map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let known: BTreeSet<_> = ENDPOINTS
        .iter()
        .map(|endpoint| (endpoint.method.to_owned(), endpoint.path.to_owned()))
        .collect();
    assert_eq!(known, published);
}
