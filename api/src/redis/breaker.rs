//! Spares callers the wait for a Redis that does not answer: after some failures in a row calls fail at once, but for
//! one probe a second. Knows the time only from its callers.

use crate::metrics::{BreakerState, Metrics};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// Between two probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Breaker {
    state: Mutex<State>,
    metrics: Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls go through.
    Closed { failures: u32 },
    /// Calls fail, until one may try. A probe that never tells how it ended (its client went away) delays the next by
    /// the interval and no more: nothing has to be given back.
    Open { probe_at: Instant },
}

impl Breaker {
    pub(super) fn new(metrics: Metrics) -> Self {
        metrics.breaker(BreakerState::Closed);
        Self {
            state: Mutex::new(State::Closed { failures: 0 }),
            metrics,
        }
    }

    /// Whether a call may try. If the breaker is open, this call is the probe.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut state = self.state();
        match &mut *state {
            State::Closed { .. } => true,
            State::Open { probe_at } if now >= *probe_at => {
                *probe_at = now + PROBE_INTERVAL;
                self.metrics.breaker(BreakerState::HalfOpen);
                true
            }
            State::Open { .. } => false,
        }
    }

    /// Whether it is open and time for a probe, which is then the caller's to make.
    pub(super) fn wants_a_probe(&self, now: Instant) -> bool {
        let open = matches!(*self.state(), State::Open { .. });
        open && self.admits(now)
    }

    /// Redis answered, be it with an error of its own.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        if matches!(*state, State::Open { .. }) {
            self.metrics.breaker(BreakerState::Closed);
        }
        *state = State::Closed { failures: 0 };
    }

    /// It did not.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.state();
        match &mut *state {
            State::Closed { failures } if *failures + 1 < FAILURES => *failures += 1,
            State::Closed { .. } => {
                let probe_at = now + PROBE_INTERVAL;
                *state = State::Open { probe_at };
                self.metrics.breaker(BreakerState::Open);
            }
            State::Open { .. } => self.metrics.breaker(BreakerState::Open),
        }
    }

    /// Each state is written whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Format;

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::new(Metrics::new());
        for _ in 0..FAILURES {
            assert!(breaker.admits(now));
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_an_answer_starts_the_count_anew() {
        let now = Instant::now();
        let breaker = Breaker::new(Metrics::new());
        for _ in 0..FAILURES - 1 {
            breaker.failed(now);
        }
        breaker.answered();
        for _ in 0..FAILURES - 1 {
            breaker.failed(now);
            assert!(breaker.admits(now));
        }
        breaker.failed(now);
        assert!(!breaker.admits(now));
    }

    #[test]
    fn an_open_breaker_lets_one_call_a_second_try() {
        let now = Instant::now();
        let breaker = opened(now);
        let mut admitted = 0;
        for millisecond in 0..=10_000 {
            if breaker.admits(now + Duration::from_millis(millisecond)) {
                breaker.failed(now + Duration::from_millis(millisecond));
                admitted += 1;
            }
        }
        assert_eq!(admitted, 10);
    }

    #[test]
    fn a_probe_that_never_ends_takes_nothing_with_it() {
        let now = Instant::now();
        let breaker = opened(now);
        let second = Duration::from_secs(1);
        assert!(
            breaker.wants_a_probe(now + second),
            "and nobody tells how it ended"
        );
        assert!(!breaker.admits(now + second));
        assert!(breaker.admits(now + second * 2));
    }

    #[test]
    fn an_answered_probe_closes_it() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(!breaker.wants_a_probe(now));
        assert!(breaker.wants_a_probe(now + PROBE_INTERVAL));
        breaker.answered();
        assert!(breaker.admits(now));
        assert!(
            !breaker.wants_a_probe(now + PROBE_INTERVAL * 2),
            "nothing to probe"
        );
    }

    #[test]
    fn the_state_is_told() {
        let metrics = Metrics::new();
        let now = Instant::now();
        let breaker = Breaker::new(metrics.clone());
        let told = |state: &str| {
            let series = format!(r#"app_breaker_state{{dependency="cache"}} {state}"#);
            let text = metrics.encode(Format::Text);
            assert!(text.contains(&series), "{series} is missing in\n{text}");
        };
        told("0");
        for _ in 0..FAILURES {
            breaker.failed(now);
        }
        told("2");
        assert!(breaker.admits(now + PROBE_INTERVAL));
        told("1");
        breaker.failed(now + PROBE_INTERVAL);
        told("2");
        breaker.answered();
        told("0");
    }
}
