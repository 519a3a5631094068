//! The reference API of a stack: the course's API with its environment and HTTP contract, made to last.
//!
//! Modules in reading order: settings, what the process holds, the page of routes, then what stands behind them.

pub mod config;
pub mod telemetry;

pub mod app;
pub mod pages;
pub mod router;
pub mod routes;
pub mod server;

pub mod cache;
pub mod health;
pub mod redis;
pub mod sessions;
pub mod store;

pub mod error;
pub mod healthcheck;
pub mod layers;
pub mod metrics;
pub mod openapi;
