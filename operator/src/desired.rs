//! The list of everything a stack owns, made from the validated spec and what was observed. [pure]

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::Value;

use crate::crd::MonitoringMode;
use crate::foreign::{Certificate, IngressRoute, Middleware, PrometheusRule, ServiceMonitor};
use crate::kept::Pair;
use crate::kind::{Kind, ObjectId, OptionalApi};
use crate::migration::Migration;
use crate::observed::Observed;
use crate::settings::Images;
use crate::validate::Stack;

pub mod api;
pub mod autoscaler;
pub mod connection;
pub mod metadata;
pub mod migrate;
pub mod monitoring;
pub mod network;
pub mod pod;
pub mod postgres;
pub mod redis;
pub mod routes;
pub mod storage;

/// What is known of the stores when children are made; `None` for a store that is left alone.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// Postgres' volume and credentials.
    pub postgres: Option<Pair>,
    /// Redis' volume and credentials.
    pub redis: Option<Pair>,
}

/// Everything a stack owns: one field per kind, so that a kind cannot be forgotten where they are written.
#[derive(Clone, Debug, Default)]
pub struct Children {
    /// Kept volumes that are there: their labels, annotations, owner and size.
    pub volumes: Vec<PersistentVolumeClaim>,
    /// Kept credentials that are there: their labels, annotations and owner; never their data.
    pub credentials: Vec<Secret>,
    /// Identities of pods.
    pub service_accounts: Vec<ServiceAccount>,
    /// Configuration files.
    pub config_maps: Vec<ConfigMap>,
    /// Names in the cluster's DNS.
    pub services: Vec<Service>,
    /// The API.
    pub deployments: Vec<Deployment>,
    /// The stores.
    pub stateful_sets: Vec<StatefulSet>,
    /// Migrations of the API's database.
    pub jobs: Vec<Job>,
    /// What sets the number of the API's pods.
    pub autoscalers: Vec<HorizontalPodAutoscaler>,
    /// Bounds on voluntary disruption.
    pub pod_disruption_budgets: Vec<PodDisruptionBudget>,
    /// Who may reach the pods, and what they may reach.
    pub network_policies: Vec<NetworkPolicy>,
    /// Routes from outside.
    pub ingress_routes: Vec<IngressRoute>,
    /// Steps on those routes.
    pub middlewares: Vec<Middleware>,
    /// What cert-manager gets for those routes.
    pub certificates: Vec<Certificate>,
    /// What Prometheus scrapes.
    pub service_monitors: Vec<ServiceMonitor>,
    /// What Prometheus makes of it: recorded series and alerts.
    pub prometheus_rules: Vec<PrometheusRule>,
}

/// One child, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Kind and name.
    pub id: ObjectId,
    /// The part of the stack whose condition tells about it.
    pub part: Part,
    /// The whole object, with apiVersion and kind.
    pub value: Value,
}

/// A part of the stack with a condition of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The web API.
    Api,
    /// The database.
    Postgres,
    /// The cache.
    Redis,
    /// Routes.
    Ingress,
    /// Scraping, rules and dashboards.
    Monitoring,
}

impl Part {
    /// The part that an object belongs to.
    pub fn of(id: &ObjectId, labels: &crate::foreign::Labels) -> Self {
        match id.kind {
            Kind::IngressRoute | Kind::Middleware | Kind::Certificate => Self::Ingress,
            Kind::ServiceMonitor | Kind::PrometheusRule => Self::Monitoring,
            Kind::ConfigMap if monitoring::is_dashboard(&id.name) => Self::Monitoring,
            _ => match labels.get(metadata::COMPONENT_LABEL).map(String::as_str) {
                Some("postgres") => Self::Postgres,
                Some("redis") => Self::Redis,
                _ => Self::Api,
            },
        }
    }
}

/// Makes everything a stack owns.
pub fn desired(
    stack: &Stack,
    images: &Images,
    observed: &Observed,
    stores: &Stores,
    migration: &Migration,
) -> Children {
    let mut children = Children::default();
    api::add(stack, images, observed, migration, &mut children);
    children.autoscalers.extend(autoscaler::autoscaler(stack));
    children.jobs.extend(migration.job.as_deref().cloned());
    if let Some(pair) = &stores.postgres
        && stack.external.postgres.is_none()
    {
        postgres::add(stack, images, pair, &mut children);
    }
    if let (Some(redis), Some(pair)) = (&stack.redis, &stores.redis) {
        redis::add(stack, redis, images, pair, &mut children);
    }
    storage::add(stack, observed, stores, &mut children);
    network::add(stack, &mut children);
    if let Some(ingress) = &stack.ingress
        && observed.capabilities.has(OptionalApi::Traefik)
    {
        routes::add(stack, ingress, &mut children);
    }
    if let Some(ingress) = &stack.ingress
        && observed.capabilities.has(OptionalApi::CertManager)
    {
        routes::certificate::add(stack, ingress, &mut children);
    }
    if stack.monitoring.mode != MonitoringMode::Disabled
        && observed.capabilities.has(OptionalApi::PrometheusOperator)
    {
        monitoring::add(stack, &mut children);
    }
    children
}

impl Children {
    /// All children as objects, in the order in which a reader expects them: what others need comes first.
    pub fn into_objects(self) -> Vec<Object> {
        // No `..`: a new field that is not written does not compile.
        let Self {
            volumes,
            credentials,
            service_accounts,
            config_maps,
            services,
            deployments,
            stateful_sets,
            jobs,
            autoscalers,
            pod_disruption_budgets,
            network_policies,
            ingress_routes,
            middlewares,
            certificates,
            service_monitors,
            prometheus_rules,
        } = self;
        let mut objects = Vec::new();
        push(&mut objects, Kind::PersistentVolumeClaim, volumes);
        push(&mut objects, Kind::Secret, credentials);
        push(&mut objects, Kind::ServiceAccount, service_accounts);
        push(&mut objects, Kind::ConfigMap, config_maps);
        push(&mut objects, Kind::Service, services);
        push(&mut objects, Kind::NetworkPolicy, network_policies);
        push(&mut objects, Kind::StatefulSet, stateful_sets);
        push(&mut objects, Kind::Job, jobs);
        push(&mut objects, Kind::Deployment, deployments);
        push(&mut objects, Kind::HorizontalPodAutoscaler, autoscalers);
        push(
            &mut objects,
            Kind::PodDisruptionBudget,
            pod_disruption_budgets,
        );
        push(&mut objects, Kind::Certificate, certificates);
        push(&mut objects, Kind::Middleware, middlewares);
        push(&mut objects, Kind::IngressRoute, ingress_routes);
        push(&mut objects, Kind::ServiceMonitor, service_monitors);
        push(&mut objects, Kind::PrometheusRule, prometheus_rules);
        objects
    }
}

fn push<K: Resource<DynamicType = ()> + Serialize>(
    objects: &mut Vec<Object>,
    kind: Kind,
    children: Vec<K>,
) {
    for child in children {
        let id = ObjectId::new(kind, child.name_any());
        let part = Part::of(&id, child.labels());
        let value = serde_json::to_value(child).expect("Kubernetes objects are plain data");
        objects.push(Object { id, part, value });
    }
}
