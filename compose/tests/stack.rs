//! One Compose project of our own: a unique name, free ports, its own folder for provided secrets, and an end.

use crate::{
    acme,
    http::Authority,
    outcome::{Outcome, run},
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Command},
};
use tempfile::TempDir;

/// What every failure for want of means ends with.
pub(crate) const REMEDY: &str =
    "this level needs a Docker engine, images and binaries: run it by `make test-compose`";

/// The host the stack is asked for, the default of `API_HOST`.
pub(crate) const HOST: &str = "api.localhost";

/// A Compose project; dropping it removes its containers, networks, volumes and image.
pub(crate) struct Stack {
    project: String,
    root: PathBuf,
    scratch: TempDir,
    overlays: &'static [&'static str],
    environment: Vec<(String, String)>,
    /// Where Traefik listens for clear text.
    pub(crate) plain_port: u16,
    /// Where Traefik listens for TLS.
    pub(crate) tls_port: u16,
    /// Where Prometheus listens.
    pub(crate) prometheus_port: u16,
}

/// The images that are not ours, by their variable without `_IMAGE`.
pub(crate) const IMAGES: [&str; 10] = [
    "ALERTMANAGER",
    "CADVISOR",
    "NODE_EXPORTER",
    "POSTGRES",
    "POSTGRES_EXPORTER",
    "PROMETHEUS",
    "REDIS",
    "REDIS_EXPORTER",
    "SOCKET_PROXY",
    "TRAEFIK",
];

impl Stack {
    /// A project with nothing started in it.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let root = root();
        let binaries = root.join("target/image");
        ensure!(
            binaries.join("out/api").is_file(),
            "{} is missing; {REMEDY}",
            binaries.join("out/api").display()
        );
        let scratch = tempfile::tempdir()?;
        fs::create_dir(scratch.path().join("provided"))?;
        fs::write(scratch.path().join("env"), "")?;

