//! A histogram of durations: one atomic per bucket, nothing shared between two requests but a cache line.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// An upper bound: in nanoseconds, as Prometheus' text writes it, and as `OpenMetrics` does (whose numbers have a point).
pub(super) type Bound = (u64, &'static str, &'static str);

/// Requests: the course's 0.1, 0.5, 1, 2 and 5 seconds, and finer ones: a cache hit takes less than a millisecond.
pub(super) const REQUEST_BOUNDS: &[Bound; 13] = &[
    (500_000, "0.0005", "0.0005"),
    (1_000_000, "0.001", "0.001"),
    (2_500_000, "0.0025", "0.0025"),
    (5_000_000, "0.005", "0.005"),
    (10_000_000, "0.01", "0.01"),
    (25_000_000, "0.025", "0.025"),
    (50_000_000, "0.05", "0.05"),
    (100_000_000, "0.1", "0.1"),
    (250_000_000, "0.25", "0.25"),
    (500_000_000, "0.5", "0.5"),
    (1_000_000_000, "1", "1.0"),
    (2_000_000_000, "2", "2.0"),
    (5_000_000_000, "5", "5.0"),
];

/// Getting a connection from the pool: nothing while one is free, and at most the pool's own deadline.
pub(super) const ACQUIRE_BOUNDS: &[Bound; 7] = &[
    (100_000, "0.0001", "0.0001"),
    (1_000_000, "0.001", "0.001"),
    (5_000_000, "0.005", "0.005"),
    (25_000_000, "0.025", "0.025"),
    (100_000_000, "0.1", "0.1"),
    (250_000_000, "0.25", "0.25"),
    (1_000_000_000, "1", "1.0"),
];

/// Counts of durations, by bucket. `N` is the number of bounds.
pub(super) struct Histogram<const N: usize> {
    bounds: &'static [Bound; N],
    buckets: [AtomicU64; N],
    beyond: AtomicU64,
    nanoseconds: AtomicU64,
}

/// A histogram's numbers at one moment.
pub(super) struct Snapshot<const N: usize> {
    /// How many were at most each bound, as the exposition wants them.
    pub(super) cumulative: [u64; N],
    /// How many there were.
    pub(super) count: u64,
    /// Their sum.
    pub(super) nanoseconds: u64,
}

impl<const N: usize> Histogram<N> {
    pub(super) fn new(bounds: &'static [Bound; N]) -> Self {
        Self {
            bounds,
            buckets: [const { AtomicU64::new(0) }; N],
            beyond: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }

    pub(super) fn bounds(&self) -> &'static [Bound; N] {
        self.bounds
    }

    pub(super) fn observe(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let place = self
            .bounds
            .iter()
            .position(|(bound, ..)| nanoseconds <= *bound);
        place
            .and_then(|place| self.buckets.get(place))
            .unwrap_or(&self.beyond)
            .fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// Whether anything was ever counted.
    pub(super) fn used(&self) -> bool {
        self.nanoseconds.load(Relaxed) > 0
    }

    /// The count is the buckets' own sum, so that the two never contradict each other.
    pub(super) fn snapshot(&self) -> Snapshot<N> {
        let mut count = 0;
        let cumulative = std::array::from_fn(|place| {
            count += self
                .buckets
                .get(place)
                .map_or(0, |bucket| bucket.load(Relaxed));
            count
        });
        Snapshot {
            cumulative,
            count: count + self.beyond.load(Relaxed),
            nanoseconds: self.nanoseconds.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_every_bucket_that_holds_it() {
        let histogram = Histogram::new(REQUEST_BOUNDS);
        for milliseconds in [1, 100, 101, 6000] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let snapshot = histogram.snapshot();
        let at_most = |bound: &str| {
            let place = REQUEST_BOUNDS
                .iter()
                .position(|(_, text, _)| *text == bound);
            snapshot.cumulative[place.unwrap()]
        };
        assert_eq!((at_most("0.0005"), at_most("0.001")), (0, 1));
        assert_eq!((at_most("0.1"), at_most("0.25"), at_most("5")), (2, 3, 3));
        assert_eq!((snapshot.count, snapshot.nanoseconds), (4, 6_202_000_000));
    }

    #[test]
    fn bounds_rise_and_say_what_they_are() {
        for bounds in [&REQUEST_BOUNDS[..], &ACQUIRE_BOUNDS[..]] {
            assert!(bounds.is_sorted_by_key(|(bound, ..)| *bound));
            for (bound, text, open_metrics) in bounds {
                let seconds = Duration::from_nanos(*bound).as_secs_f64();
                assert_eq!(text.parse(), Ok(seconds));
                assert_eq!(open_metrics.parse(), Ok(seconds));
                assert!(open_metrics.contains('.'));
            }
        }
    }
}
