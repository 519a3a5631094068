//! Whether a copy of what Redis said is still what Redis would say.
//!
//! The server tells the connection that read a key when the key changes (`CLIENT TRACKING`). Two things make a copy
//! good: nobody told of its key since *before* it was asked for, and the connection has been heard a moment ago. Both are
//! looked at when the copy is used, so that nothing has to be found and removed for it to be gone.
//!
//! **Invariant:** the server's messages are handled in the order in which they came, before the answers that follow them.

use crate::metrics::Metrics;
use ::redis::{PushInfo, PushKind, Value};
use foldhash::fast::FixedState;
use std::{
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A message about a key ends the copies of every key of its place. More than enough places for the keys we copy.
const PLACES: usize = 256;

/// What the connection's messages have said so far.
pub struct Tracking {
    /// Time is counted from here.
    origin: Instant,
    /// Copies are good until then, in nanoseconds since the origin. 0: no copy is.
    lease: AtomicU64,
    /// For each place, how often something was said about it.
    generations: Box<[AtomicU64]>,
    metrics: Metrics,
}

/// A moment in the history of a key: what was read after it is good while nothing was said since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    place: usize,
    generation: u64,
}

impl Tracking {
    pub(super) fn new(metrics: Metrics) -> Self {
        metrics.cache_tracking(false);
        Self {
            origin: Instant::now(),
            lease: AtomicU64::new(0),
            generations: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            metrics,
        }
    }

    /// How many places there are: [`Self::place`] is less.
    pub fn places(&self) -> usize {
        self.generations.len()
    }

    /// Where a key belongs. Any hash will do: keys are names of our own, and a place that is shared costs a miss.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the remainder is less than the number of places"
    )]
    pub fn place(&self, key: &[u8]) -> usize {
        (FixedState::default().hash_one(key) % PLACES as u64) as usize
    }

    /// To be taken before a key is read. `None` while the server tells nothing: what is read then must not be kept.
    pub fn stamp(&self, place: usize) -> Option<Stamp> {
        let generation = self.generation(place)?;
        self.is_heard(Instant::now())
            .then_some(Stamp { place, generation })
    }

    /// Whether what was read after `stamp` is still good.
    pub fn is_good(&self, stamp: Stamp, now: Instant) -> bool {
        self.is_heard(now) && self.generation(stamp.place) == Some(stamp.generation)
    }

    fn generation(&self, place: usize) -> Option<u64> {
        Some(self.generations.get(place)?.load(Ordering::Acquire))
    }

    fn is_heard(&self, now: Instant) -> bool {
        self.since_origin(now) < self.lease.load(Ordering::Acquire)
    }

    /// The connection was heard: all that the server had to say before `asked` has come.
    pub(super) fn heard(&self, asked: Instant, lease: Duration) {
        self.lease
            .store(self.since_origin(asked + lease), Ordering::Release);
        self.metrics.cache_tracking(true);
    }

    /// The connection is gone, or does not tell: nothing that was read is good any more.
    pub(super) fn lost(&self) {
        self.lease.store(0, Ordering::Release);
        self.forget_all();
        self.metrics.cache_tracking(false);
    }

    /// Handles a message of the server. Called by the task that reads the connection, before it hands on what follows.
    pub(super) fn told(&self, message: &PushInfo) {
        match (&message.kind, message.data.as_slice()) {
            (PushKind::Invalidate, [Value::Array(keys)]) => {
                for key in keys {
                    match key {
                        Value::BulkString(key) => self.forget(key),
                        // No key is written otherwise; what is not understood might be about anything.
                        _ => self.forget_all(),
                    }
                }
            }
            // Nil is `FLUSHALL`.
            (PushKind::Invalidate, _) => self.forget_all(),
            (PushKind::Disconnection, _) => self.lost(),
            _ => {}
        }
    }

    fn forget(&self, key: &[u8]) {
        if let Some(generation) = self.generations.get(self.place(key)) {
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn forget_all(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn since_origin(&self, moment: Instant) -> u64 {
        u64::try_from(moment.duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What the connection's reading task calls for each message.
pub(super) fn listener(
    tracking: Arc<Tracking>,
) -> impl Fn(PushInfo) -> Result<(), ::redis::aio::SendError> + Send + Sync + 'static {
    move |message| {
        tracking.told(&message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(500);

    fn told(tracking: &Tracking, keys: Value) {
        tracking.told(&PushInfo {
            kind: PushKind::Invalidate,
            data: vec![keys],
        });
    }

    fn keys(keys: &[&str]) -> Value {
        let key = |key: &&str| Value::BulkString(key.as_bytes().to_vec());
        Value::Array(keys.iter().map(key).collect())
    }

    /// Two keys of different places, each with a stamp.
    fn heard() -> (Tracking, Instant, Stamp, Stamp) {
        let tracking = Tracking::new(Metrics::new());
        let now = Instant::now();
        tracking.heard(now, LEASE);
        let one = tracking.place(b"one");
        let stamp = |place| tracking.stamp(place).expect("it was heard just now");
        let (one, two) = (stamp(one), stamp((one + 1) % tracking.places()));
        (tracking, now, one, two)
    }

    #[test]
    fn nothing_is_good_before_the_connection_is_heard_and_after_its_lease() {
        let tracking = Tracking::new(Metrics::new());
        assert_eq!(tracking.stamp(0), None);
        let (tracking, now, one, _) = heard();
        assert!(tracking.is_good(one, now));
        assert!(tracking.is_good(one, now + LEASE / 2));
        assert!(!tracking.is_good(one, now + LEASE));
        tracking.heard(now + LEASE, LEASE);
        assert!(
            tracking.is_good(one, now + LEASE),
            "nothing was said meanwhile"
        );
    }

    #[test]
    fn a_message_ends_what_was_read_of_its_keys_only() {
        let (tracking, now, one, two) = heard();
        told(&tracking, keys(&["one"]));
        assert!(!tracking.is_good(one, now));
        assert!(tracking.is_good(two, now));
        let later = tracking.stamp(tracking.place(b"one")).unwrap();
        assert!(
            tracking.is_good(later, now),
            "what is read afterwards is good"
        );
    }

    #[test]
    fn a_flush_or_a_message_that_is_not_understood_ends_everything() {
        for message in [Value::Nil, Value::Array(vec![Value::Int(1)]), Value::Int(7)] {
            let (tracking, now, one, two) = heard();
            told(&tracking, message);
            assert!(!tracking.is_good(one, now) && !tracking.is_good(two, now));
        }
    }

    #[test]
    fn a_lost_connection_ends_everything_for_good() {
        let (tracking, now, one, two) = heard();
        tracking.told(&PushInfo {
            kind: PushKind::Disconnection,
            data: Vec::new(),
        });
        assert_eq!(tracking.stamp(0), None);
        tracking.heard(now, LEASE);
        assert!(!tracking.is_good(one, now) && !tracking.is_good(two, now));
    }
}
