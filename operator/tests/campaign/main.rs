//! The fault campaigns: the operator's own `reconcile`, in this process, on a real API server, under every fault.
//!
//! Between the operator and the server stands `wire`, which makes the faults; `world` plays the kubelet and the
//! workloads' controllers, so the control plane runs only the garbage collector's part of them. The main oracle is
//! differential: the end state after a fault equals the one without it. Run it with `make test-control-plane`, the large
//! version with `make campaign`; a failure prints the line that repeats it.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod answers;
mod audit;
mod bench;
mod campaigns;
mod canaries;
mod fault;
mod fields;
mod harness;
mod lane;
mod logs;
mod oracles;
mod planted;
mod progress;
mod random;
mod request;
mod runner;
mod scenario;
mod snapshot;
mod user;
mod wire;
mod world;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    runner::run(campaigns::Options::parse()).await
}
