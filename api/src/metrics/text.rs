//! All families, in the order of the scrape.

use super::{
    BreakerState, CacheLevel, CacheResult, CutReason, Format, Method, Outcome, Series,
    exposition::{Exposition, Kind},
    locked,
};
use crate::router::Endpoint;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a scrape of a busy API takes: one allocation.
const USUAL_LENGTH: usize = 32 * 1024;

pub(super) fn write(series: &Series, format: Format) -> String {
    let mut to = Exposition::new(format, USUAL_LENGTH);
    build(series, &mut to);
    requests(series, &mut to);
    connections(series, &mut to);
    cache(series, &mut to);
    pool(series, &mut to);
    dependencies(series, &mut to);
    series.process.write(&mut to);
    to.finish()
}

fn build(series: &Series, to: &mut Exposition) {
    if let Some(build) = series.build.get() {
        to.family("app_build", Kind::Info, "", "What runs.");
        let labels = [
            concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\",store=\""),
            build.store,
            "\",cache=\"",
            build.cache,
            "\"}",
        ];
        to.sample("app_build_info", &labels, 1);
    }
}

fn requests(series: &Series, to: &mut Exposition) {
    to.family(
        "app_requests",
        Kind::Counter,
        "",
        "Requests answered, by matched route, method and status.",
    );
    for (endpoint, methods) in Endpoint::ALL.into_iter().zip(&series.requests) {
        for (method, requests) in Method::ALL.into_iter().zip(methods) {
            for (outcome, count) in requests.seen() {
                let labels = [
                    "{endpoint=\"",
                    endpoint.path(),
                    "\",method=\"",
                    method.label(),
                    "\",status=\"",
                    Outcome::label(outcome),
                    "\"}",
                ];
                to.sample("app_requests_total", &labels, count);
            }
        }
    }
    let name = "app_request_latency_seconds";
    let help = "Time to answer, errors included, by matched route.";
    to.family(name, Kind::Histogram, "seconds", help);
    for (endpoint, latency) in Endpoint::ALL.into_iter().zip(&series.latency) {
        if latency.used() {
            to.histogram(name, ["endpoint=\"", endpoint.path(), "\""], latency);
        }
    }
    gauge(
        to,
        "app_requests_in_flight",
        "Requests being answered.",
        &series.in_flight,
    );
}

fn connections(series: &Series, to: &mut Exposition) {
    let help = "Connections of clients.";
    gauge(to, "app_connections", help, &series.connections);
    let help = "Connections turned away, there being too many.";
    let name = "app_connections_refused";
    to.family(name, Kind::Counter, "", help);
    let refused = series.connections_refused.load(Relaxed);
    to.sample("app_connections_refused_total", &[], refused);
    let help = "Connections ended by the server, by what the client was late with.";
    to.family("app_connections_cut", Kind::Counter, "", help);
    for (reason, count) in CutReason::ALL.into_iter().zip(&series.connections_cut) {
        let labels = ["{reason=\"", reason.label(), "\"}"];
        to.sample("app_connections_cut_total", &labels, count.load(Relaxed));
    }
}

/// A rate needs a first sample: what will matter is there from the start.
fn cache(series: &Series, to: &mut Exposition) {
    to.family(
        "app_cache_requests",
        Kind::Counter,
        "",
        "Cache lookups, by result.",
    );
    for (result, count) in CacheResult::ALL.into_iter().zip(&series.cache_requests) {
        let labels = ["{result=\"", result.label(), "\"}"];
        to.sample("app_cache_requests_total", &labels, count.load(Relaxed));
    }
    to.family(
        "app_cache_hits",
        Kind::Counter,
        "",
        "Cache lookups that found the value, by where it was found.",
    );
    for (level, count) in CacheLevel::ALL.into_iter().zip(&series.cache_hits) {
        let labels = ["{level=\"", level.label(), "\"}"];
        to.sample("app_cache_hits_total", &labels, count.load(Relaxed));
    }
    gauge(
        to,
        "app_cache_tracking",
        "Whether copies in this process are kept coherent by Redis (1) or not used (0).",
        &series.cache_tracking,
    );
    to.family(
        "app_single_flight_waits",
        Kind::Counter,
        "",
        "Requests that waited for another one's answer instead of asking the database.",
    );
    let waits = series.single_flight_waits.load(Relaxed);
    to.sample("app_single_flight_waits_total", &[], waits);
    to.family(
        "app_breaker_state",
        Kind::Gauge,
        "",
        "The circuit breaker: 0 closed, 1 half-open, 2 open.",
    );
    let state = series.breaker.load(Relaxed);
    debug_assert!(
        state <= BreakerState::Open as u64,
        "its number is its value"
    );
    to.sample("app_breaker_state", &["{dependency=\"cache\"}"], state);
}

fn pool(series: &Series, to: &mut Exposition) {
    let Some(pool) = series.pool.get() else {
        return;
    };
    let in_use = (pool.ask)();
    let name = "app_db_pool_connections";
    to.family(name, Kind::Gauge, "", "Connections to the database.");
    to.sample(name, &["{state=\"idle\"}"], in_use.idle.into());
    to.sample(name, &["{state=\"used\"}"], in_use.used.into());
    let help = "Connections to the database at most.";
    to.family("app_db_pool_max", Kind::Gauge, "", help);
    to.sample("app_db_pool_max", &[], pool.most.into());
    let name = "app_db_pool_acquire_seconds";
    let help = "Time to get a connection to the database.";
    to.family(name, Kind::Histogram, "seconds", help);
    to.histogram(name, [""; 3], &series.pool_acquire);
    let help = "Requests that got no connection to the database in time.";
    to.family("app_db_pool_shed", Kind::Counter, "", help);
    to.sample(
        "app_db_pool_shed_total",
        &[],
        series.pool_shed.load(Relaxed),
    );
}

fn dependencies(series: &Series, to: &mut Exposition) {
    let help = "Failed calls to a dependency, by kind of failure.";
    to.family("app_dependency_errors", Kind::Counter, "", help);
    for ((dependency, kind), count) in locked(&series.dependency_errors).iter() {
        let labels = ["{dependency=\"", dependency, "\",kind=\"", kind, "\"}"];
        to.sample("app_dependency_errors_total", &labels, *count);
    }
    let name = "app_dependency_up";
    let help = "Whether the dependency answered last time (1) or not (0).";
    to.family(name, Kind::Gauge, "", help);
    for (dependency, up) in locked(&series.dependency_up).iter() {
        to.sample(name, &["{dependency=\"", dependency, "\"}"], *up);
    }
}

fn gauge(to: &mut Exposition, name: &str, help: &str, value: &AtomicU64) {
    to.family(name, Kind::Gauge, "", help);
    to.sample(name, &[], value.load(Relaxed));
}
