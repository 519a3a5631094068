//! All names and labels of the operator's metrics. No name of an object is ever a label.

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::kind::Kind;

/// The operator's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciliations: IntCounterVec,
    duration: Histogram,
    applies: IntCounterVec,
    watch_failures: IntCounterVec,
    watches: IntGauge,
    events: IntCounterVec,
}

impl Metrics {
    /// Registers all metrics.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let reconciliations = IntCounterVec::new(
            Opts::new(
                "tpstack_operator_reconciliations_total",
                "Runs over a stack, by how they ended.",
            ),
            &["outcome"],
        )?;
        let duration = Histogram::with_opts(
            HistogramOpts::new(
                "tpstack_operator_reconciliation_duration_seconds",
                "Time of one run over a stack.",
            )
            .buckets(vec![
                0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
            ]),
        )?;
        let applies = IntCounterVec::new(
            Opts::new(
                "tpstack_operator_applies_total",
                "Children due to be applied: sent, or left out since they are as they were when the same was accepted.",
            ),
            &["what"],
        )?;
        let watch_failures = IntCounterVec::new(
            Opts::new(
                "tpstack_operator_watch_failures_total",
                "Failures of watches, each followed by another try.",
            ),
            &["kind"],
        )?;
        let watches = IntGauge::new(
            "tpstack_operator_watches",
            "Watches on children that are running.",
        )?;
        let events = IntCounterVec::new(
            Opts::new(
                "tpstack_operator_events_total",
                "Events about stacks, by whether the API server took them.",
            ),
            &["result"],
        )?;
        registry.register(Box::new(events.clone()))?;
        registry.register(Box::new(reconciliations.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(applies.clone()))?;
        registry.register(Box::new(watch_failures.clone()))?;
        registry.register(Box::new(watches.clone()))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        Ok(Self {
            registry,
            reconciliations,
            duration,
            applies,
            watch_failures,
            watches,
            events,
        })
    }

    /// Counts a run.
    pub fn reconciled(&self, outcome: &str, duration: Duration) {
        self.reconciliations.with_label_values(&[outcome]).inc();
        self.duration.observe(duration.as_secs_f64());
    }

    /// Counts a child that was sent.
    pub fn apply_sent(&self) {
        self.applies.with_label_values(&["sent"]).inc();
    }

    /// Counts a child that was left out.
    pub fn apply_left_out(&self) {
        self.applies.with_label_values(&["left_out"]).inc();
    }

    /// Counts a failure of a watch on children.
    pub fn watch_failed(&self, kind: Kind) {
        self.watch_failures
            .with_label_values(&[&format!("{kind:?}")])
            .inc();
    }

    /// Counts a failure of the watch on TpStacks.
    pub fn main_watch_failed(&self) {
        self.watch_failures.with_label_values(&["TpStack"]).inc();
    }

    /// Sets the number of running watches.
    pub fn watches(&self, running: usize) {
        self.watches.set(i64::try_from(running).unwrap_or(i64::MAX));
    }

    /// Counts an event that was published, or refused.
    pub fn event(&self, published: bool) {
        let result = if published { "published" } else { "refused" };
        self.events.with_label_values(&[result]).inc();
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
