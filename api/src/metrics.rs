//! Every metric: its name, labels and buckets, and the text Prometheus scrapes.
//!
//! `app_requests_total` and `app_request_latency_seconds` are the course's: panels and alerts written for them work as
//! they are. Every label value comes from a fixed set; a path or a host name never becomes one.

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::time::Duration;

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// The course's 0.1, 0.5, 1, 2 and 5 seconds, and finer ones: a cache hit takes less than a millisecond.
const LATENCY_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0,
];

/// How a cache lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// The value was there.
    Hit,
    /// It was not.
    Miss,
    /// The cache could not say, which counts as a miss.
    Error,
}

/// The process's metrics. Cloning shares them.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    latency: HistogramVec,
    in_flight: IntGauge,
    cache_requests: IntCounterVec,
    dependency_errors: IntCounterVec,
    dependency_up: IntGaugeVec,
}

impl Metrics {
    /// Registers everything. The registry has no prefix: it would rename the process metrics too.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::new(),
            requests: counter(
                "app_requests_total",
                "Requests answered, by matched route, method and status.",
                &["endpoint", "method", "status"],
            ),
            latency: latency(),
            in_flight: gauge("app_requests_in_flight", "Requests being answered."),
            cache_requests: counter(
                "app_cache_requests_total",
                "Cache lookups, by result.",
                &["result"],
            ),
            dependency_errors: counter(
                "app_dependency_errors_total",
                "Failed calls to a dependency, by kind of failure.",
                &["dependency", "kind"],
            ),
            dependency_up: gauges(
                "app_dependency_up",
                "Whether the dependency answered last time (1) or not (0).",
                &["dependency"],
            ),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let collectors: [Box<dyn prometheus::core::Collector>; 6] = [
            Box::new(self.requests.clone()),
            Box::new(self.latency.clone()),
            Box::new(self.in_flight.clone()),
            Box::new(self.cache_requests.clone()),
            Box::new(self.dependency_errors.clone()),
            Box::new(self.dependency_up.clone()),
        ];
        for collector in collectors {
            self.registry
                .register(collector)
                .expect("each collector is registered once, under its own name");
        }
        // The collector reads /proc; elsewhere (a laptop running `make run`) these metrics are left out.
        #[cfg(target_os = "linux")]
        self.registry
            .register(Box::new(
                prometheus::process_collector::ProcessCollector::for_self(),
            ))
            .expect("the process collector is registered once");
        // A rate needs a first sample: series that will matter exist from the start.
        for result in [CacheResult::Hit, CacheResult::Miss, CacheResult::Error] {
            self.cache_counter(result);
        }
    }

    /// Counts an answered request.
    pub fn request(&self, endpoint: &str, method: &str, status: &str, took: Duration) {
        self.requests
            .with_label_values(&[endpoint, method, status])
            .inc();
        self.latency
            .with_label_values(&[endpoint])
            .observe(took.as_secs_f64());
    }

    /// The number of requests being answered.
    pub fn in_flight(&self) -> &IntGauge {
        &self.in_flight
    }

    /// Counts a cache lookup.
    pub fn cache_lookup(&self, result: CacheResult) {
        self.cache_counter(result).inc();
    }

    fn cache_counter(&self, result: CacheResult) -> prometheus::IntCounter {
        self.cache_requests.with_label_values(&[match result {
            CacheResult::Hit => "hit",
            CacheResult::Miss => "miss",
            CacheResult::Error => "error",
        }])
    }

    /// Counts a failed call to a dependency.
    pub fn dependency_error(&self, dependency: &'static str, kind: &'static str) {
        self.dependency_errors
            .with_label_values(&[dependency, kind])
            .inc();
    }

    /// Tells whether a dependency answers.
    pub fn dependency_up(&self, dependency: &'static str, up: bool) {
        self.dependency_up
            .with_label_values(&[dependency])
            .set(up.into());
    }

    /// Everything, in Prometheus' text format.
    pub fn encode(&self) -> String {
        text(&self.registry)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn counter(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels)
        .expect("the counter's name and labels are valid constants")
}

fn gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect("the gauge's name is a valid constant")
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(name, help), labels)
        .expect("the gauge's name and labels are valid constants")
}

fn latency() -> HistogramVec {
    let options = HistogramOpts::new(
        "app_request_latency_seconds",
        "Time to answer, errors included, by matched route.",
    );
    HistogramVec::new(options.buckets(LATENCY_BUCKETS.to_vec()), &["endpoint"])
        .expect("the histogram's name, label and buckets are valid constants")
}

fn text(registry: &Registry) -> String {
    TextEncoder::new()
        .encode_to_string(&registry.gather())
        .expect("gathered families are well formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_course_series_are_there_with_their_labels_and_buckets() {
        let metrics = Metrics::new();
        metrics.request("/api/data", "GET", "200", Duration::from_millis(300));
        let text = metrics.encode();
        assert!(
            text.contains(
                r#"app_requests_total{endpoint="/api/data",method="GET",status="200"} 1"#
            )
        );
        for bucket in ["0.1", "0.5", "1", "2", "5"] {
            let series = format!(
                r#"app_request_latency_seconds_bucket{{endpoint="/api/data",le="{bucket}"}}"#
            );
            assert!(text.contains(&series), "{series} is missing in\n{text}");
        }
        assert!(
            !cfg!(target_os = "linux") || text.contains("process_resident_memory_bytes"),
            "no process metrics in\n{text}"
        );
    }

    #[test]
    fn cache_results_exist_before_the_first_lookup() {
        let text = Metrics::new().encode();
        for result in ["hit", "miss", "error"] {
            assert!(text.contains(&format!(
                r#"app_cache_requests_total{{result="{result}"}} 0"#
            )));
        }
    }
}
