//! `spec.network` on a real API server: policies come, change and go with the isolation, and what the server does not take
//! of the user's own rules is told in its words.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN, Child, NETWORK_POLICY},
    pods::Kubelet,
    sandbox::Sandbox,
    stack::everything_on,
};

const OF_DATA: [Child; 2] = [(NETWORK_POLICY, "postgres"), (NETWORK_POLICY, "redis")];
const OF_API: [Child; 2] = [(NETWORK_POLICY, "api"), (NETWORK_POLICY, "api-migrate")];

fn strict(egress: &Value) -> Value {
    let named = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    json!({"network": {"isolation": "Strict", "strict": {
        "ingressNamespaces": named("traefik"), "monitoringNamespaces": named("monitoring"), "egress": egress,
    }}})
}

#[tokio::test]
async fn policies_come_and_go_with_the_isolation() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    stack.applied(OF_DATA.into_iter()).await;
    for child in OF_API {
        assert!(stack.child(child).await.is_none(), "{child:?} under Data");
    }

    // Without a protocol, as people write it: the server completes it, and it stays as it is.
    let egress = json!([{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443}]}]);
    stack.change(strict(&egress)).await;
    stack.ready().await;
    stack.applied(OF_DATA.into_iter().chain(OF_API)).await;
    let api = stack.must_child((NETWORK_POLICY, "api")).await;
    let rules = api["spec"]["egress"].as_array().expect("rules");
    let last = rules.last().expect("the user's own comes last");
    assert_eq!(last["to"], egress[0]["to"], "{api}");
    assert_eq!(last["ports"], json!([{"port": 443, "protocol": "TCP"}]));
    let redis = stack.must_child((NETWORK_POLICY, "redis")).await;
    assert_eq!(redis["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    let before = stack.versions(OF_DATA.into_iter().chain(OF_API)).await;
    stack.reconcile_again().await;
    let after = stack.versions(OF_DATA.into_iter().chain(OF_API)).await;
    assert_eq!(after, before, "a settled policy was written again");

    stack
        .change(json!({"network": {"isolation": "Disabled", "strict": null}}))
        .await;
    stack.ready().await;
    for child in OF_DATA.into_iter().chain(OF_API) {
        sandbox.gone(&child.0, &stack.name_of(child)).await;
    }
    stack
        .applied(
            CHILDREN
                .into_iter()
                .filter(|(kind, _)| *kind != NETWORK_POLICY),
        )
        .await;
}

#[tokio::test]
async fn without_redis_there_is_no_policy_about_it() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    stack.change(json!({"redis": {"engine": "Disabled"}})).await;
    stack.ready().await;
    sandbox.gone(&NETWORK_POLICY, "shop-redis").await;
    stack
        .applied([(NETWORK_POLICY, "postgres")].into_iter())
        .await;
}

#[tokio::test]
async fn a_rule_that_is_none_is_told_in_the_servers_words_and_the_data_is_closed_all_the_same() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let bad = json!([{"to": [{"ipBlock": {"cidr": "300.0.2.0/24"}}]}]);
    let stack = sandbox.stack("shop", strict(&bad)).await;
    let api = stack.becomes("ApiReady", "False", "ApplyFailed").await;
    assert!(
        api.message.contains("300.0.2.0/24") && api.message.contains("shop-api"),
        "{}",
        api.message
    );
    stack.applied(OF_DATA.into_iter()).await;
    stack.becomes("PostgresReady", "True", "Available").await;
    stack.change(strict(&json!([]))).await;
    stack.ready().await;
    assert!(stack.child((kinds::NETWORK_POLICY, "api")).await.is_some());
}
