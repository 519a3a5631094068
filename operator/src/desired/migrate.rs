//! The Job that migrates the API's database before the API gets a new image. [pure]

use std::collections::BTreeMap;
use std::fmt::Write;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};

use super::api;
use super::metadata::{Component, RECIPE};
use crate::settings::Images;
use crate::validate::Stack;

const MIGRATE: Component = Component::Migrate;

/// Argument of our own image that migrates. Its entry point stays.
const OWN_ARGUMENT: &str = "migrate";

/// Tries after the first, with pauses of 10, 20 … 320 s. Our own image waits a minute for the database within each:
/// about a quarter of an hour in all for Postgres to be there at first.
const BACKOFF_LIMIT: i32 = 6;

/// How long a finished Job and its logs are kept, in seconds. One that failed is made again then: once an hour.
pub const KEPT_SECONDS: i32 = 3600;

/// Bytes of the digest in the name: `<stack>-api-migrate-` and ten digits are 63 characters at most.
const DIGEST_BYTES: usize = 5;

/// Name of the Job that migrates for this image; `None` if nothing is to be migrated.
///
/// The image's digest is in it, since a Job cannot be changed: another image is another Job.
pub fn name(stack: &Stack, images: &Images) -> Option<String> {
    let command = command(stack)?;
    let mut digest = Sha256::new();
    for word in [api::image(stack, images)]
        .into_iter()
        .chain(command.iter().map(String::as_str))
    {
        digest.update(word);
        digest.update([0]);
    }
    let digest = hexadecimal(digest.finalize().iter().take(DIGEST_BYTES));
    Some(format!("{}-{digest}", MIGRATE.name(&stack.name)))
}

/// The Job; `None` if nothing is to be migrated. `volume` is the UID of the volume that holds the database.
pub fn job(stack: &Stack, images: &Images, volume: &str) -> Option<Job> {
    let command = command(stack)?;
    let own_image = stack.api.image.is_none();
    let container = Container {
        command: (!own_image).then(|| command.clone()),
        args: own_image.then(|| command.clone()),
        ..api::container(stack, images)
    };
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(MIGRATE.labels(&stack.name)),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            // A pod for each try, so that the logs of those that failed can be read.
            restart_policy: Some("Never".to_owned()),
            ..api::pod_spec(stack, container)
        }),
    };
    let mut metadata = MIGRATE.owned(stack, name(stack, images)?);
    metadata.annotations = Some(BTreeMap::from([(
        RECIPE.to_owned(),
        recipe(&template, volume),
    )]));
    Some(Job {
        metadata,
        spec: Some(JobSpec {
            backoff_limit: Some(BACKOFF_LIMIT),
            ttl_seconds_after_finished: Some(KEPT_SECONDS),
            // One at a time: the next try starts when the last one's pod has ended.
            pod_replacement_policy: Some("Failed".to_owned()),
            template,
            ..JobSpec::default()
        }),
        ..Job::default()
    })
}

/// Command of another image, argument of our own.
fn command(stack: &Stack) -> Option<Vec<String>> {
    match &stack.api.image {
        None => Some(vec![OWN_ARGUMENT.to_owned()]),
        Some(_) => stack.api.migrate.clone(),
    }
}

/// What a Job was made from, in short: the pod, and the database it was for.
fn recipe(template: &PodTemplateSpec, volume: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(template).expect("Kubernetes objects are plain data"));
    digest.update([0]);
    digest.update(volume);
    hexadecimal(digest.finalize().iter().take(16))
}

fn hexadecimal<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
