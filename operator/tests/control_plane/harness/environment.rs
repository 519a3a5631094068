//! What the testbed exported, and the programs that the tests run.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

/// The binary under test.
pub(crate) const TPSTACK: &str = env!("CARGO_BIN_EXE_tpstack");

/// What the testbed's component `control-plane` exported.
pub(crate) struct Environment {
    /// Kubeconfig of a cluster administrator.
    pub(crate) kubeconfig: PathBuf,
    /// Folder with the optional CRDs, one file per project.
    pub(crate) crds: PathBuf,
    /// Folder for our logs and kubeconfigs; the testbed removes it with the control plane.
    pub(crate) folder: PathBuf,
    /// The `kubectl` to use.
    pub(crate) kubectl: PathBuf,
    /// The repository.
    pub(crate) repository: PathBuf,
}

/// The one environment of this test run.
pub(crate) static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    let control_plane = path_variable("TESTBED_CONTROL_PLANE_DIR");
    let folder = tempfile::Builder::new()
        .prefix("operator-tests.")
        .tempdir_in(&control_plane)
        .unwrap_or_else(|error| {
            panic!(
                "cannot make a folder in {}: {error}",
                control_plane.display()
            )
        });
    Environment {
        kubeconfig: path_variable("KUBECONFIG"),
        crds: path_variable("TESTBED_CRDS"),
        folder: folder.keep(),
        kubectl: std::env::var_os("TESTBED_KUBECTL")
            .map_or_else(|| PathBuf::from("kubectl"), PathBuf::from),
        repository: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."),
    }
});

fn path_variable(name: &str) -> PathBuf {
    let unset = || {
        panic!(
            "{name} is not set: this level needs a control plane; run it with `make test-control-plane`"
        )
    };
    std::env::var_os(name).map_or_else(unset, PathBuf::from)
}

/// A number that turns a test's own knob, if it is set.
pub(crate) fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}")),
    )
}

/// Runs kubectl as the administrator and returns what it printed; a failure is a panic with its words.
pub(crate) fn kubectl(arguments: &[&str], input: &str) -> String {
    let output = pipe(Command::new(&ENVIRONMENT.kubectl).args(arguments), input);
    succeeded(&format!("kubectl {}", arguments.join(" ")), &output)
}

/// Runs `tpstack` and returns what it printed.
pub(crate) fn tpstack(arguments: &[&str]) -> String {
    let output = pipe(Command::new(TPSTACK).args(arguments), "");
    succeeded(&format!("tpstack {}", arguments.join(" ")), &output)
}

/// What a verb of `tpstack` ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
    pub(crate) notes: String,
}

/// Runs `tpstack` as somebody: the administrator, or whom that kubeconfig names.
pub(crate) fn ask(arguments: &[&str], input: &str, kubeconfig: Option<&Path>) -> Said {
    let mut command = Command::new(TPSTACK);
    command.args(arguments);
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = pipe(&mut command, input);
    Said {
        code: output.status.code(),
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        notes: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a command line as a user would paste it, with the testbed's kubectl first on the PATH.
pub(crate) fn paste(line: &str) -> String {
    let mut path = std::ffi::OsString::new();
    if let Some(folder) = ENVIRONMENT
        .kubectl
        .parent()
        .filter(|folder| folder.is_absolute())
    {
        path.push(folder);
        path.push(":");
    }
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let output = pipe(
        // Advice that hangs is bad advice.
        Command::new("timeout")
            .args(["60", "sh", "-eu", "-c", line])
            .env("PATH", path),
        "",
    );
    succeeded(line, &output)
}

/// Applies manifests as a user does, on the server's side.
pub(crate) fn apply(manifests: &str) {
    kubectl(&["apply", "--server-side", "-f", "-"], manifests);
}

fn pipe(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // From a thread of its own: a child that writes much before it reads would otherwise block us both.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it runs");
    // A child may end without reading: its status tells.
    drop(writer.join());
    output
}

fn succeeded(what: &str, output: &Output) -> String {
    assert!(
        output.status.success(),
        "`{what}` failed with {}:\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout),
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
