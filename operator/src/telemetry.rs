//! Logs: readable on a terminal, JSON otherwise.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. `RUST_LOG` chooses what is logged; the default is `info`.
///
/// What its runtime says of watches is left out by default: they are counted in the metrics, and told by name.
///
/// kube's client logs whole answers which it cannot read, and an answer may be a Secret: whatever is asked for, it is
/// held to errors.
pub fn start() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,kube_runtime=error"));
    let filter = filter.add_directive("kube_client=error".parse().expect("a constant directive"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.init();
    } else {
        logs.json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init();
    }
}

/// Logs panics by their place. The words of one may hold a whole object, and are logged only when they are part of the
/// program's text.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let words = fixed_words(panic);
        tracing::error!(place, words, "panicked");
    }));
}

fn fixed_words<'a>(panic: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    panic.payload().downcast_ref::<&'static str>().copied()
}
