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
mod cache_outages;
mod contract;
mod database_outages;
mod postgres;
mod redis;
#[path = "../harness/contract.rs"]
mod suite;
mod testbed;
mod tls;
mod tls_connections;
