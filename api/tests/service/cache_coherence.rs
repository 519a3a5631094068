//! Copies in the processes: whatever changes in Redis ends them at once, and what cannot be known to be true is not told.

use crate::{
    api::{Answer, eventually},
    figures::tell,
    proxy::Fault,
    replicas::{RULES, Replicas, TRACKING, USER},
};
use std::time::{Duration, Instant};

/// A busy machine must not turn a hit into a miss where that is not the subject.
const UNHURRIED: (&str, &str) = ("REDIS_TIMEOUT_MS", "5000");
/// What is promised is 100 ms. What is asserted leaves room for a machine that does something else meanwhile.
const BOUND: Duration = Duration::from_secs(1);
/// The lease of a copy without a word from Redis is half of this.
const LEASE_BOUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 8;

fn from_database(answer: &Answer) -> bool {
    answer.source() == "database"
}

fn percentile(sorted: &[Duration], part: f64) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a position among some hundred"
    )]
    let position = ((sorted.len() - 1) as f64 * part).round() as usize;
    sorted[position]
}

#[tokio::test]
async fn a_change_by_redis_cli_is_seen_by_every_process_at_once() {
    let mut replicas = Replicas::start(2, &[UNHURRIED]).await;
    let changes: [&[&str]; 9] = [
        &["DEL", "data_cache"],
        &["UNLINK", "data_cache"],
        &["FLUSHALL"],
        &["FLUSHDB", "ASYNC"],
        &["SET", "data_cache", "another"],
        &["SET", "data_cache", "shorter", "PX", "30"],
        &["APPEND", "data_cache", " and more"],
        &["PEXPIRE", "data_cache", "1"],
        &["RENAME", "data_cache", "elsewhere"],
    ];
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        for change in changes {
            for replica in 0..2 {
                replicas.warm(replica).await;
            }
            replicas.redis.command(change);
            for replica in 0..2 {
                took.push(replicas.true_within(replica, BOUND).await.unwrap().1);
            }
            // Once the truth is told, nothing else is.
            for _ in 0..5 {
                for replica in 0..2 {
                    replicas.ask(replica).await.unwrap_or_else(|lie| {
                        panic!("after {change:?} replica {replica} went back to {lie}")
                    });
                }
            }
        }
    }
    took.sort();
    let (half, most) = (percentile(&took, 0.5), percentile(&took, 0.99));
    tell(
        "cache coherence",
        &format!(
            "{} changes by redis-cli seen by 2 processes, median {half:.1?}, p99 {most:.1?}, worst {:.1?}",
            took.len() / 2,
            percentile(&took, 1.0)
        ),
    );
}

#[tokio::test]
async fn a_copy_does_not_outlive_what_redis_says_is_left() {
    let mut replicas = Replicas::start(1, &[UNHURRIED]).await;
    for _ in 0..ROUNDS {
        replicas
            .run::<()>(&["SET", "data_cache", "short", "PX", "300"])
            .await;
        replicas.warm(0).await;
        // Redis deletes an expired key when it is touched, or some time later: nobody touches it here but the clock.
        let left: i64 = replicas.run(&["PTTL", "data_cache"]).await;
        let end = Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or(0) + 1);
        eventually("its time is over", async || {
            let asked = Instant::now();
            let answer = replicas.apis[0].get("/api/data").await;
            match (answer.source().as_str(), asked > end) {
                ("database", _) => Ok(()),
                (source, true) => panic!("{source} told {} after its time", answer.body),
                (_, false) => Err("not yet".to_owned()),
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_connection_that_went_mute_ends_the_copies_within_their_lease() {
    for fault in [Fault::Hang, Fault::HalfOpen] {
        let mut replicas = Replicas::start(2, &[]).await;
        replicas.run::<()>(&["SET", "data_cache", "old"]).await;
        for replica in 0..2 {
            replicas.warm(replica).await;
        }
        replicas.proxies[0].set(fault).await;
        replicas.run::<()>(&["SET", "data_cache", "new"]).await;
        let (_, took) = replicas.true_within(0, LEASE_BOUND).await.unwrap();
        replicas.true_within(1, BOUND).await.unwrap();
        for _ in 0..50 {
            assert!(
                from_database(&replicas.apis[0].get("/api/data").await),
                "{fault:?}"
            );
        }
        eventually("the loss is told", async || {
            match replicas.apis[0].metric(TRACKING).await {
                0.0 => Ok(()),
                other => Err(format!("{other}")),
            }
        })
        .await;
        replicas.proxies[0].heal().await;
        let back = replicas.until_tracking().await;
        replicas.warm(0).await;
        replicas.ask(0).await.unwrap();
        tell(
            "cache behind a mute connection",
            &format!(
                "{fault:?}: copy gone after {took:.0?}, in use again {back:.0?} after the return"
            ),
        );
    }
}

#[tokio::test]
async fn a_lost_connection_ends_the_copies_at_once() {
    let mut replicas = Replicas::start(1, &[]).await;
    for fault in [Fault::Refuse, Fault::Reset] {
        replicas.run::<()>(&["SET", "data_cache", "old"]).await;
        replicas.warm(0).await;
        replicas.proxies[0].set(fault).await;
        replicas.run::<()>(&["SET", "data_cache", "new"]).await;
        replicas.true_within(0, BOUND).await.unwrap();
        for _ in 0..50 {
            assert!(
                from_database(&replicas.apis[0].get("/api/data").await),
                "{fault:?}"
            );
        }
        replicas.proxies[0].heal().await;
        replicas.until_tracking().await;
    }
}

#[tokio::test]
async fn without_the_right_to_be_told_there_is_no_copy() {
    for forbidden in ["-client|tracking", "-client|caching", "-pttl"] {
        let mut replicas = Replicas::start(1, &[UNHURRIED]).await;
        replicas
            .run::<()>(&["ACL", "SETUSER", USER, forbidden])
            .await;
        replicas.run::<i64>(&["CLIENT", "KILL", "USER", USER]).await;
        for value in ["one", "two", "three"] {
            replicas.run::<()>(&["SET", "data_cache", value]).await;
            // The connection may be on its way back: until then there is no other answer than the database's.
            eventually("Redis is read", async || match replicas.ask(0).await {
                Ok(told) if told == value => Ok(()),
                Ok(other) => {
                    replicas.run::<()>(&["SET", "data_cache", value]).await;
                    Err(other)
                }
                Err(lie) => panic!("{lie} without {forbidden}"),
            })
            .await;
            for _ in 0..10 {
                assert_eq!(replicas.ask(0).await, Ok(value.to_owned()), "{forbidden}");
            }
        }
        let copies = replicas.apis[0]
            .metric(r#"app_cache_hits_total{level="memory"}"#)
            .await;
        assert_eq!(copies, 0.0, "{forbidden}");
    }
}

#[tokio::test]
async fn the_rights_that_both_runtimes_give_are_enough() {
    let replicas = Replicas::start(1, &[UNHURRIED]).await;
    replicas.warm(0).await;
    let refused = replicas.apis[0]
        .metric(r#"app_dependency_errors_total{dependency="cache",kind="refused"}"#)
        .await;
    assert_eq!(refused, 0.0, "{RULES:?}");
    let log = replicas.redis.command(&["ACL", "LOG"]);
    assert_eq!(log, "", "Redis refused something");
}
