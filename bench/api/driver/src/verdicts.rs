//! The promises, and whether this run kept them. Ratios are taken within a round and the median over the rounds counts.

use crate::{
    peers::Peer,
    rounds::Measured,
    scenario::Scenario,
    statistics::{median, range},
};

/// How many times more CPU than the floor a request may take.
const OVER_THE_FLOOR: f64 = 1.4;
/// Megabytes in memory at rest, at most.
const AT_REST: f64 = 20.0;
/// Milliseconds from exec to the first answer, at most.
const FIRST_ANSWER: f64 = 100.0;

/// A promise and what was found.
pub(crate) struct Verdict {
    /// What was promised, in words.
    pub(crate) promise: String,
    /// What was found: the figure that counts, and its range over the rounds.
    pub(crate) found: String,
    /// Whether it was kept.
    pub(crate) kept: bool,
}

/// Every promise.
pub(crate) fn verdicts(measured: &Measured) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for scenario in [Scenario::Health, Scenario::Cached] {
        verdicts.push(at_most_the_floor(measured, scenario));
    }
    for (scenario, times) in [
        (Scenario::Health, 12.0),
        (Scenario::Cached, 12.0),
        (Scenario::Miss, 3.5),
        (Scenario::Metrics, 50.0),
    ] {
        verdicts.push(below_express(measured, scenario, times));
    }
    let ours = || measured.lives.iter().filter(|life| life.peer == Peer::Ours);
    let at_rest: Vec<f64> = ours().map(|life| life.at_rest).collect();
    verdicts.push(at_most("memory at rest", AT_REST, "MB", &at_rest));
    let first: Vec<f64> = ours().map(|life| life.first_answer).collect();
    verdicts.push(at_most("first 200 after exec", FIRST_ANSWER, "ms", &first));
    verdicts
}

fn at_most_the_floor(measured: &Measured, scenario: Scenario) -> Verdict {
    let ratios = measured.ratios((Peer::Ours, scenario), (Peer::Floor, scenario));
    Verdict {
        promise: format!(
            "{}: CPU at most {OVER_THE_FLOOR} times the floor's",
            scenario.name()
        ),
        found: format!("{} times", spread(&ratios, 2)),
        kept: median(&ratios) <= OVER_THE_FLOOR,
    }
}

fn below_express(measured: &Measured, scenario: Scenario, times: f64) -> Verdict {
    let ratios = measured.ratios((Peer::Express, scenario), (Peer::Ours, scenario));
    Verdict {
        promise: format!(
            "{}: Express takes at least {times} times our CPU",
            scenario.name()
        ),
        found: format!("{} times", spread(&ratios, 1)),
        kept: median(&ratios) >= times,
    }
}

/// Memory and start are promised for every round: the worst one counts.
fn at_most(what: &str, limit: f64, unit: &str, values: &[f64]) -> Verdict {
    let (_, worst) = range(values);
    Verdict {
        promise: format!("{what}: at most {limit} {unit}, in every round"),
        found: format!("{worst:.1} {unit}"),
        kept: worst <= limit,
    }
}

impl Measured {
    /// CPU a request of one over that of the other, for each round.
    pub(crate) fn ratios(&self, one: (Peer, Scenario), other: (Peer, Scenario)) -> Vec<f64> {
        let (one, other) = (self.cpu(one), self.cpu(other));
        one.iter()
            .zip(&other)
            .map(|(one, other)| one / other)
            .collect()
    }

    /// CPU a request, for each round.
    pub(crate) fn cpu(&self, (peer, scenario): (Peer, Scenario)) -> Vec<f64> {
        self.of(peer, scenario).map(|sample| sample.cpu).collect()
    }
}

/// `median (smallest-largest)`.
pub(crate) fn spread(values: &[f64], digits: usize) -> String {
    let (low, high) = range(values);
    format!(
        "{:.digits$} ({low:.digits$}-{high:.digits$})",
        median(values)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::{Life, Sample};

    /// Three rounds on a machine that was slow in the second: every cost doubles, no ratio moves.
    fn measured(ours: f64) -> Measured {
        let mut measured = Measured::default();
        for (round, noise) in [(1, 1.0), (2, 2.0), (3, 1.0)] {
            for (peer, scenario, cpu) in [
                (Peer::Floor, Scenario::Health, 7.0),
                (Peer::Floor, Scenario::Cached, 7.0),
                (Peer::Ours, Scenario::Health, ours),
                (Peer::Ours, Scenario::Cached, ours),
                (Peer::Ours, Scenario::Miss, 50.0),
                (Peer::Ours, Scenario::Metrics, 12.0),
                (Peer::Express, Scenario::Health, 140.0),
                (Peer::Express, Scenario::Cached, 120.0),
                (Peer::Express, Scenario::Miss, 190.0),
                (Peer::Express, Scenario::Metrics, 990.0),
            ] {
                measured.samples.push(Sample {
                    round,
                    peer,
                    scenario,
                    cpu: cpu * noise,
                    per_second: 0.0,
                    latencies: Vec::new(),
                });
            }
            measured.lives.push(Life {
                round,
                peer: Peer::Ours,
                first_answer: 20.0 * noise,
                at_rest: 8.0,
                peak: 12.0,
            });
        }
        measured
    }

    #[test]
    fn a_slow_round_changes_no_verdict() {
        for verdict in verdicts(&measured(9.0)) {
            assert!(verdict.kept, "{}: {}", verdict.promise, verdict.found);
        }
    }

    #[test]
    fn a_promise_that_was_not_kept_is_told() {
        let broken: Vec<_> = verdicts(&measured(10.5))
            .into_iter()
            .filter(|verdict| !verdict.kept)
            .map(|verdict| verdict.promise)
            .collect();
        assert_eq!(
            broken,
            [
                "/health: CPU at most 1.4 times the floor's",
                "/api/data, cached: CPU at most 1.4 times the floor's",
                "/api/data, cached: Express takes at least 12 times our CPU",
            ]
        );
    }
}
