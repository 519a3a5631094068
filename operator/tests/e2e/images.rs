//! Which images run on the cluster, and how they get onto its node without a registry.

use anyhow::{Context, Result, ensure};
use std::{env, path::Path, process::Command};

use crate::{
    cluster::{Cluster, variable},
    command,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// References as the engine knows them.
pub(crate) struct Images {
    /// The operator, and where it comes from.
    pub(crate) operator: Ours,
    /// The API.
    pub(crate) api: Ours,
    /// Postgres.
    pub(crate) postgres: String,
    /// Redis.
    pub(crate) redis: String,
    /// Traefik.
    pub(crate) traefik: String,
}

/// One of our own images.
pub(crate) struct Ours {
    /// Its reference.
    pub(crate) reference: String,
    /// The Dockerfile's target to build it from; none when the caller brought the image.
    target: Option<&'static str>,
}

impl Images {
    /// Takes the references from the testbed's and this level's variables.
    pub(crate) fn from_environment() -> Result<Self> {
        Ok(Self {
            operator: Ours::from_environment("TPSTACK_E2E_OPERATOR_IMAGE", "tpstack"),
            api: Ours::from_environment("TPSTACK_E2E_API_IMAGE", "api"),
            postgres: taggable("TESTBED_IMAGE_POSTGRES", "postgres")?,
            redis: taggable("TESTBED_IMAGE_REDIS", "redis")?,
            traefik: taggable("TESTBED_IMAGE_TRAEFIK", "traefik")?,
        })
    }
}

impl Ours {
    fn from_environment(variable: &str, target: &'static str) -> Self {
        match env::var(variable) {
            Ok(reference) if !reference.is_empty() => Self {
                reference,
                target: None,
            },
            _ => Self {
                reference: format!("tpstack/{target}:{VERSION}"),
                target: Some(target),
            },
        }
    }

    /// Builds the image from the binaries compiled on this machine, so that it is never an old one.
    fn provide(&self, root: &Path) -> Result<()> {
        let Some(target) = self.target else {
            return exists(&self.reference).map(drop);
        };
        let binary = root.join("target/image/out").join(target);
        ensure!(
            binary.is_file(),
            "{} is missing: run `make binaries` first",
            binary.display()
        );
        command::succeed(
            Command::new("docker")
                .args([
                    "build",
                    "--quiet",
                    "--build-context",
                    "build=target/image",
                    "--target",
                    target,
                ])
                .args(["--tag", &self.reference, "."])
                .current_dir(root),
            "",
            300,
        )
        .map(drop)
    }
}

/// Step: our images are made, and all that the stack runs is loaded into the node.
pub(crate) fn are_on_the_node(cluster: &Cluster) -> Result<()> {
    let images = &cluster.images;
    images.operator.provide(&cluster.root)?;
    images.api.provide(&cluster.root)?;
    let references = [
        &images.operator.reference,
        &images.api.reference,
        &images.postgres,
        &images.redis,
        &images.traefik,
    ];
    for reference in references {
        exists(reference)?;
    }
    let mut load = Command::new("kind");
    load.args(["load", "docker-image", "--name", &cluster.kind])
        .args(references);
    command::succeed(&mut load, "", 300).map(drop)
}

/// The ID of an image that the engine has to have.
fn exists(reference: &str) -> Result<String> {
    let inspect = ["image", "inspect", "--format", "{{.Id}}", reference];
    let id = command::succeed(Command::new("docker").args(inspect), "", 30).with_context(|| {
        format!("the engine has no image {reference}: build it with `make images`, or pull it")
    })?;
    Ok(id.trim().to_owned())
}

/// The image that a variable names, under a name that `kind load` can carry: one with a digest gets a tag.
fn taggable(name: &str, short: &str) -> Result<String> {
    let reference = variable(name)?;
    if !reference.contains('@') {
        return Ok(reference);
    }
    let id = exists(&reference)?;
    let tag = format!("tpstack-e2e/{short}:pinned");
    command::succeed(Command::new("docker").args(["tag", &id, &tag]), "", 30)?;
    Ok(tag)
}
