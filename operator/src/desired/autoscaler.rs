//! Who sets the number of the API's pods: the spec, or a `HorizontalPodAutoscaler`, and what is sent while the one hands
//! over to the other. [pure]

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use super::metadata::{Component, FIELD_MANAGER};
use crate::kind::{Kind, ObjectId};
use crate::observed::Observed;
use crate::validate::{Autoscaling, Stack};

mod behavior;

use behavior::behavior;

const API: Component = Component::Api;

/// What is sent of the Deployment's `spec.replicas`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    /// The count; `None` where it is left to its owner.
    pub sent: Option<i32>,
    /// Version of the Deployment whose count it is: another one may have another count, which must not be overwritten.
    pub at_version: Option<String>,
}

impl Replicas {
    fn set(count: i32) -> Self {
        Self {
            sent: Some(count),
            at_version: None,
        }
    }
}

/// The autoscaler; `None` where the spec sets the number of pods, or stops them: at 0 there is nothing to scale.
pub fn autoscaler(stack: &Stack) -> Option<HorizontalPodAutoscaler> {
    let autoscaling = stack.api.autoscaling.as_ref().filter(|_| !stack.stopped)?;
    Some(HorizontalPodAutoscaler {
        metadata: API.owned(stack, API.name(&stack.name)),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: API.name(&stack.name),
            },
            min_replicas: Some(autoscaling.min),
            max_replicas: autoscaling.max,
            metrics: Some(metrics(autoscaling)),
            behavior: Some(behavior(&autoscaling.behavior)),
        }),
        ..HorizontalPodAutoscaler::default()
    })
}

/// What is measured. Memory first: through autoscaling/v1, as which older servers keep it, CPU comes out last.
fn metrics(autoscaling: &Autoscaling) -> Vec<MetricSpec> {
    let targets = [
        ("memory", autoscaling.memory_percentage),
        ("cpu", Some(autoscaling.cpu_percentage)),
    ];
    let metric = |(name, percentage): (&str, Option<i32>)| {
        Some(MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(ResourceMetricSource {
                name: name.to_owned(),
                target: MetricTarget {
                    type_: "Utilization".to_owned(),
                    average_utilization: Some(percentage?),
                    ..MetricTarget::default()
                },
            }),
            ..MetricSpec::default()
        })
    };
    targets.into_iter().filter_map(metric).collect()
}

/// What is sent of the count.
///
/// An autoscaler changes it without asking. Until it first did, the field is ours alone, and leaving it out would have
/// the server fall back to one pod: the count that is there is sent. Once somebody else owns the field it is left out.
pub fn replicas(stack: &Stack, observed: &Observed) -> Replicas {
    if stack.stopped {
        return Replicas::set(0);
    }
    let Some(autoscaling) = &stack.api.autoscaling else {
        return Replicas::set(stack.api.replicas);
    };
    let id = ObjectId::new(Kind::Deployment, API.name(&stack.name));
    let (Some(metadata), Some(live)) = (observed.object(&id), observed.live_replicas) else {
        return Replicas::set(autoscaling.min);
    };
    let at_version = metadata.resource_version.clone();
    if live < 1 {
        // Stopped until now. An autoscaler leaves what is at 0 alone, whoever put it there: this is where it starts.
        return Replicas {
            sent: Some(autoscaling.min),
            at_version,
        };
    }
    if is_handed_over(metadata) {
        return Replicas::default();
    }
    Replicas {
        sent: Some(live),
        at_version,
    }
}

/// Whether another manager than us owns the count.
fn is_handed_over(metadata: &ObjectMeta) -> bool {
    let mut entries = metadata.managed_fields.iter().flatten();
    entries.any(|entry| !is_our_apply(entry) && owns_replicas(entry))
}

fn is_our_apply(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
}

