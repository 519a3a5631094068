//! The arithmetic: order statistics, and nothing cleverer.

use std::time::Duration;

/// The middle of the values; of two middles, their mean. NaN when there are none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// The smallest and the largest value.
pub(crate) fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        })
}

/// The smallest of the sorted latencies that at least the share `quantile` of them does not exceed (nearest rank: always a
/// latency that was measured, never one in between).
pub(crate) fn percentile(sorted: &[Duration], quantile: f64) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hundred thousand samples at most, and a share between 0 and 1"
    )]
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// Megabytes of a million bytes.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_between_the_two_middles() {
        assert!((median(&[9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!((median(&[9.0, 1.0, 5.0, 6.0]) - 5.5).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let sorted: Vec<_> = (1..=1000).map(Duration::from_micros).collect();
        for (quantile, micros) in [(0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000), (0.0, 1)] {
            assert_eq!(
                percentile(&sorted, quantile),
                Duration::from_micros(micros),
                "{quantile}"
            );
        }
        // With too few samples the tail is the slowest one, not something faster.
        assert_eq!(percentile(&sorted[..10], 0.999), Duration::from_micros(10));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn a_range_holds_every_value() {
        let (low, high) = range(&[3.0, 1.0, 2.0]);
        assert!((low - 1.0).abs() < f64::EPSILON && (high - 3.0).abs() < f64::EPSILON);
    }
}
