//! The API on its embedded engines, through its socket: what can be seen with no service beside it.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "what cannot go on fails here, functions beside the tests included; counters are whole numbers"
)]

#[path = "../harness/api.rs"]
mod api;
#[path = "../harness/contract.rs"]
mod contract;
mod copies;
mod http2;
mod malformed;
mod openapi;
mod process;
mod scrape;
mod shapes;
mod slow_clients;
