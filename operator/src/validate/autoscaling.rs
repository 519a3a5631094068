//! `spec.api.autoscaling`. [pure]

use k8s_openapi::api::core::v1::ResourceRequirements;

use super::Check;
use crate::crd::ApiSpec;

/// How the number of the API's pods follows the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// Least number of pods; at least one.
    pub min: i32,
    /// Largest number of pods.
    pub max: i32,
    /// Use of CPU that is aimed at, in percent of what is requested.
    pub cpu_percentage: i32,
}

pub(super) fn autoscaling(spec: &ApiSpec, check: &mut Check) -> Option<Autoscaling> {
    let autoscaling = spec.autoscaling.as_ref()?;
    for (count, field) in [
        (autoscaling.min_replicas, "spec.api.autoscaling.minReplicas"),
        (autoscaling.max_replicas, "spec.api.autoscaling.maxReplicas"),
        (
            autoscaling.target_cpu_utilization_percentage,
            "spec.api.autoscaling.targetCPUUtilizationPercentage",
        ),
    ] {
        check.that(
            (1..=100).contains(&count),
            field,
            "must be between 1 and 100",
        );
    }
    check.that(
        autoscaling.min_replicas <= autoscaling.max_replicas,
        "spec.api.autoscaling.minReplicas",
        "must not be larger than maxReplicas",
    );
    check.that(
        requests_cpu(&spec.resources),
        "spec.api.autoscaling",
        "needs a request of CPU, since the use of CPU is measured against it: set spec.api.resources.requests.cpu, for example 50m",
    );
    Some(Autoscaling {
        min: autoscaling.min_replicas,
        max: autoscaling.max_replicas,
        cpu_percentage: autoscaling.target_cpu_utilization_percentage,
    })
}

/// Whether pods ask for CPU. A limit alone is enough: Kubernetes takes it for the request that is not there.
fn requests_cpu(resources: &ResourceRequirements) -> bool {
    [&resources.requests, &resources.limits]
        .into_iter()
        .flatten()
        .any(|quantities| quantities.contains_key("cpu"))
}
