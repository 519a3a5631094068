//! Waiting for a condition, with a deadline and a report.

use std::time::{Duration, Instant};

use super::{report, sandbox::Sandbox};

/// How long anything may take. Convergence takes a second or two; the rest is for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Between two questions: short at first, since most things are quick; longer later, since a test must not be the load.
const FIRST_PAUSE: Duration = Duration::from_millis(30);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Asks until the answer is `Ok`. After the deadline: the last refusal, the operator's log, the objects of the namespace.
pub(crate) async fn eventually<T>(
    sandbox: &Sandbox,
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        let refusal = match tokio::time::timeout(PATIENCE, probe()).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(refusal)) => refusal,
            Err(_) => "the question was not even answered".to_owned(),
        };
        let in_time = Instant::now() < deadline;
        assert!(
            in_time,
            "after {PATIENCE:?} still not: {what}
because: {refusal}
{}",
            report::of(sandbox).await
        );
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 5 / 4);
    }
}

/// `Ok` when it holds.
pub(crate) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(otherwise()) }
}
