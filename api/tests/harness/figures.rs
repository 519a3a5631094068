//! What a run of the tests has shown, in numbers: one line each, printed together after the level.

use std::{fs::OpenOptions, io::Write};

/// Notes a line such as `tell("outage matrix", "231 cases, worst answer 1.2 s")`. `testbed/level` names the file and prints
/// it at the end; without it the line goes to standard error.
pub(crate) fn tell(what: &str, figures: &str) {
    assert!(
        !what.contains(['\t', '\n']) && !figures.contains(['\t', '\n']),
        "a figure is one line"
    );
    // One write, so that lines of tests that run at once stay whole.
    let line = format!("{what}\t{figures}\n");
    match std::env::var_os("TESTBED_FIGURES") {
        Some(file) => OpenOptions::new()
            .append(true)
            .create(true)
            .open(&file)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|error| panic!("failed to write {}: {error}", file.display())),
        None => std::io::stderr()
            .write_all(line.as_bytes())
            .expect("standard error is open"),
    }
}
