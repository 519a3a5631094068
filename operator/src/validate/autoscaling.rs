//! `spec.api.autoscaling`. [pure]

use k8s_openapi::api::core::v1::ResourceRequirements;

use super::Check;
use crate::crd::{ApiSpec, BehaviorSpec, ScalingRulesSpec};

/// How the number of the API's pods follows the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// Least number of pods; at least one.
    pub min: i32,
    /// Largest number of pods.
    pub max: i32,
    /// Use of CPU that is aimed at, in percent of what is requested.
    pub cpu_percentage: i32,
    /// Use of memory that is aimed at, in percent of what is requested; `None`: it does not count.
    pub memory_percentage: Option<i32>,
    /// How fast the number may change.
    pub behavior: BehaviorSpec,
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
        requests(&spec.resources, "cpu"),
        "spec.api.autoscaling",
        "needs a request of CPU, since the use of CPU is measured against it: set spec.api.resources.requests.cpu, for example 50m",
    );
    let memory = autoscaling.target_memory_utilization_percentage;
    let field = "spec.api.autoscaling.targetMemoryUtilizationPercentage";
    check.that(
        memory.is_none_or(|memory| (1..=1000).contains(&memory)),
        field,
        "must be between 1 and 1000",
    );
    check.that(
        memory.is_none() || requests(&spec.resources, "memory"),
        field,
        "needs a request of memory, since the use of memory is measured against it: set spec.api.resources.requests.memory, for example 64Mi",
    );
    let behavior = autoscaling.behavior.clone().unwrap_or_default();
    for (rules, direction) in [
        (&behavior.scale_up, "scaleUp"),
        (&behavior.scale_down, "scaleDown"),
    ] {
        if let Some(rules) = rules {
            scaling_rules(rules, direction, check);
        }
    }
    Some(Autoscaling {
        min: autoscaling.min_replicas,
        max: autoscaling.max_replicas,
        cpu_percentage: autoscaling.target_cpu_utilization_percentage,
        memory_percentage: memory,
        behavior,
    })
}

fn scaling_rules(rules: &ScalingRulesSpec, direction: &str, check: &mut Check) {
    let field = format!("spec.api.autoscaling.behavior.{direction}");
    check.that(
        rules
            .stabilization_window_seconds
            .is_none_or(|window| (0..=3600).contains(&window)),
        &format!("{field}.stabilizationWindowSeconds"),
        "must be between 0 and 3600",
    );
    let is_policy = |policy: &crate::crd::ScalingPolicySpec| {
        (1..=10_000).contains(&policy.value) && (1..=1800).contains(&policy.period_seconds)
    };
    check.that(
        rules.policies.len() <= 10 && rules.policies.iter().all(is_policy),
        &format!("{field}.policies"),
        "must be at most 10, each with a value between 1 and 10000 and periodSeconds between 1 and 1800",
    );
}

/// Whether pods ask for this. A limit alone is enough: Kubernetes takes it for the request that is not there.
fn requests(resources: &ResourceRequirements, resource: &str) -> bool {
    [&resources.requests, &resources.limits]
        .into_iter()
        .flatten()
        .any(|quantities| quantities.contains_key(resource))
}
