//! `spec.api.probes`. [pure]

use super::super::{Check, words};
use crate::crd::{ProbeSpec, ProbesSpec};

/// How the API is asked whether it is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probes {
    /// Whether it still works.
    pub liveness: Probe,
    /// Whether it gets requests.
    pub readiness: Probe,
    /// Whether it has started.
    pub startup: Probe,
}

/// One question, asked again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Path of the request.
    pub path: String,
    /// Seconds before the first; `None`: at once.
    pub initial_delay_seconds: Option<i32>,
    /// Seconds between two.
    pub period_seconds: i32,
    /// Seconds within which an answer must come.
    pub timeout_seconds: i32,
    /// How many in a row must fail.
    pub failure_threshold: i32,
}

/// Seconds within which an answer must come unless said otherwise.
const TIMEOUT_SECONDS: i32 = 3;

/// The probes that are asked for, or else those of the app contract.
pub(super) fn probes(spec: Option<&ProbesSpec>, own_image: bool, check: &mut Check) -> Probes {
    let spec = spec.cloned().unwrap_or_default();
    let readiness = if own_image {
        "/health/ready"
    } else {
        "/health"
    };
    let liveness = probe(spec.liveness, "liveness", ("/health", 10, 3), check);
    Probes {
        readiness: probe(spec.readiness, "readiness", (readiness, 2, 3), check),
        // Up to two minutes for a slow first start; the other probes begin afterwards.
        startup: probe(spec.startup, "startup", (&liveness.path, 1, 120), check),
        liveness,
    }
}

/// `otherwise`: path, period and threshold where none are asked for.
fn probe(
    spec: Option<ProbeSpec>,
    name: &str,
    otherwise: (&str, i32, i32),
    check: &mut Check,
) -> Probe {
    let spec = spec.unwrap_or_default();
    let (path, period_seconds, failure_threshold) = otherwise;
    let probe = Probe {
        path: spec.path.unwrap_or_else(|| path.to_owned()),
        initial_delay_seconds: spec.initial_delay_seconds,
        period_seconds: spec.period_seconds.unwrap_or(period_seconds),
        timeout_seconds: spec.timeout_seconds.unwrap_or(TIMEOUT_SECONDS),
        failure_threshold: spec.failure_threshold.unwrap_or(failure_threshold),
    };
    let field = format!("spec.api.probes.{name}");
    check.that(
        words::is_path(&probe.path),
        &format!("{field}.path"),
        "must start with '/' and be ASCII without spaces: for example /healthz",
    );
    let numbers = [
        (
            probe.initial_delay_seconds.unwrap_or(1),
            "initialDelaySeconds",
        ),
        (probe.period_seconds, "periodSeconds"),
        (probe.timeout_seconds, "timeoutSeconds"),
        (probe.failure_threshold, "failureThreshold"),
    ];
    for (number, of) in numbers {
        check.that(
            (1..=3600).contains(&number),
            &format!("{field}.{of}"),
            "must be between 1 and 3600",
        );
    }
    probe
}
