//! The web API: `ServiceAccount`, Deployment, Service, `PodDisruptionBudget`. [pure]

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    PodTemplateSpec, Service, ServiceAccount, ServicePort, ServiceSpec,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Children;
use super::autoscaler::replicas;
use super::metadata::{Component, DATA_DIGEST, MIGRATED_IMAGE, MIGRATED_VOLUME};
use crate::migration::{Migration, Rollout};
use crate::observed::Observed;
use crate::settings::Images;
use crate::validate::Stack;

mod environment;
mod scheduling;
mod template;

pub use environment::environment;
pub use template::{container, pod_spec};

/// Name of the Service's port, and of the container's.
pub const PORT_NAME: &str = "http";

/// Name of the container, also in a migration's pods.
pub const CONTAINER: &str = "api";

const API: Component = Component::Api;

/// Adds the API's children.
pub fn add(
    stack: &Stack,
    images: &Images,
    observed: &Observed,
    migration: &Migration,
    children: &mut Children,
) {
    let name = API.name(&stack.name);
    children.service_accounts.push(ServiceAccount {
        metadata: API.owned(stack, name.clone()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    });
    children.services.push(Service {
        metadata: API.owned(stack, name.clone()),
        spec: Some(ServiceSpec {
            selector: Some(API.selector_labels(&stack.name)),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.to_owned()),
                port: 80,
                target_port: Some(IntOrString::String(PORT_NAME.to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    });
    let template = match &migration.rollout {
        Rollout::Wanted => Some(template::template(stack, images, data_digest(observed))),
        // As it is: what the spec changes besides the image comes with the image, once the gate opens.
        Rollout::Held(serving) => Some(PodTemplateSpec::clone(serving)),
        Rollout::Withheld => None,
    };
    children
        .deployments
        .extend(template.map(|template| deployment(stack, observed, migration, template)));
    children.pod_disruption_budgets.push(PodDisruptionBudget {
        metadata: API.owned(stack, name),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(stack.api.max_unavailable.clone()),
            selector: Some(API.selector(&stack.name)),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    });
}

/// The image of the API's pods.
pub fn image<'a>(stack: &'a Stack, images: &'a Images) -> &'a str {
    stack.api.image.as_deref().unwrap_or(&images.api)
}

/// Digest of the data that variables come from. What is not known is not other data: pods keep the one they were made with.
fn data_digest(observed: &Observed) -> Option<String> {
    if let Some(variables) = &observed.variables {
        return Some(variables.digest.clone());
    }
    let serving = observed.serving.as_ref()?.metadata.as_ref()?;
    serving.annotations.as_ref()?.get(DATA_DIGEST).cloned()
}

fn deployment(
    stack: &Stack,
    observed: &Observed,
    migration: &Migration,
    template: PodTemplateSpec,
) -> Deployment {
    let replicas = replicas(stack, observed);
    let mut metadata = API.owned(stack, API.name(&stack.name));
    metadata.resource_version = replicas.at_version;
    metadata.annotations = migration.record.as_ref().map(|record| {
        [
            (MIGRATED_IMAGE.to_owned(), record.image.clone()),
            (MIGRATED_VOLUME.to_owned(), record.volume.clone()),
        ]
        .into()
    });
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: replicas.sent,
            selector: API.selector(&stack.name),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template,
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

#[cfg(test)]
mod tests;
