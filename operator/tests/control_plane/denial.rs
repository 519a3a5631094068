//! A role that an administrator has cut: one kind, or one verb on one kind, is missing. It is named, and the rest goes on.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    environment::kubectl,
    kinds::{self, CHILDREN, Child},
    pods::Kubelet,
    sandbox::Sandbox,
    setup::{OPERATOR_ACCOUNT, OPERATOR_NAMESPACE},
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

#[tokio::test]
async fn a_grant_that_lacks_one_kind_degrades_that_kind_by_name() {
    let sandbox = Sandbox::ungranted().await;
    // As a careful administrator might cut it.
    grant_all_but(&sandbox, &[], "servicemonitors");
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    eventually(
        &sandbox,
        "Ready is False and the message names servicemonitors",
        async || {
            let ready = stack
                .condition("Ready")
                .await
                .ok_or("it has no condition Ready")?;
            let monitoring = stack
                .condition("MonitoringReady")
                .await
                .map(|c| c.message)
                .unwrap_or_default();
            let words = format!("{} {monitoring}", ready.message).to_lowercase();
            holds(
                ready.status == "False" && words.contains("servicemonitor"),
                || format!("{ready:?}, monitoring: {monitoring}"),
            )
        },
    )
    .await;
    stack
        .applied(
            CHILDREN
                .into_iter()
                .filter(|(kind, _)| *kind != kinds::SERVICE_MONITOR),
        )
        .await;
}

/// A verb that is taken away on one kind; the spec that needs it; the condition that has to name it; the children that
/// are there all the same.
struct Denial {
    verb: &'static str,
    resource: &'static str,
    condition: &'static str,
    untouched: fn(&Child) -> bool,
}

#[tokio::test]
async fn each_verb_that_is_taken_away_on_one_kind_is_named_and_the_rest_goes_on() {
    let without = |verb, resource, condition, untouched| Denial {
        verb,
        resource,
        condition,
        untouched,
    };
    let denials = [
        without("list", "poddisruptionbudgets", "ApiReady", |(kind, _)| {
            *kind != kinds::DISRUPTION_BUDGET
        }),
        without("patch", "networkpolicies", "RedisReady", |(kind, _)| {
            *kind != kinds::NETWORK_POLICY
        }),
        without("get", "services", "PostgresReady", |(kind, _)| {
            *kind != kinds::SERVICE
        }),
        without("create", "middlewares", "IngressReady", |(kind, _)| {
            *kind != kinds::MIDDLEWARE
        }),
        without("patch", "ingressroutes", "IngressReady", |(kind, _)| {
            *kind != kinds::INGRESS_ROUTE
        }),
        // Without a key no store, and without a database no API; what needs neither is made.
        without("create", "secrets", "PostgresReady", |(kind, _)| {
            [
                kinds::SERVICE_ACCOUNT,
                kinds::SERVICE_MONITOR,
                kinds::INGRESS_ROUTE,
            ]
            .contains(kind)
        }),
        without("get", "jobs", "ApiReady", |(kind, name)| {
            *name != "api" || *kind == kinds::SERVICE
        }),
    ];
    let sandbox = Sandbox::ungranted().await;
    join_all(denials.iter().map(async |denial| {
        let sandbox = sandbox.ungranted_beside().await;
        let _kubelet = Kubelet::start(&sandbox);
        grant_all_but(&sandbox, &[denial.verb], denial.resource);
        let stack = sandbox.stack("shop", everything_on()).await;
        named(&stack, denial).await;
        stack
            .applied(CHILDREN.into_iter().filter(denial.untouched))
            .await;
        // Given back, it heals.
        grant_all_but(&sandbox, &[], "nothing");
        stack.ready().await;
        stack.applied(CHILDREN.into_iter()).await;
    }))
    .await;
}

#[tokio::test]
async fn a_right_to_delete_that_is_taken_away_is_named_and_nothing_else_waits_for_it() {
    let sandbox = Sandbox::ungranted().await;
    let _kubelet = Kubelet::start(&sandbox);
    grant_all_but(&sandbox, &["delete"], "ingressroutes");
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    stack
        .change(json!({"ingress": null, "api": {"replicas": 3}}))
        .await;
    let denial = Denial {
        verb: "delete",
        resource: "ingressroutes",
        condition: "IngressReady",
        untouched: |_| true,
    };
    named(&stack, &denial).await;
    stack.becomes("ApiReady", "True", "Available").await;
    grant_all_but(&sandbox, &[], "nothing");
    stack.ready().await;
    sandbox.gone(&kinds::INGRESS_ROUTE, "shop-api").await;
}

#[tokio::test]
async fn a_kind_that_may_not_be_watched_holds_up_nothing() {
    let sandbox = Sandbox::ungranted().await;
    let _kubelet = Kubelet::start(&sandbox);
    grant_all_but(&sandbox, &["watch"], "services");
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    // What is watched is healed at once, and what is not with it.
    sandbox.delete(&kinds::SERVICE, "shop-redis").await;
    sandbox.delete(&kinds::CONFIG_MAP, "shop-redis").await;
    stack.applied(CHILDREN.into_iter()).await;
}

/// Waits until the condition is False, in the server's own words about this verb and kind.
async fn named(stack: &Stack<'_>, denial: &Denial) {
    let Denial { verb, resource, .. } = denial;
    let words = format!("cannot {verb} resource \"{resource}\"");
    eventually(
        stack.sandbox,
        &format!("{} says: {words}", denial.condition),
        async || {
            let condition = stack.condition(denial.condition).await;
            let condition = condition.ok_or("it is not there")?;
            holds(
                condition.status == "False" && condition.message.contains(&words),
                || format!("{condition:?}"),
            )
        },
    )
    .await;
}

/// Grants the shipped role without these verbs on one resource; no verbs mean all of them.
fn grant_all_but(sandbox: &Sandbox, verbs: &[&str], resource: &str) {
    let shipped = kubectl(
        &[
            "get",
            "clusterrole",
            "tpstack-operator-children",
            "-o",
            "json",
        ],
        "",
    );
    let shipped: Value = serde_json::from_str(&shipped).expect("kubectl prints JSON");
    let rules = shipped["rules"].as_array().expect("a role has rules");
    let mut cut = Vec::new();
    // One rule for each resource, so that a neighbour in the same rule keeps its verbs.
    for rule in rules {
        for name in rule["resources"].as_array().expect("a rule has resources") {
            let mut rule = rule.clone();
            rule["resources"] = json!([name]);
            if name == resource {
                let held = rule["verbs"].as_array_mut().expect("a rule has verbs");
                held.retain(|verb| !verbs.is_empty() && !verbs.iter().any(|taken| *verb == *taken));
            }
            if rule["verbs"] != json!([]) {
                cut.push(rule);
            }
        }
    }
    let manifests = json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "cut", "namespace": sandbox.namespace}, "rules": cut,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": OPERATOR_ACCOUNT, "namespace": sandbox.namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "cut"},
            "subjects": [{"kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE}],
        },
    ]});
    kubectl(
        &["apply", "--server-side", "-f", "-"],
        &manifests.to_string(),
    );
}
