//! The API's pods are replaced when the data changes that their variables come from, and for nothing else.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN, Child},
    objects::uid,
    operator,
    pods::Kubelet,
    sandbox::Sandbox,
    stack::Stack,
    wait::{eventually, holds},
};

const DEPLOYMENT: Child = (kinds::DEPLOYMENT, "api");
const DIGEST: &str = "/spec/template/metadata/annotations/tpstack.dev~1data-digest";

/// A stack whose variables come from a key of the Secret `mail` and all of the config map `settings`.
fn spec() -> Value {
    json!({"api": {
        "image": "shop:1",
        "env": [{"name": "MAIL_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mail", "key": "password"}}}],
        "envFrom": [{"prefix": "SHOP_", "configMapRef": {"name": "settings"}}],
    }})
}

async fn make_mail(sandbox: &Sandbox, password: &str) {
    let mail =
        json!({"metadata": {"name": "mail"}, "stringData": {"password": password, "other": "x"}});
    sandbox.create(&kinds::SECRET, mail).await;
}

async fn make_settings(sandbox: &Sandbox) {
    let settings = json!({"metadata": {"name": "settings"}, "data": {"currency": "EUR"}});
    sandbox.create(&kinds::CONFIG_MAP, settings).await;
}

async fn digest(stack: &Stack<'_>) -> String {
    let deployment = stack.must_child(DEPLOYMENT).await;
    let digest = deployment.pointer(DIGEST).and_then(Value::as_str);
    digest.expect("pods have a digest").to_owned()
}

/// Waits until pods have another digest than this one, and returns it.
async fn another(stack: &Stack<'_>, before: &str, why: &str) -> String {
    eventually(stack.sandbox, why, async || {
        let now = digest(stack).await;
        holds(now != before, || "the pods are as they were".to_owned())?;
        Ok(now)
    })
    .await
}

#[tokio::test]
async fn other_data_replaces_the_pods_and_nothing_else_does() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    make_mail(&sandbox, "first-password").await;
    make_settings(&sandbox).await;
    let stack = sandbox.stack("shop", spec()).await;
    stack.ready().await;
    stack.reconcile_again().await;
    let start = stack.versions(CHILDREN.into_iter().filter(is_made)).await;
    let first = digest(&stack).await;

    // Labels, annotations and a key that nobody asks for.
    let label = json!({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}});
    for (kind, name) in [(kinds::SECRET, "mail"), (kinds::CONFIG_MAP, "settings")] {
        sandbox.merge(&kind, name, label.clone()).await;
    }
    sandbox
        .merge(
            &kinds::SECRET,
            "mail",
            json!({"stringData": {"other": "y"}}),
        )
        .await;
    stack.reconcile_again().await;
    assert_eq!(
        stack.versions(CHILDREN.into_iter().filter(is_made)).await,
        start,
        "nothing is written for what no pod reads"
    );

    sandbox
        .merge(
            &kinds::SECRET,
            "mail",
            json!({"stringData": {"password": "second-password"}}),
        )
        .await;
    let second = another(&stack, &first, "the Secret's new data is noticed").await;
    sandbox
        .merge(
            &kinds::CONFIG_MAP,
            "settings",
            json!({"data": {"country": "FR"}}),
        )
        .await;
    let third = another(&stack, &second, "the config map's new key is noticed").await;
    sandbox
        .merge(
            &kinds::CONFIG_MAP,
            "settings",
            json!({"data": {"country": null}}),
        )
        .await;
    let fourth = another(&stack, &third, "the key that went is noticed").await;
    assert_eq!(fourth, second, "the same data is the same digest");

    let own = json!({"stringData": {"password": "third-password"}});
    sandbox
        .merge(&kinds::SECRET, "shop-redis-credentials", own)
        .await;
    another(
        &stack,
        &fourth,
        "the stack's own new credentials are noticed",
    )
    .await;
    stack.ready().await;
    let (log, deployment) = (operator::log(), stack.must_child(DEPLOYMENT).await);
    for password in ["first-password", "second-password", "third-password"] {
        assert!(!log.contains(password), "{password} is in the log");
        let told = stack.object().await.to_string();
        assert!(!told.contains(password), "{password} is in the TpStack");
        assert!(!deployment.to_string().contains(password));
    }
}

/// Whether the stack of these tests has this child.
fn is_made(child: &Child) -> bool {
    ![kinds::INGRESS_ROUTE, kinds::MIDDLEWARE].contains(&child.0)
}

#[tokio::test]
async fn what_is_missing_holds_up_the_pods_that_need_it_and_nothing_else() {
    let sandbox = Sandbox::shared().await;
    make_settings(&sandbox).await;
    let stack = sandbox.stack("shop", spec()).await;
    stack.applied(CHILDREN.into_iter().filter(is_made)).await;
    let first = digest(&stack).await;
    eventually(&sandbox, "the status names the Secret", async || {
        let condition = stack.condition("ApiReady").await;
        let message = condition.map(|condition| condition.message);
        let message = message.ok_or("there is no such condition")?;
        holds(message.contains("Secret mail"), || message.clone())
    })
    .await;
    let there = uid(&stack.must_child(DEPLOYMENT).await);

    make_mail(&sandbox, "a-password").await;
    let second = another(&stack, &first, "the Secret is noticed").await;
    sandbox.delete(&kinds::SECRET, "mail").await;
    let third = another(&stack, &second, "its end is noticed").await;
    assert_eq!(third, first);
    make_mail(&sandbox, "a-password").await;
    let fourth = another(&stack, &third, "the same again is noticed").await;
    assert_eq!(
        fourth, second,
        "the pods that were made with it serve on and are not replaced"
    );
    assert_eq!(uid(&stack.must_child(DEPLOYMENT).await), there);
}

#[tokio::test]
async fn names_that_no_object_has_lead_nowhere() {
    let sandbox = Sandbox::shared().await;
    let hostile = ["../../secrets", "a/b", "a?watch=true", "..", "A", "%2e%2e"];
    let env: Vec<Value> = hostile
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let reference = json!({"name": name, "key": "a", "optional": true});
            json!({"name": format!("V{number}"), "valueFrom": {"secretKeyRef": reference}})
        })
        .collect();
    let spec = json!({"api": {"image": "shop:1", "env": env}});
    let stack = sandbox.stack("shop", spec).await;
    // The Deployment may be refused for it; whatever else there is, is made.
    let others = CHILDREN.into_iter().filter(is_made);
    stack
        .applied(others.filter(|child| child.0 != kinds::DEPLOYMENT))
        .await;
    let condition = stack.condition("Ready").await.expect("a status is told");
    assert_ne!(condition.reason, "Unread", "{}", condition.message);
}
