//! The cluster under test: where it is, and the ways to ask it.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    cell::{OnceCell, RefCell},
    env,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

use crate::{
    command::{self, Output},
    images::Images,
    logs::Logs,
    traefik::{Authority, Edge},
};

/// Where the operator is.
pub(crate) const SYSTEM: &str = "tpstack-system";
/// Where the stack under test is: a namespace that the chart grants.
pub(crate) const SHOP: &str = "shop";
/// The stack's name, as in manifests/samples/minimal.yaml.
pub(crate) const STACK: &str = "minimal";
/// The stack's host, as in manifests/samples/minimal.yaml.
pub(crate) const HOST: &str = "api.localhost";

const REMEDY: &str = "run this level with `make test-cluster`, which brings up what it needs";
const POLL: Duration = Duration::from_millis(200);
/// For commands that have nothing to wait for.
const PROMPT: u64 = 60;

/// A kind cluster, the programs to drive it, and what the steps have seen so far.
pub(crate) struct Cluster {
    /// The repository.
    pub(crate) root: PathBuf,
    /// The kind cluster's name.
    pub(crate) kind: String,
    /// The images that run on it.
    pub(crate) images: Images,
    /// Signs Traefik's certificate; the one thing the client trusts.
    pub(crate) authority: Authority,
    /// For files that programs have to be given; readable by this user only, removed at the end.
    pub(crate) scratch: TempDir,
    /// What pods have said, those killed since included.
    pub(crate) logs: RefCell<Logs>,
    helm: PathBuf,
    edge: OnceCell<Edge>,
}

impl Cluster {
    /// Finds the cluster by the testbed's variables.
    pub(crate) fn from_environment() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the crate has no parent folder")?
            .to_owned();
        variable("KUBECONFIG")?;
        Ok(Self {
            kind: variable("TESTBED_KIND_NAME")?,
            images: Images::from_environment()?,
            authority: Authority::new(HOST)?,
            scratch: tempfile::tempdir()?,
            logs: RefCell::default(),
            helm: tool(&root, "helm")?.into(),
            edge: OnceCell::new(),
            root,
        })
    }

    /// Runs kubectl, which has to succeed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(arguments, "", PROMPT)
    }

    /// Runs kubectl with an input and a deadline in seconds.
    pub(crate) fn kubectl_with(
        &self,
        arguments: &[&str],
        input: &str,
        seconds: u64,
    ) -> Result<String> {
        command::succeed(
            Command::new("kubectl")
                .args(arguments)
                .current_dir(&self.root),
            input,
            seconds,
        )
    }

    /// Runs kubectl, which may fail.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Result<Output> {
        command::run(
            Command::new("kubectl")
                .args(arguments)
                .current_dir(&self.root),
            "",
            PROMPT,
        )
    }

    /// Runs helm, which may fail.
    pub(crate) fn helm(&self, arguments: &[&str], seconds: u64) -> Result<Output> {
        command::run(
            Command::new(&self.helm)
                .args(arguments)
                .current_dir(&self.root),
            "",
            seconds,
        )
    }

    /// Objects as kubectl gives them in JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.kubectl(&[arguments, &["--output=json"]].concat())?;
        serde_json::from_str(&text)
            .with_context(|| format!("kubectl {}: not JSON", arguments.join(" ")))
    }

    /// One object of the stack's namespace.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Result<Value> {
        self.json(&["get", kind, name, "--namespace", SHOP])
    }

    /// All objects of these kinds (comma-separated) that a label selector chooses in a namespace.
    pub(crate) fn list(&self, namespace: &str, kinds: &str, selector: &str) -> Result<Vec<Value>> {
        let list = self.json(&[
            "get",
            kinds,
            "--namespace",
            namespace,
            "--selector",
            selector,
        ])?;
        Ok(items(&list, "/items").to_vec())
    }

    /// Traefik, once it is there.
    pub(crate) fn edge(&self) -> Result<&Edge> {
        if let Some(edge) = self.edge.get() {
            return Ok(edge);
        }
        let edge = Edge::find(self)?;
        Ok(self.edge.get_or_init(|| edge))
    }

    /// Waits for the stack's condition Ready, as a user would.
    pub(crate) fn wait_for_ready(&self, seconds: u64) -> Result<()> {
        let stack = format!("tpstack/{STACK}");
        let timeout = format!("--timeout={seconds}s");
        self.kubectl_with(
            &[
                "wait",
                "--for=condition=Ready",
                &stack,
                "--namespace",
                SHOP,
                &timeout,
            ],
            "",
            seconds + 10,
        )?;
        Ok(())
    }
}

/// The selector of everything that belongs to the stack.
pub(crate) fn of_the_stack() -> String {
    format!("app.kubernetes.io/managed-by=tpstack-operator,app.kubernetes.io/instance={STACK}")
}

/// A text at a JSON pointer; empty when there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The list at a JSON pointer; empty when there is none.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The name of an object.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// The UID of an object.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// Whether a pod runs with all its containers ready, and is not on its way out.
pub(crate) fn is_running(pod: &Value) -> bool {
    let ready = |status: &Value| status["ready"] == true;
    let containers = items(pod, "/status/containerStatuses");
    text(pod, "/status/phase") == "Running"
        && text(pod, "/metadata/deletionTimestamp").is_empty()
        && !containers.is_empty()
        && containers.iter().all(ready)
}

/// Asks until there is an answer. `Ok(Err(...))` is "not yet", with what was seen instead: it ends up in the error.
pub(crate) fn until<T>(
    seconds: u64,
    what: &str,
    mut ask: impl FnMut() -> Result<Result<T, String>>,
) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match ask()? {
            Ok(answer) => return Ok(answer),
            Err(seen) if Instant::now() > deadline => {
                bail!("waited {seconds} s until {what}; last seen: {seen}")
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}

/// An environment variable that the testbed sets.
pub(crate) fn variable(name: &str) -> Result<String> {
    env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .with_context(|| format!("{name} is not set: {REMEDY}"))
}

/// The path of a program or file that the testbed's tools know.
pub(crate) fn tool(root: &Path, name: &str) -> Result<String> {
    let path = command::succeed(
        Command::new(root.join("testbed/tools")).args(["path", name]),
        "",
        1800,
    )?;
    Ok(path.trim().to_owned())
}
