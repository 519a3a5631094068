//! What the API server refuses to change afterwards, by the rules in the schema alone.

use serde_json::json;

use crate::{
    admit::{Case, refused},
    harness::{kinds, sandbox::Sandbox},
};

#[tokio::test]
async fn what_cannot_be_changed_afterwards_is_refused_with_the_way_out() {
    let sandbox = Sandbox::ungranted().await;
    let storage = json!({"size": "2Gi", "storageClassName": "slow"});
    sandbox
        .stack("classy", json!({"postgres": {"storage": storage}}))
        .await;
    // Everything by default: the defaults must hold as firmly as what was written.
    sandbox.stack("plain", json!({})).await;
    let cases: &[Case] = &[
        (
            "classy",
            json!({"postgres": {"storage": {"size": "1Gi"}}}),
            &["may only grow", "keep the present size"],
        ),
        (
            "plain",
            json!({"postgres": {"storage": {"size": "1023Mi"}}}),
            &["may only grow", "keep the present size"],
        ),
        (
            "plain",
            json!({"redis": {"persistence": {"size": "255Mi"}}}),
            &["may only grow", "keep the present size"],
        ),
        (
            "plain",
            json!({"postgres": {"database": "other"}}),
            &["spec.postgres.database is immutable", "second TpStack"],
        ),
        (
            "plain",
            json!({"postgres": {"version": "17"}}),
            &["spec.postgres.version"],
        ),
        (
            "plain",
            json!({"postgres": {"engine": "CloudNativePG"}}),
            &["spec.postgres.engine"],
        ),
        (
            "plain",
            json!({"postgres": {"storage": {"storageClassName": "fast"}}}),
            &["storageClassName is immutable", "second TpStack"],
        ),
        (
            "classy",
            json!({"postgres": {"storage": {"storageClassName": "fast"}}}),
            &["storageClassName is immutable", "second TpStack"],
        ),
        (
            "classy",
            json!({"postgres": {"storage": {"storageClassName": null}}}),
            &["storageClassName is immutable", "second TpStack"],
        ),
    ];
    for case @ (name, spec, _) in cases {
        let answer = sandbox
            .try_merge(&kinds::TPSTACK, name, json!({"spec": spec}), true)
            .await;
        refused(case, answer);
    }
    for (name, spec) in [
        ("classy", json!({"postgres": {"storage": {"size": "3Gi"}}})),
        (
            "plain",
            json!({"postgres": {"storage": {"size": "1025Mi"}}}),
        ),
        ("plain", json!({"postgres": null, "redis": null})),
        (
            "plain",
            json!({"redis": {"engine": "Disabled", "persistence": {"size": "1Gi"}}}),
        ),
    ] {
        let accepted = sandbox
            .try_merge(&kinds::TPSTACK, name, json!({"spec": spec}), true)
            .await;
        assert!(
            accepted.is_ok(),
            "{name} with {spec} was refused: {}",
            accepted.expect_err("it is").message
        );
    }
}
