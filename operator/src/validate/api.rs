//! Rules of `spec.api`. [pure]

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::autoscaling::{Autoscaling, autoscaling};
use super::{Check, words};
use crate::crd::{ApiSpec, CredentialsMode, PullPolicy};

mod env;
mod probes;
mod scheduling;

pub use probes::{Probe, Probes};
pub use scheduling::Scheduling;

/// The web API.
#[derive(Clone, Debug)]
pub struct Api {
    /// The user's image; `None` for our own.
    pub image: Option<String>,
    /// When it is pulled; `None`: as Kubernetes does by its tag.
    pub image_pull_policy: Option<PullPolicy>,
    /// Names of Secrets with registries' passwords.
    pub image_pull_secrets: Vec<String>,
    /// What it is started with; empty: its entry point.
    pub command: Vec<String>,
    /// Arguments; empty: those of the image.
    pub args: Vec<String>,
    /// Port that it listens on.
    pub port: i32,
    /// How it gets passwords.
    pub credentials: CredentialsMode,
    /// The command that migrates the database of the user's image; `None`: none, or that of our own.
    pub migrate: Option<Vec<String>>,
    /// Number of pods, where nothing else sets it.
    pub replicas: i32,
    /// What sets the number of pods instead.
    pub autoscaling: Option<Autoscaling>,
    /// More environment variables; none of the app contract.
    pub env: Vec<EnvVar>,
    /// Objects each key of which is a variable.
    pub env_from: Vec<EnvFromSource>,
    /// How it is asked whether it is well.
    pub probes: Probes,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// How many pods may be away while nodes are drained.
    pub max_unavailable: IntOrString,
    /// Where pods run.
    pub scheduling: Scheduling,
}

/// Checks all of `spec.api`.
pub(super) fn api(spec: &ApiSpec, check: &mut Check) -> Api {
    check.that(
        (0..=100).contains(&spec.replicas),
        "spec.api.replicas",
        "must be between 0 and 100",
    );
    if let Some(image) = &spec.image {
        check.that(
            words::is_image(image),
            "spec.api.image",
            "must be an image reference in ASCII without spaces, such as name:tag",
        );
    }
    pull_secrets(spec, check);
    start(spec, check);
    check.that(
        (1..=65_535).contains(&spec.port),
        "spec.api.port",
        "must be between 1 and 65535",
    );
    migrate(spec, check);
    env::variables(&spec.env, check);
    env::sources(&spec.env_from, check);
    resources(&spec.resources, "spec.api.resources", check);
    budget(&spec.disruption_budget.max_unavailable, check);
    let own_image = spec.image.is_none();
    let mode = spec.credentials.as_ref().and_then(|of| of.mode);
    Api {
        image: spec.image.clone(),
        image_pull_policy: spec.image_pull_policy,
        image_pull_secrets: spec
            .image_pull_secrets
            .iter()
            .map(|secret| secret.name.clone())
            .collect(),
        command: spec.command.clone(),
        args: spec.args.clone(),
        port: spec.port,
        // Our image reads files, which never show up in a process list; any other gets what the course's app reads.
        credentials: mode.unwrap_or(if own_image {
            CredentialsMode::File
        } else {
            CredentialsMode::Env
        }),
        migrate: spec.migrate.as_ref().map(|migrate| migrate.command.clone()),
        replicas: spec.replicas,
        autoscaling: autoscaling(spec, check),
        env: spec.env.clone(),
        env_from: spec.env_from.clone(),
        probes: probes::probes(spec.probes.as_ref(), own_image, check),
        resources: spec.resources.clone(),
        max_unavailable: spec.disruption_budget.max_unavailable.clone(),
        scheduling: scheduling::scheduling(spec.scheduling.as_ref(), check),
    }
}

fn pull_secrets(spec: &ApiSpec, check: &mut Check) {
    let secrets = &spec.image_pull_secrets;
    let names: std::collections::BTreeSet<&String> =
        secrets.iter().map(|secret| &secret.name).collect();
    check.that(
        secrets.len() <= 10 && names.len() == secrets.len(),
        "spec.api.imagePullSecrets",
        "must have at most 10 entries, each there once",
    );
    check.that(
        names.into_iter().all(|name| words::is_subdomain(name)),
        "spec.api.imagePullSecrets",
        "must be names of Secrets in this namespace: for example registry-password",
    );
}

/// What the container is started with.
fn start(spec: &ApiSpec, check: &mut Check) {
    for (line, field) in [
        (&spec.command, "spec.api.command"),
        (&spec.args, "spec.api.args"),
    ] {
        check.that(
            line.is_empty() || spec.image.is_some(),
            field,
            "needs spec.api.image: the operator's own API is started as it has to be",
        );
        command_line(line, 0, field, check);
    }
    program(&spec.command, "spec.api.command", check);
}

fn migrate(spec: &ApiSpec, check: &mut Check) {
    let Some(migrate) = &spec.migrate else { return };
    check.that(
        spec.image.is_some(),
        "spec.api.migrate",
        "needs spec.api.image: the operator's own API brings its own migrations",
    );
    command_line(&migrate.command, 1, "spec.api.migrate.command", check);
    program(&migrate.command, "spec.api.migrate.command", check);
}

fn command_line(line: &[String], least: usize, field: &str, check: &mut Check) {
    check.that(
        (least..=100).contains(&line.len()),
        field,
        &format!("must have between {least} and 100 words"),
    );
    check.that(
        line.iter().all(|word| word.chars().count() <= 4096),
        field,
        "may not have a word of more than 4096 characters",
    );
}

fn program(line: &[String], field: &str, check: &mut Check) {
    check.that(
        line.first().is_none_or(|word| !word.is_empty()),
        field,
        "must start with a program",
    );
}

/// Amounts of a container's resources, as every part of the stack takes them.
pub(super) fn resources(resources: &ResourceRequirements, field: &str, check: &mut Check) {
    let amounts = |amounts: &Option<BTreeMap<String, Quantity>>| {
        amounts.as_ref().is_none_or(|amounts| {
            amounts.len() <= 20 && amounts.values().all(|amount| words::is_quantity(&amount.0))
        })
    };
    for (amounts, field) in [
        (amounts(&resources.limits), format!("{field}.limits")),
        (amounts(&resources.requests), format!("{field}.requests")),
    ] {
        check.that(
            amounts,
            &field,
            "must be at most 20 quantities, none negative: for example 50m or 128Mi",
        );
    }
    check.that(
        resources.claims.as_ref().is_none_or(Vec::is_empty),
        &format!("{field}.claims"),
        "must be empty: the stack's pods claim no devices",
    );
}

fn budget(max_unavailable: &IntOrString, check: &mut Check) {
    let is_bound = match max_unavailable {
        IntOrString::Int(count) => (0..=100).contains(count),
        IntOrString::String(share) => words::is_percentage(share),
    };
    check.that(
        is_bound,
        "spec.api.disruptionBudget.maxUnavailable",
        "must be a number of pods up to 100, or a share such as 25%",
    );
}
