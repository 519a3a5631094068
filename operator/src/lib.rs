//! The TpStack operator: turns one `TpStack` object into a running stack.
//!
//! A functional core in an imperative shell: `observe` reads, `validate`, `kept`, `plan` and `desired` decide, `apply`
//! is the only writer of children and `status` the only writer of status.

pub mod crd;

pub mod settings;

pub mod desired;
pub mod foreign;
pub mod kept;
pub mod kind;
pub mod migration;
pub mod observed;
pub mod paused;
pub mod plan;
pub mod promql;
pub mod quantity;
pub mod validate;
pub mod variables;

pub mod apply;
pub mod conditions;
pub mod discovery;
pub mod events;
pub mod memory;
pub mod observe;
pub mod outcome;
pub mod reconcile;
pub mod references;
pub mod status;

pub mod admin_server;
pub mod cli;
pub mod clients;
pub mod context;
pub mod controller;
pub mod fence;
pub mod lease;
pub mod metrics;
pub mod supervision;
pub mod telemetry;
pub mod watches;
