//! The web API: `ServiceAccount`, Deployment, Service, `PodDisruptionBudget`. [pure]

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, HTTPGetAction, Lifecycle, LifecycleHandler, PodSpec,
    PodTemplateSpec, Probe, Service, ServiceAccount, ServicePort, ServiceSpec, SleepAction,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::autoscaler::replicas;
use super::connection::connections;
use super::metadata::{Component, MIGRATED_IMAGE, MIGRATED_VOLUME};
use super::{Children, pod};
use crate::migration::{Migration, Rollout};
use crate::observed::Observed;
use crate::settings::Images;
use crate::validate::Stack;

/// Port the API listens on, as the app contract says.
pub const PORT: i32 = 5000;
/// Name of the Service's port.
pub const PORT_NAME: &str = "http";

/// Name of the container, also in a migration's pods.
pub const CONTAINER: &str = "api";

const API: Component = Component::Api;

/// User and group of the API's image; any other image runs as it too, since `restricted` wants a number.
const USER: i64 = 65532;

/// Time between a pod's removal from its Service and SIGTERM, in seconds: proxies learn of the removal a moment later.
const PRE_STOP_SECONDS: i64 = 5;

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
        Rollout::Wanted => Some(template(stack, images)),
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
            max_unavailable: Some(IntOrString::Int(1)),
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

fn template(stack: &Stack, images: &Images) -> PodTemplateSpec {
    let readiness = if stack.api.image.is_none() {
        "/health/ready"
    } else {
        "/health"
    };
    let container = Container {
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        liveness_probe: Some(http_probe("/health", 10, 3)),
        readiness_probe: Some(http_probe(readiness, 2, 3)),
        // Up to two minutes for a slow first start; the other probes begin afterwards.
        startup_probe: Some(http_probe("/health", 1, 120)),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction {
                    seconds: PRE_STOP_SECONDS,
                }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        ..container(stack, images)
    };
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(API.labels(&stack.name)),
            ..ObjectMeta::default()
        }),
        spec: Some(pod_spec(stack, container)),
    }
}

/// What every container of the API's image has in common: the app contract, credentials, confinement. A migration runs
/// with all that the API runs with.
pub fn container(stack: &Stack, images: &Images) -> Container {
    let own_image = stack.api.image.is_none();
    let mut mounts = vec![pod::mount("tmp", "/tmp", false)];
    mounts.extend(
        connections(stack)
            .iter()
            .filter_map(|store| store.mount(own_image)),
    );
    Container {
        name: CONTAINER.to_owned(),
        image: Some(image(stack, images).to_owned()),
        env: Some(environment(stack, own_image)),
        resources: Some(stack.api.resources.clone()),
        security_context: Some(pod::confined()),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// A pod around that container.
pub fn pod_spec(stack: &Stack, container: Container) -> PodSpec {
    let mut volumes = vec![pod::scratch("tmp", "64Mi")];
    let own_image = stack.api.image.is_none();
    volumes.extend(
        connections(stack)
            .iter()
            .filter_map(|store| store.volume(own_image)),
    );
    PodSpec {
        service_account_name: Some(API.name(&stack.name)),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::security(USER)),
        // The drain of the API takes at most ten seconds.
        termination_grace_period_seconds: Some(30),
        containers: vec![container],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

/// The app contract, then the user's own variables.
fn environment(stack: &Stack, own_image: bool) -> Vec<EnvVar> {
    let mut env = vec![pod::env("PORT", PORT.to_string())];
    env.extend(
        connections(stack)
            .iter()
            .flat_map(|store| store.variables(own_image)),
    );
    env.extend(stack.api.env.iter().cloned());
    env
}

fn http_probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(3),
        failure_threshold: Some(failure_threshold),
        ..Probe::default()
    }
}
