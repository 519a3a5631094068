//! The kinds of objects that the tests touch, and the list of a stack's children.

use kube::api::{ApiResource, GroupVersionKind};

/// One kind of the API.
#[expect(clippy::struct_field_names, reason = "Kubernetes calls it so")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
}

impl Kind {
    const fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self {
            group,
            version,
            kind,
            plural,
        }
    }

    /// As kube's dynamic client wants it.
    pub(crate) fn resource(&self) -> ApiResource {
        ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk(self.group, self.version, self.kind),
            self.plural,
        )
    }

    /// As manifests write it.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether a controller of Kubernetes itself writes to objects of this kind.
    pub(crate) fn is_written_by_kubernetes(&self) -> bool {
        [
            DEPLOYMENT,
            STATEFUL_SET,
            DISRUPTION_BUDGET,
            VOLUME_CLAIM,
            JOB,
            AUTOSCALER,
        ]
        .contains(self)
    }

    /// Whether objects of this kind are kept when their stack goes.
    pub(crate) fn is_kept(&self) -> bool {
        [SECRET, VOLUME_CLAIM].contains(self)
    }
}

pub(crate) const TPSTACK: Kind = Kind::new("tpstack.dev", "v1alpha1", "TpStack", "tpstacks");
pub(crate) const NAMESPACE: Kind = Kind::new("", "v1", "Namespace", "namespaces");
pub(crate) const POD: Kind = Kind::new("", "v1", "Pod", "pods");
pub(crate) const SERVICE_ACCOUNT: Kind = Kind::new("", "v1", "ServiceAccount", "serviceaccounts");
pub(crate) const SERVICE: Kind = Kind::new("", "v1", "Service", "services");
pub(crate) const CONFIG_MAP: Kind = Kind::new("", "v1", "ConfigMap", "configmaps");
pub(crate) const SECRET: Kind = Kind::new("", "v1", "Secret", "secrets");
pub(crate) const VOLUME_CLAIM: Kind =
    Kind::new("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");
pub(crate) const VOLUME: Kind = Kind::new("", "v1", "PersistentVolume", "persistentvolumes");
pub(crate) const DEPLOYMENT: Kind = Kind::new("apps", "v1", "Deployment", "deployments");
pub(crate) const STATEFUL_SET: Kind = Kind::new("apps", "v1", "StatefulSet", "statefulsets");
pub(crate) const JOB: Kind = Kind::new("batch", "v1", "Job", "jobs");
pub(crate) const AUTOSCALER: Kind = Kind::new(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
);
pub(crate) const DISRUPTION_BUDGET: Kind = Kind::new(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
);
pub(crate) const NETWORK_POLICY: Kind = Kind::new(
    "networking.k8s.io",
    "v1",
    "NetworkPolicy",
    "networkpolicies",
);
pub(crate) const INGRESS_ROUTE: Kind =
    Kind::new("traefik.io", "v1alpha1", "IngressRoute", "ingressroutes");
pub(crate) const MIDDLEWARE: Kind =
    Kind::new("traefik.io", "v1alpha1", "Middleware", "middlewares");
pub(crate) const SERVICE_MONITOR: Kind = Kind::new(
    "monitoring.coreos.com",
    "v1",
    "ServiceMonitor",
    "servicemonitors",
);
pub(crate) const PROMETHEUS_RULE: Kind = Kind::new(
    "monitoring.coreos.com",
    "v1",
    "PrometheusRule",
    "prometheusrules",
);
pub(crate) const CERTIFICATE: Kind =
    Kind::new("cert-manager.io", "v1", "Certificate", "certificates");
pub(crate) const ENDPOINT_SLICE: Kind =
    Kind::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices");
pub(crate) const RESOURCE_QUOTA: Kind = Kind::new("", "v1", "ResourceQuota", "resourcequotas");
pub(crate) const LEASE: Kind = Kind::new("coordination.k8s.io", "v1", "Lease", "leases");
pub(crate) const EVENT: Kind = Kind::new("events.k8s.io", "v1", "Event", "events");
pub(crate) const ROLE_BINDING: Kind = Kind::new(
    "rbac.authorization.k8s.io",
    "v1",
    "RoleBinding",
    "rolebindings",
);
pub(crate) const ROLE: Kind = Kind::new("rbac.authorization.k8s.io", "v1", "Role", "roles");
pub(crate) const CRD: Kind = Kind::new(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
);
pub(crate) const ADMISSION_POLICY: Kind = Kind::new(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
);
pub(crate) const ADMISSION_BINDING: Kind = Kind::new(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
);
pub(crate) const STORAGE_CLASS: Kind =
    Kind::new("storage.k8s.io", "v1", "StorageClass", "storageclasses");

/// One child: its kind, and what its name has after the stack's.
pub(crate) type Child = (Kind, &'static str);

/// Every child of a stack with a route and monitoring, where both optional APIs are installed. But the Job of its
/// migration, which comes and goes, and whose name depends on the image (`migrate.rs`), and the autoscaler, which takes
/// the number of pods out of the spec's hands (`autoscaling.rs`), and the policies of the API, which only
/// `network.isolation: Strict` asks for.
pub(crate) const CHILDREN: [Child; 22] = [
    (SERVICE_ACCOUNT, "api"),
    (DEPLOYMENT, "api"),
    (SERVICE, "api"),
    (DISRUPTION_BUDGET, "api"),
    (INGRESS_ROUTE, "api"),
    (INGRESS_ROUTE, "api-redirect"),
    (MIDDLEWARE, "api-redirect"),
    (SERVICE_MONITOR, "api"),
    (PROMETHEUS_RULE, "api"),
    (CONFIG_MAP, "api-dashboard"),
    (SECRET, "postgres-credentials"),
    (VOLUME_CLAIM, "postgres-data"),
    (CONFIG_MAP, "postgres"),
    (STATEFUL_SET, "postgres"),
    (SERVICE, "postgres"),
    (NETWORK_POLICY, "postgres"),
    (SECRET, "redis-credentials"),
    (VOLUME_CLAIM, "redis-data"),
    (CONFIG_MAP, "redis"),
    (STATEFUL_SET, "redis"),
    (SERVICE, "redis"),
    (NETWORK_POLICY, "redis"),
];

/// Whether a child is there for monitoring alone.
pub(crate) fn is_monitoring((kind, suffix): &Child) -> bool {
    kind.group == "monitoring.coreos.com" || suffix.ends_with("-dashboard")
}
/// What a route has besides where everything is set that may be on it.
pub(crate) const EDGE: [Child; 8] = [
    (INGRESS_ROUTE, "api-metrics"),
    (MIDDLEWARE, "api-metrics"),
    (MIDDLEWARE, "api-headers"),
    (MIDDLEWARE, "api-rate-limit"),
    (MIDDLEWARE, "api-in-flight"),
    (MIDDLEWARE, "api-basic-auth"),
    (MIDDLEWARE, "api-compress"),
    (MIDDLEWARE, "api-retry"),
];

/// The children that can be made again: all but volumes and credentials.
pub(crate) fn replaceable() -> impl Iterator<Item = Child> {
    CHILDREN.into_iter().filter(|(kind, _)| !kind.is_kept())
}

/// The children that outlive their stack.
pub(crate) fn kept() -> impl Iterator<Item = Child> {
    CHILDREN.into_iter().filter(|(kind, _)| kind.is_kept())
}
