//! Counting and timing a request.

use crate::{
    metrics::{Method, Metrics, Outcome},
    router::Endpoint,
};
use axum::response::Response;
use tokio::time::Instant;

/// Counts a request when it ends, also when its client goes away first: then nobody saw a status.
pub(super) struct Measure {
    metrics: Metrics,
    endpoint: Endpoint,
    method: Method,
    started: Instant,
    outcome: Outcome,
}

impl Measure {
    pub(super) fn start(
        metrics: Metrics,
        endpoint: Endpoint,
        method: Method,
        started: Instant,
    ) -> Self {
        metrics.request_started();
        Self {
            metrics,
            endpoint,
            method,
            started,
            outcome: Outcome::CANCELLED,
        }
    }

    pub(super) fn answered(&mut self, response: &Response) {
        self.outcome = response.status().into();
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        self.metrics.request_ended();
        // As in the course's app, scrapes are not part of the traffic they measure.
        if self.endpoint != Endpoint::Metrics {
            self.metrics.request(
                self.endpoint,
                self.method,
                self.outcome,
                self.started.elapsed(),
            );
        }
    }
}
