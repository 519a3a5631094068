//! The kinds of object the operator reads and writes: one list, so that watches, reads, writes and roles cannot differ.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::ApiResource;

use crate::foreign::{Certificate, IngressRoute, Middleware, PrometheusRule, ServiceMonitor};

/// A kind of child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// core/v1 `Secret`: credentials. Read as metadata only.
    Secret,
    /// core/v1 `PersistentVolumeClaim`: volumes.
    PersistentVolumeClaim,
    /// core/v1 `ServiceAccount`.
    ServiceAccount,
    /// core/v1 `ConfigMap`.
    ConfigMap,
    /// core/v1 `Service`.
    Service,
    /// apps/v1 `Deployment`.
    Deployment,
    /// apps/v1 `StatefulSet`.
    StatefulSet,
    /// batch/v1 `Job`: migrations of the API's database.
    Job,
    /// autoscaling/v2 `HorizontalPodAutoscaler`.
    HorizontalPodAutoscaler,
    /// policy/v1 `PodDisruptionBudget`.
    PodDisruptionBudget,
    /// networking.k8s.io/v1 `NetworkPolicy`.
    NetworkPolicy,
    /// traefik.io/v1alpha1 `IngressRoute`. Optional.
    IngressRoute,
    /// traefik.io/v1alpha1 `Middleware`. Optional.
    Middleware,
    /// cert-manager.io/v1 `Certificate`. Optional.
    Certificate,
    /// monitoring.coreos.com/v1 `ServiceMonitor`. Optional.
    ServiceMonitor,
    /// monitoring.coreos.com/v1 `PrometheusRule`. Optional.
    PrometheusRule,
}

/// An API that a cluster may or may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptionalApi {
    /// Traefik's custom resources.
    Traefik,
    /// prometheus-operator's custom resources.
    PrometheusOperator,
    /// cert-manager's custom resources.
    CertManager,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::Secret,
        Self::PersistentVolumeClaim,
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::Deployment,
        Self::StatefulSet,
        Self::Job,
        Self::HorizontalPodAutoscaler,
        Self::PodDisruptionBudget,
        Self::NetworkPolicy,
        Self::IngressRoute,
        Self::Middleware,
        Self::Certificate,
        Self::ServiceMonitor,
        Self::PrometheusRule,
    ];

    /// Group, version, kind and plural.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            Self::Job => ApiResource::erase::<Job>(&()),
            Self::HorizontalPodAutoscaler => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::IngressRoute => ApiResource::erase::<IngressRoute>(&()),
            Self::Middleware => ApiResource::erase::<Middleware>(&()),
            Self::Certificate => ApiResource::erase::<Certificate>(&()),
            Self::ServiceMonitor => ApiResource::erase::<ServiceMonitor>(&()),
            Self::PrometheusRule => ApiResource::erase::<PrometheusRule>(&()),
        }
    }

    /// The optional API this kind belongs to, if any.
    pub fn optional(self) -> Option<OptionalApi> {
        match self {
            Self::IngressRoute | Self::Middleware => Some(OptionalApi::Traefik),
            Self::Certificate => Some(OptionalApi::CertManager),
            Self::ServiceMonitor | Self::PrometheusRule => Some(OptionalApi::PrometheusOperator),
            Self::Secret
            | Self::PersistentVolumeClaim
            | Self::ServiceAccount
            | Self::ConfigMap
            | Self::Service
            | Self::Deployment
            | Self::StatefulSet
            | Self::Job
            | Self::HorizontalPodAutoscaler
            | Self::PodDisruptionBudget
            | Self::NetworkPolicy => None,
        }
    }

    /// Whether objects of this kind hold what cannot be made again: the operator never deletes them.
    pub fn is_kept(self) -> bool {
        matches!(self, Self::Secret | Self::PersistentVolumeClaim)
    }
}

impl OptionalApi {
    /// Every optional API.
    pub const ALL: [Self; 3] = [Self::Traefik, Self::PrometheusOperator, Self::CertManager];

    /// Group and version as discovery spells them.
    pub fn group_version(self) -> &'static str {
        match self {
            Self::Traefik => "traefik.io/v1alpha1",
            Self::PrometheusOperator => "monitoring.coreos.com/v1",
            Self::CertManager => "cert-manager.io/v1",
        }
    }

    /// The name people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traefik => "Traefik",
            Self::PrometheusOperator => "prometheus-operator",
            Self::CertManager => "cert-manager",
        }
    }

    /// Kinds of this API that the operator writes: all must be served before it counts as installed.
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        Kind::ALL
            .into_iter()
            .filter(move |kind| kind.optional() == Some(self))
    }
}

/// One object of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl ObjectId {
    /// Names an object.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}
