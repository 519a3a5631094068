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
pub mod observed;
pub mod plan;
pub mod quantity;
pub mod validate;
