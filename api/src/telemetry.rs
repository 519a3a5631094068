//! Logs: one event a line on standard output, readable on a terminal, JSON for machines. Nothing here may see a secret:
//! settings are logged field by field, never as a whole.

use crate::config::{LogConfig, LogFormat};
use std::io::{IsTerminal, stdout};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Drivers report through our own transitions (`health`), not line by line; put last, so that `LOG_LEVEL` can overrule.
const QUIET_DRIVERS: &str = "sqlx=warn";

/// Starts logging for the whole process. A second start (tests in one process) changes nothing.
pub fn start(config: &LogConfig) {
    let json = match config.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !stdout().is_terminal(),
    };
    let filter = EnvFilter::new(format!("{QUIET_DRIVERS},{}", config.filter));
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if json {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    } else {
        fmt::layer().with_ansi(stdout().is_terminal()).boxed()
    };
    _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
}
