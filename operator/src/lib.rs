//! The TpStack operator: turns one `TpStack` object into a running stack.

pub mod crd;
