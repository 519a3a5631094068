//! The API against real Postgres and Redis servers: the contract on every pair of engines, then every way a server can
//! let it down. `testbed/with postgres redis -- cargo test -p api --all-features --test service` brings the servers.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "what cannot go on fails here, functions beside the tests included; counters are whole numbers"
)]

#[path = "../harness/api.rs"]
mod api;
mod browser;
mod cache_coherence;
mod cache_flights;
mod cache_model;
mod cache_outages;
mod contract;
mod crowds;
mod database_outages;
mod database_pool;
mod failover;
#[path = "../harness/figures.rs"]
mod figures;
mod items;
mod items_store;
mod migrations;
mod outages;
mod postgres;
#[path = "../harness/proxy.rs"]
mod proxy;
mod proxy_faults;
mod redis;
mod replicas;
mod rolling_restart;
mod schemathesis;
mod sessions;
#[path = "../harness/contract.rs"]
mod suite;
mod testbed;
mod tls;
mod tls_connections;
