//! A process that does not outlive the test run, however that ends.

use std::{
    ffi::OsStr,
    process::{Child, ChildStdin, Command, Stdio},
};

/// Starts the program it is given, which keeps the shell's process id, and kills it when the pipe on our standard input
/// closes.
const LEASH: &str = r#"
exec 3<&0
{ cat <&3 >/dev/null; kill -KILL $$ 2>/dev/null; } 2>/dev/null &
exec 3<&-
exec "$@" </dev/null
"#;

/// A running process. Dropped, it is killed.
pub(crate) struct Leashed {
    pub(crate) process: Child,
    leash: Option<ChildStdin>,
}

impl Leashed {
    /// Starts a program; `prepare` adds its arguments, its environment and where it writes to.
    pub(crate) fn start(program: impl AsRef<OsStr>, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "sh"]).arg(program);
        prepare(&mut command);
        let mut process = command.stdin(Stdio::piped()).spawn().expect("sh runs");
        Self {
            leash: process.stdin.take(),
            process,
        }
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.leash.take());
        drop(self.process.wait());
    }
}
