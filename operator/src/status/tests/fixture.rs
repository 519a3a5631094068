//! Stacks and runs as the tests of status want them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use crate::apply::Applied;
use crate::crd::{ConditionStatus, TpStack, TpStackStatus};
use crate::kind::{Kind, ObjectId};
use crate::observed::{Capabilities, Observed};
use crate::outcome::{Outcome, Worked};
use crate::plan::Work;
use crate::settings::ServiceAccountName;
use crate::status::status;
use crate::validate::validate;

pub(in crate::status) fn tp_stack(spec: &Value) -> TpStack {
    serde_json::from_value(json!({
        "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack",
        "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1", "generation": 3}, "spec": spec,
    }))
    .unwrap()
}

pub(in crate::status) fn at(second: i64) -> Time {
    Time(jiff::Timestamp::from_second(second).unwrap())
}

pub(in crate::status) fn told(
    raw: &TpStack,
    old: &TpStackStatus,
    outcome: &Outcome,
    second: i64,
) -> TpStackStatus {
    let account = ServiceAccountName {
        namespace: "tpstack-system".to_owned(),
        name: "tpstack-operator".to_owned(),
    };
    let told = status(
        &raw.metadata,
        Some(raw),
        old,
        outcome,
        &account,
        &at(second),
    );
    for condition in &told.conditions {
        let message = &condition.message;
        assert!(
            !message.contains("  ") && !message.contains('\n'),
            "a line of the source shows in {message:?}"
        );
    }
    told
}

/// A run after which every workload was ready.
pub(in crate::status) fn ready(raw: &TpStack) -> Worked {
    let mut applied = Applied::default();
    let workloads = [
        (
            Kind::Deployment,
            "shop-api",
            json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}),
        ),
        (
            Kind::StatefulSet,
            "shop-postgres",
            json!({"observedGeneration": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"}),
        ),
        (
            Kind::StatefulSet,
            "shop-redis",
            json!({"observedGeneration": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"}),
        ),
    ];
    for (kind, name, status) in workloads {
        let object = json!({"metadata": {"name": name, "generation": 1}, "status": status});
        applied.objects.insert(
            ObjectId::new(kind, name),
            serde_json::from_value(object).unwrap(),
        );
    }
    Worked {
        stack: validate(raw).unwrap(),
        observed: Observed {
            capabilities: Capabilities::all(),
            ..Observed::default()
        },
        work: Work::default(),
        applied,
        not_created: Vec::new(),
    }
}

pub(in crate::status) fn condition(
    status: &TpStackStatus,
    name: &str,
) -> (ConditionStatus, String, String) {
    let condition = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == name)
        .unwrap();
    (
        condition.status,
        condition.reason.clone(),
        condition.message.clone(),
    )
}

pub(in crate::status) fn check(
    status: &TpStackStatus,
    name: &str,
    expected: ConditionStatus,
    reason: &str,
) {
    let (found, why, message) = condition(status, name);
    assert_eq!(
        (found, why.as_str()),
        (expected, reason),
        "{name}: {message}"
    );
}
