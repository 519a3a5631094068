//! The pods of the API, and what a migration's pod shares with them. [pure]

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, HTTPGetAction, Lifecycle, LifecycleHandler, LocalObjectReference,
    PodSpec, PodTemplateSpec, SleepAction,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::environment::environment;
use super::{API, CONTAINER, PORT_NAME, image, scheduling};
use crate::crd::{CredentialsMode, PullPolicy};
use crate::desired::connection::connections;
use crate::desired::metadata::DATA_DIGEST;
use crate::desired::pod;
use crate::settings::Images;
use crate::validate::{Probe, Stack};

/// User and group of the API's image; any other image runs as it too, since `restricted` wants a number.
const USER: i64 = 65532;

/// Time between a pod's removal from its Service and SIGTERM, in seconds: proxies learn of the removal a moment later.
const PRE_STOP_SECONDS: i64 = 5;

/// The API's pods.
///
/// `data_digest` tells other data of the same name: pods with another digest are other pods.
pub(super) fn template(
    stack: &Stack,
    images: &Images,
    data_digest: Option<String>,
) -> PodTemplateSpec {
    let api = &stack.api;
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let container = Container {
        command: words(&api.command),
        args: words(&api.args),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: api.port,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        liveness_probe: Some(probe(&api.probes.liveness)),
        readiness_probe: Some(probe(&api.probes.readiness)),
        startup_probe: Some(probe(&api.probes.startup)),
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
            annotations: data_digest.map(|digest| [(DATA_DIGEST.to_owned(), digest)].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            affinity: api.scheduling.affinity.clone(),
            topology_spread_constraints: Some(scheduling::spread(stack)),
            ..pod_spec(stack, container)
        }),
    }
}

/// What every container of the API's image has in common: the app contract, credentials, confinement. A migration runs
/// with all that the API runs with.
pub fn container(stack: &Stack, images: &Images) -> Container {
    let api = &stack.api;
    let mut mounts = vec![pod::mount("tmp", "/tmp", false)];
    let stores = connections(stack);
    let as_files = api.credentials == CredentialsMode::File;
    mounts.extend(stores.iter().filter_map(|store| store.mount(as_files)));
    Container {
        name: CONTAINER.to_owned(),
        image: Some(image(stack, images).to_owned()),
        image_pull_policy: api.image_pull_policy.map(|policy| {
            match policy {
                PullPolicy::Always => "Always",
                PullPolicy::IfNotPresent => "IfNotPresent",
                PullPolicy::Never => "Never",
            }
            .to_owned()
        }),
        env: Some(environment(stack)),
        env_from: (!api.env_from.is_empty()).then(|| api.env_from.clone()),
        resources: Some(api.resources.clone()),
        security_context: Some(pod::confined()),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// A pod around that container, on nodes that the API may be on.
pub fn pod_spec(stack: &Stack, container: Container) -> PodSpec {
    let api = &stack.api;
    let mut volumes = vec![pod::scratch("tmp", "64Mi")];
    let stores = connections(stack);
    let as_files = api.credentials == CredentialsMode::File;
    volumes.extend(stores.iter().filter_map(|store| store.volume(as_files)));
    let pull_secrets = api.image_pull_secrets.iter();
    let pull_secrets: Vec<LocalObjectReference> = pull_secrets
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect();
    let nodes = &api.scheduling;
    PodSpec {
        service_account_name: Some(API.name(&stack.name)),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: (!pull_secrets.is_empty()).then_some(pull_secrets),
        security_context: Some(pod::security(USER)),
        // The drain of the API takes at most ten seconds.
        termination_grace_period_seconds: Some(30),
        node_selector: (!nodes.node_selector.is_empty()).then(|| nodes.node_selector.clone()),
        tolerations: (!nodes.tolerations.is_empty()).then(|| nodes.tolerations.clone()),
        // Of neighbours a migration's pod has no wish: where each node has a pod of the API, it would wait for ever.
        affinity: scheduling::nodes(stack),
        priority_class_name: nodes.priority_class_name.clone(),
        containers: vec![container],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn probe(probe: &Probe) -> k8s_openapi::api::core::v1::Probe {
    k8s_openapi::api::core::v1::Probe {
        http_get: Some(HTTPGetAction {
            path: Some(probe.path.clone()),
            port: IntOrString::String(PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        initial_delay_seconds: probe.initial_delay_seconds,
        period_seconds: Some(probe.period_seconds),
        timeout_seconds: Some(probe.timeout_seconds),
        failure_threshold: Some(probe.failure_threshold),
        ..k8s_openapi::api::core::v1::Probe::default()
    }
}