fn owns_replicas(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry.fields_v1.as_ref();
    fields.is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Replicas, autoscaler, replicas};
    use crate::crd::TpStack;
    use crate::kind::{Kind, ObjectId};
    use crate::observed::Observed;
    use crate::validate::{Stack, validate};

    fn stack(spec: &Value) -> Stack {
        let raw: TpStack = serde_json::from_value(json!({
            "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": spec,
        }))
        .unwrap();
        validate(&raw).unwrap()
    }

    fn autoscaled() -> Stack {
        stack(&json!({"api": {"replicas": 4, "autoscaling": {"minReplicas": 3, "maxReplicas": 9}}}))
    }

    /// A Deployment with this count, which these managers own.
    fn live(count: i32, owners: &[(&str, &str)]) -> Observed {
        let entries: Vec<Value> = owners
            .iter()
            .map(|(manager, operation)| {
                json!({"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {"f:replicas": {}}}})
            })
            .chain([json!({"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}})])
            .collect();
        let metadata = json!({"uid": "d", "resourceVersion": "7", "managedFields": entries});
        let mut observed = Observed {
            live_replicas: Some(count),
            ..Observed::default()
        };
        observed.objects.insert(
            ObjectId::new(Kind::Deployment, "shop-api"),
            serde_json::from_value(metadata).unwrap(),
        );
        observed
    }

    const OURS: (&str, &str) = ("tpstack-operator", "Apply");

    fn check(observed: &Observed, sent: Option<i32>, at_version: Option<&str>) {
        let expected = Replicas {
            sent,
            at_version: at_version.map(str::to_owned),
        };
        assert_eq!(replicas(&autoscaled(), observed), expected);
    }

    #[test]
    fn the_live_count_is_sent_until_somebody_else_owns_it() {
        check(&live(5, &[OURS]), Some(5), Some("7"));
        check(&live(5, &[]), Some(5), Some("7"));
        let autoscaler = ("kube-controller-manager", "Update");
        check(&live(6, &[autoscaler]), None, None);
        check(&live(6, &[OURS, autoscaler]), None, None);
        // Our name under another operation is not what we apply.
        check(&live(6, &[("tpstack-operator", "Update")]), None, None);
    }

    #[test]
    fn a_new_deployment_and_one_at_zero_start_with_the_least_number() {
        check(&Observed::default(), Some(3), None);
        check(&live(0, &[OURS]), Some(3), Some("7"));
        check(&live(0, &[("kubectl", "Update")]), Some(3), Some("7"));
    }

    #[test]
    fn without_an_autoscaler_the_spec_says_how_many() {
        let spec = json!({"api": {"replicas": 4}});
        let six = live(6, &[("kube-controller-manager", "Update")]);
        assert_eq!(replicas(&stack(&spec), &six), Replicas::set(4));
        assert_eq!(autoscaler(&stack(&spec)), None);
    }

    #[test]
    fn what_is_stopped_has_no_pods_and_no_autoscaler() {
        let mut stopped = autoscaled();
        stopped.stopped = true;
        let six = live(6, &[("kube-controller-manager", "Update")]);
        assert_eq!(replicas(&stopped, &six), Replicas::set(0));
        assert_eq!(autoscaler(&stopped), None);
    }

    #[test]
    fn the_autoscaler_says_what_the_spec_says() {
        let spec = serde_json::to_value(autoscaler(&autoscaled()).unwrap().spec).unwrap();
        assert_eq!(spec["minReplicas"], 3);
        assert_eq!(spec["maxReplicas"], 9);
        assert_eq!(
            spec["metrics"][0]["resource"]["target"]["averageUtilization"],
            80
        );
        assert_eq!(spec["scaleTargetRef"]["name"], "shop-api");
    }

    #[test]
    fn memory_is_measured_where_it_is_asked_for_and_cpu_always() {
        let measured = |target| {
            let mut autoscaling = json!({"minReplicas": 3, "maxReplicas": 9});
            autoscaling["targetMemoryUtilizationPercentage"] = target;
            let stack = stack(&json!({"api": {"autoscaling": autoscaling}}));
            let metrics = super::metrics(stack.api.autoscaling.as_ref().unwrap());
            let resources = metrics.into_iter().filter_map(|metric| metric.resource);
            let target = |of: &super::ResourceMetricSource| of.target.average_utilization;
            resources
                .map(|of| (target(&of), of.name))
                .collect::<Vec<_>>()
        };
        let (cpu, memory) = (
            (Some(80), "cpu".to_owned()),
            (Some(120), "memory".to_owned()),
        );
        assert_eq!(measured(Value::Null), std::slice::from_ref(&cpu));
        assert_eq!(measured(json!(120)), [memory, cpu]);
    }
}
