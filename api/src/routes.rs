//! The handlers, one file a resource: parse, ask, answer. No SQL, no cache command, no setting is read here.

pub mod data;
pub mod health;
pub mod landing;
pub mod metrics;
