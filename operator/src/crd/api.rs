//! `spec.api`: the web API's workload.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, ResourceRequirements};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

mod autoscaling;
mod container;
mod scheduling;

pub use autoscaling::{
    AutoscalingSpec, BehaviorSpec, ScalingPolicySpec, ScalingPolicyType, ScalingRulesSpec,
    SelectPolicy,
};
pub use container::{
    ApiCredentialsSpec, CredentialsMode, ProbeSpec, ProbesSpec, PullPolicy, PullSecret,
};
pub use scheduling::{DisruptionBudgetSpec, SchedulingSpec};

/// Port the API listens on unless said otherwise.
pub const DEFAULT_PORT: i32 = 5000;

/// Replicas when none are asked for: two, so that a node may leave without an outage.
pub const DEFAULT_REPLICAS: i32 = 2;

/// Environment variables of the app contract. The operator sets them, so `spec.api.env` may not.
pub const RESERVED_ENV: [&str; 16] = [
    "PORT",
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "DB_PASSWORD_FILE",
    "DB_SSLMODE",
    "DB_CA_FILE",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_USER",
    "REDIS_PASSWORD",
    "REDIS_PASSWORD_FILE",
    "REDIS_TLS",
    "REDIS_CA_FILE",
];

/// The web API.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.migrate) || has(self.image)").message("spec.api.migrate needs spec.api.image: the operator's own API brings its own migrations; remove migrate, or set the image it belongs to"))]
#[x_kube(validation = Rule::new("!has(self.autoscaling) || (has(self.resources) && ((has(self.resources.requests) && 'cpu' in self.resources.requests) || (has(self.resources.limits) && 'cpu' in self.resources.limits)))").message("spec.api.autoscaling needs a request of CPU, since the use of CPU is measured against it: set spec.api.resources.requests.cpu, for example 50m"))]
#[x_kube(validation = Rule::new("!has(self.autoscaling) || !has(self.autoscaling.targetMemoryUtilizationPercentage) || (has(self.resources) && ((has(self.resources.requests) && 'memory' in self.resources.requests) || (has(self.resources.limits) && 'memory' in self.resources.limits)))").message("spec.api.autoscaling.targetMemoryUtilizationPercentage needs a request of memory, since the use of memory is measured against it: set spec.api.resources.requests.memory, for example 64Mi"))]
#[x_kube(validation = Rule::new("has(self.image) || ((!has(self.command) || size(self.command) == 0) && (!has(self.args) || size(self.args) == 0))").message("spec.api.command and spec.api.args need spec.api.image: the operator's own API is started as it has to be; remove them, or set the image they belong to"))]
pub struct ApiSpec {
    /// Container image that fulfils the app contract. Unset: the API of the operator's own release, with its migrations, its readiness path and its credentials as files. With an image: readiness on /health and credentials as environment variables. Example: registry.example.org/shop:1.4.2
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[!-~]+$')").message("spec.api.image must not contain spaces or line breaks, or anything but ASCII: write it as name:tag or name@digest"))]
    pub image: Option<String>,

    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`. Unset: `Always` for a tag latest or none, `IfNotPresent` for any other. Example: `IfNotPresent`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,

    /// Secrets of type kubernetes.io/dockerconfigjson in the same namespace, for registries that ask who pulls; at most 10. Example: `[{name: registry-password}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub image_pull_secrets: Vec<PullSecret>,

    /// Program that spec.api.image is started with, instead of its entry point; as in a container, `$(NAME)` stands for a variable. Unset: the entry point. Example: [node, server.js]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 4096)), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("size(self) == 0 || self[0] != ''").message("spec.api.command must start with a program: for example [node, server.js]"))]
    pub command: Vec<String>,

    /// Arguments of the program. Unset: those of the image, unless a command is set. Example: `[--workers=2]`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 4096)), extend("x-kubernetes-list-type" = "atomic"))]
    pub args: Vec<String>,

    /// Port that the API listens on; PORT tells it. Routes, probes and scrapes follow. Default: 5000. Example: 8080
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// How the API gets the passwords of Postgres and Redis. Unset: as its image wants it. Example: `{mode: File}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<ApiCredentialsSpec>,

    /// Migrations of the database, run once by a Job before the pods get a new image; while it runs, and after it failed, the pods stay as they are. An image is known by its text: a tag that moves is not migrated again. Unset with an image: none. Without an image the operator's own API brings its own. Example: `{command: [shop, migrate]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrate: Option<MigrateSpec>,

    /// Number of pods. `kubectl scale tpstack` sets it too. While autoscaling is set it is kept and has no effect. Default: 2.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,

    /// Lets the number of pods follow their use of CPU, by a HorizontalPodAutoscaler; the cluster's metrics-server measures it. The count at which it is turned on is where it starts. Unset: the number is spec.api.replicas. Example: `{minReplicas: 2, maxReplicas: 10}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<AutoscalingSpec>,

    /// More environment variables, as in a container. The names of the app contract are set by the operator and refused here. Example: `[{name: LOG_LEVEL, value: debug}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[x_kube(validation = Rule::new("self.all(e, !(e.name in ['PORT', 'DB_HOST', 'DB_PORT', 'DB_NAME', 'DB_USER', 'DB_PASSWORD', 'DB_PASSWORD_FILE', 'DB_SSLMODE', 'DB_CA_FILE', 'REDIS_HOST', 'REDIS_PORT', 'REDIS_USER', 'REDIS_PASSWORD', 'REDIS_PASSWORD_FILE', 'REDIS_TLS', 'REDIS_CA_FILE']))").message("spec.api.env may not set a variable of the app contract (PORT, DB_*, REDIS_*): the operator sets it; remove the entry"))]
    #[x_kube(validation = Rule::new("self.all(e, e.name.matches('^[A-Za-z_][-A-Za-z0-9_.]*$'))").message("spec.api.env must be named in letters, digits, '_', '-' and '.', starting with a letter or '_': for example LOG_LEVEL"))]
    #[x_kube(validation = Rule::new("self.all(e, !has(e.valueFrom) || (!has(e.value) && [has(e.valueFrom.configMapKeyRef), has(e.valueFrom.secretKeyRef), has(e.valueFrom.fieldRef), has(e.valueFrom.resourceFieldRef)].exists_one(source, source)))").message("an entry of spec.api.env has either value or valueFrom, and valueFrom one source: configMapKeyRef, secretKeyRef, fieldRef or resourceFieldRef"))]
    pub env: Vec<EnvVar>,

    /// Secrets and config maps each key of which becomes a variable, as in a container, at most 20. Of two of one name the later source counts; spec.api.env and what the operator sets come before all of them. The pods are replaced when their data changes. Example: `[{configMapRef: {name: shop-settings}}, {prefix: MAIL_, secretRef: {name: shop-mail}}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("self.all(e, has(e.configMapRef) != has(e.secretRef))").message("an entry of spec.api.envFrom has either configMapRef or secretRef: write one entry for each"))]
    pub env_from: Vec<EnvFromSource>,

    /// How the API is asked whether it is well. Unset: on /health, as the app contract says. Example: `{readiness: {path: /ready}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<ProbesSpec>,

    /// CPU and memory of the API's container. Default: requests 50m CPU and 32Mi memory, limit 128Mi memory.
    #[serde(default = "default_resources")]
    pub resources: ResourceRequirements,

    /// How many pods may be away while nodes are drained. Default: `{maxUnavailable: 1}`.
    #[serde(default)]
    pub disruption_budget: DisruptionBudgetSpec,

    /// Where the pods run. Unset: anywhere, spread over zones and nodes as evenly as it goes. Example: `{nodeSelector: {kubernetes.io/arch: arm64}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<SchedulingSpec>,
}

/// Migrations of the database.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MigrateSpec {
    /// Program and arguments, run in a container of spec.api.image with the environment and credentials of the API's pods. It may be run again, at the same time never: it must leave what is done as it is, and exit with 0 when all is done. Example: [shop, migrate]
    #[schemars(length(min = 1, max = 100), inner(length(max = 4096)), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("self[0] != ''").message("spec.api.migrate.command must start with a program: for example [shop, migrate]"))]
    pub command: Vec<String>,
}

fn default_replicas() -> i32 {
    DEFAULT_REPLICAS
}

fn default_port() -> i32 {
    DEFAULT_PORT
}

fn default_resources() -> ResourceRequirements {
    serde_json::from_value(serde_json::json!({
        "requests": {"cpu": "50m", "memory": "32Mi"},
        "limits": {"memory": "128Mi"},
    }))
    .expect("a literal of this type")
}

impl Default for ApiSpec {
    fn default() -> Self {
        Self {
            image: None,
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            command: Vec::new(),
            args: Vec::new(),
            port: DEFAULT_PORT,
            credentials: None,
            migrate: None,
            replicas: DEFAULT_REPLICAS,
            autoscaling: None,
            env: Vec::new(),
            env_from: Vec::new(),
            probes: None,
            resources: default_resources(),
            disruption_budget: DisruptionBudgetSpec::default(),
            scheduling: None,
        }
    }
}
