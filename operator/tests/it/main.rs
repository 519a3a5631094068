//! What needs no server: samples become children, generated files are fresh, roles cover what is written, the command
//! line says what is wrong.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is a result"
)]

mod cli;
mod contract;
mod explain;
mod fields;
mod generated;
mod hostile;
mod monitoring;
mod network;
mod parity;
mod promql;
mod rbac;
mod samples;
mod scripts;

use std::path::PathBuf;

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

/// A file of the repository.
fn text(path: &str) -> String {
    let path = repository(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether a field, by its path from `spec` on, is of one of Kubernetes' own types.
fn is_embedded(path: &str) -> bool {
    let field = path.strip_prefix("spec.");
    field.is_some_and(|field| operator::crd::EMBEDDED.contains(&field))
}
