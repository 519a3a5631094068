//! Waiting for something to be so.

use anyhow::Result;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Asks again until there is an answer, for two minutes at most; then the last error is the answer.
pub(crate) fn eventually<T>(ask: impl FnMut() -> Result<T>) -> Result<T> {
    eventually_within(Duration::from_mins(2), ask)
}

/// The same, with another patience.
pub(crate) fn eventually_within<T>(
    patience: Duration,
    mut ask: impl FnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("not within {} s", patience.as_secs())));
            }
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}
