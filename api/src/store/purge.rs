//! Forgets idempotency keys whose day is over.

use super::{Store, items::Purge};
use chrono::Utc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often keys are purged.
const INTERVAL: Duration = Duration::from_hours(1);
/// How soon a purge that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_mins(1);
/// Replicas that start together do not purge together.
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// Keys forgotten in one statement: few enough to be done well within its deadline.
const BATCH: u32 = 1000;

impl Store {
    /// Purges now and then until `stop`.
    pub async fn keep_purging(self, stop: CancellationToken) {
        let mut pause = part_of(LONGEST_DELAY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => {}
            }
            pause = tokio::select! {
                () = stop.cancelled() => return,
                is_done = self.purge() => if is_done { INTERVAL } else { RETRY_INTERVAL },
            } + part_of(LONGEST_DELAY);
        }
    }

    /// Purges all there is, batch by batch; whether nothing is left. Away, read-only or not migrated yet, a database keeps
    /// its keys until later: their age is asked again when one of them is used.
    async fn purge(&self) -> bool {
        let (now, mut purged) = (Utc::now(), 0);
        let is_done = loop {
            match self.call(Purge { now, batch: BATCH }).await {
                Ok(batch) => {
                    purged += batch;
                    if batch < u64::from(BATCH) {
                        break true;
                    }
                }
                Err(error) => {
                    tracing::debug!(cause = error.chain(), "idempotency keys not purged");
                    break false;
                }
            }
        };
        if purged > 0 {
            tracing::info!(purged, "idempotency keys purged");
        }
        is_done
    }
}

/// A random part of a time; all of it when the system has no randomness.
fn part_of(whole: Duration) -> Duration {
    getrandom::u32().map_or(whole, |random| {
        whole.mul_f64(f64::from(random) / f64::from(u32::MAX))
    })
}