        let project = format!("tpstack-test-{name}-{}", process::id());
        let [
            plain_port,
            tls_port,
            prometheus_port,
            alertmanager_port,
            grafana_port,
        ] = free_ports()?;
        let mut environment = vec![
            ("API_IMAGE".to_owned(), format!("{project}/api:test")),
            ("TPSTACK_BINARIES".to_owned(), path_text(&binaries)?),
            (
                "SECRETS_DIR".to_owned(),
                path_text(&scratch.path().join("provided"))?,
            ),
            ("HTTP_PORT".to_owned(), plain_port.to_string()),
            ("HTTPS_PORT".to_owned(), tls_port.to_string()),
            ("PROMETHEUS_PORT".to_owned(), prometheus_port.to_string()),
            (
                "ALERTMANAGER_PORT".to_owned(),
                alertmanager_port.to_string(),
            ),
            ("GRAFANA_PORT".to_owned(), grafana_port.to_string()),
            ("COMPOSE_PROFILES".to_owned(), "host".to_owned()),
            // What the tests send comes from one address, as fast as it can.
            ("RATE_LIMIT_AVERAGE".to_owned(), "0".to_owned()),
            ("ALERT_GROUP_WAIT".to_owned(), "1s".to_owned()),
            ("ALERT_GROUP_INTERVAL".to_owned(), "5s".to_owned()),
        ];
        for image in IMAGES {
            let variable = format!("TESTBED_IMAGE_{image}");
            let reference =
                env::var(&variable).with_context(|| format!("{variable} is not set; {REMEDY}"))?;
            environment.push((format!("{image}_IMAGE"), reference));
        }
        let mut stack = Self {
            project,
            root,
            scratch,
            overlays: &[],
            environment,
            plain_port,
            tls_port,
            prometheus_port,
        };
        stack.docker(&["version"]).context(REMEDY)?;
        let socket = stack.docker(&[
            "context",
            "inspect",
            "--format",
            "{{.Endpoints.docker.Host}}",
        ])?;
        let files = stack.docker(&["info", "--format", "{{.DockerRootDir}}"])?;
        let socket = socket.trim().trim_start_matches("unix://");
        stack.set("DOCKER_SOCKET", socket);
        stack.set("DOCKER_ROOT", files.trim());
        stack.allow_for_grafana();
        Ok(stack)
    }

    /// Takes Let's Encrypt's place into the stack: with its overlay and an authority that is a container.
    pub(crate) fn with_acme(mut self) -> Result<Self> {
        let folder = self.scratch.path().join("acme");
        acme::prepare(&folder)?;
        self.overlays = &acme::OVERLAYS;
        let image = env::var("TESTBED_IMAGE_PEBBLE")
            .with_context(|| format!("TESTBED_IMAGE_PEBBLE is not set; {REMEDY}"))?;
        self.set("PEBBLE_IMAGE", &image);
        self.set("ACME_TEST_DIR", &path_text(&folder)?);
        self.set("ACME_EMAIL", "someone@example.org");
        self.set("ACME_SERVER", "https://pebble:14000/dir");
        self.set("API_HOST", acme::HOST);
        Ok(self)
    }

    /// Sets a variable for every later command.
    fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Grafana is in no package archive: where no registry can be reached, it is left out, and the testbed says so.
    fn allow_for_grafana(&mut self) {
        match env::var("TESTBED_IMAGE_GRAFANA") {
            Ok(reference) if !reference.is_empty() => self.set("GRAFANA_IMAGE", &reference),
            _ => self.set("TEST_GRAFANA_PROFILE", "not-here"),
        }
    }

    /// Whether Grafana runs in it.
    pub(crate) fn has_grafana(&self) -> bool {
        self.image("GRAFANA_IMAGE").is_ok()
    }

    /// Runs `docker compose` in this project; anything but success is an error that holds the output.
    pub(crate) fn compose(&self, arguments: &[&str]) -> Result<String> {
        self.compose_with(&[], arguments)?
            .ok(&format!("docker compose {}", arguments.join(" ")))
    }

    /// Runs `docker compose` with more variables, however it may end.
    pub(crate) fn compose_with(
        &self,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<Outcome> {
        let mut command = self.command();
        command
            .args([
                "compose",
                "--project-name",
                &self.project,
                "--file",
                "compose.yaml",
            ])
            .args(["--file", "compose/tests/override.yaml"])
            .args(self.overlays.iter().flat_map(|file| ["--file", file]))
            .arg("--env-file")
            .arg(self.scratch.path().join("env"))
            .args(["--progress", "quiet"])
            .args(arguments)
            .envs(variables.iter().copied());
        run(command)
    }

    /// Runs `compose/lab` on this project, however it may end: what it writes goes to our own folder.
    pub(crate) fn lab(&self, arguments: &[&str]) -> Result<Outcome> {
        run(self.lab_command(arguments))
    }

    /// The same, not run yet.
    pub(crate) fn lab_command(&self, arguments: &[&str]) -> Command {
        let mut compose = format!(
            "docker compose --project-name {} --env-file {}/env",
            self.project,
            self.scratch()
        );
        for file in ["compose.yaml", "compose/tests/override.yaml"]
            .iter()
            .chain(self.overlays)
        {
            compose = format!("{compose} --file {file}");
        }
        let mut command = self.command_named("compose/lab");
        command
            .args(arguments)
            .env("LAB_COMPOSE", compose)
            .env("LAB_HOME", self.scratch.path())
            .env("LAB_LOOKS", "1")
            .env("LC_ALL", "C");
        command
    }

    /// Runs a command in a service's running container.
    pub(crate) fn exec(&self, service: &str, arguments: &[&str]) -> Result<String> {
        self.compose(&[&["exec", "--no-TTY", service], arguments].concat())
    }

    /// Runs a script as `init` does, with its volumes, user and rights.
    pub(crate) fn run_in_init(&self, script: &str) -> Result<String> {
        self.compose(&[
            "run",
            "--rm",
            "--no-deps",
            "--no-TTY",
            "--entrypoint",
            "sh",
            "init",
            "-euc",
            script,
        ])
    }

    /// Runs `init` itself, however it may end.
    pub(crate) fn init(&self, variables: &[(&str, &str)]) -> Result<Outcome> {
        self.compose_with(variables, &["run", "--rm", "--no-deps", "--no-TTY", "init"])
    }

    /// Runs `docker`; anything but success is an error that holds the output.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command();
        command.args(arguments);
        run(command)?.ok(&format!("docker {}", arguments.join(" ")))
    }

    /// A volume's full name.
    pub(crate) fn volume(&self, name: &str) -> String {
        format!("{}_{name}", self.project)
    }

    /// The image that stands for `variable`'s default here.
    pub(crate) fn image(&self, variable: &str) -> Result<&str> {
        let found = self.environment.iter().find(|(name, _)| name == variable);
        Ok(&found.with_context(|| format!("no image for {variable}"))?.1)
    }

    /// All containers of this project, running or not, as `docker inspect` shows them.
    pub(crate) fn containers(&self) -> Result<Vec<Value>> {
        let filter = format!("label=com.docker.compose.project={}", self.project);
        let ids = self.docker(&["ps", "--all", "--quiet", "--filter", &filter])?;
        let ids: Vec<&str> = ids.split_whitespace().collect();
        ensure!(
            !ids.is_empty(),
            "the project {} has no container",
            self.project
        );
        let shown = self.docker(&[&["inspect"], ids.as_slice()].concat())?;
        Ok(serde_json::from_str(&shown)?)
    }

    /// Gives `init` a value as a user would: a file in the folder for provided secrets.
    pub(crate) fn provide(&self, name: &str, value: &str) -> Result<()> {
        Ok(fs::write(
            self.scratch.path().join("provided").join(name),
            value,
        )?)
    }

    /// Takes every provided value away.
    pub(crate) fn provide_nothing(&self) -> Result<()> {
        for file in fs::read_dir(self.scratch.path().join("provided"))? {
            fs::remove_file(file?.path())?;
        }
        Ok(())
    }

    /// Ends the project and its data, so that the next sentence starts on a fresh machine.
    pub(crate) fn reset(&self) -> Result<()> {
        self.provide_nothing()?;
        self.compose(&["down", "--volumes", "--remove-orphans", "--timeout", "5"])?;
        Ok(())
    }

    /// The authority's certificate, taken out as the README says.
    pub(crate) fn authority(&self) -> Result<Authority> {
        let path = self.scratch.path().join("ca.crt");
        self.compose(&["cp", "traefik:/secrets/ca.crt", &path_text(&path)?])?;
        Authority::from_pem(&fs::read_to_string(path)?)
    }

    /// A folder of ours on the host, gone with the stack.
    pub(crate) fn scratch(&self) -> String {
        self.scratch.path().display().to_string()
    }

    /// What to look at after a failure.
    pub(crate) fn diagnosis(&self) -> String {
        let states = self
            .compose(&["ps", "--all"])
            .unwrap_or_else(|error| format!("{error:#}"));
        let logs = self
            .compose(&["logs", "--tail", "40"])
            .unwrap_or_else(|error| format!("{error:#}"));
        format!("--- {}\n{states}\n{logs}", self.project)
    }

    fn command(&self) -> Command {
        self.command_named("docker")
    }

    fn command_named(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // The knobs of whoever runs the tests are not ours.
        for knob in [
            "API_HOST",
            "BIND_ADDRESS",
            "COMPOSE_FILE",
            "COMPOSE_PROFILES",
            "COMPOSE_PROJECT_NAME",
        ] {
            command.env_remove(knob);
        }
        command
            .current_dir(&self.root)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Best effort, and of our own project only: an error here must not hide the test's.
        let _ = self.compose(&["down", "--volumes", "--remove-orphans", "--timeout", "5"]);
        let _ = self.docker(&[
            "image",
            "rm",
            "--force",
            &format!("{}/api:test", self.project),
        ]);
    }
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Held all at once, so that they differ.
fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT]> {
    let mut listeners = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        listeners.push(TcpListener::bind("127.0.0.1:0")?);
    }
    let mut ports = [0; COUNT];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn path_text(path: &Path) -> Result<String> {
    Ok(path
        .to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))?
        .to_owned())
}
