//! Text that means nothing to us, in places where users may write anything, disturbs nothing.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN},
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on},
};

/// All annotations of an object may have so many bytes, keys included.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// Direction marks, joiners, a byte order mark, NUL, line ends, quotes, other scripts, a character beyond 16 bits.
const ODD: &str =
    "\u{202e}\u{200d}\u{feff}\0\r\n\u{2028}`'\"${HOME}{{.}}%s\\ \u{434}\u{5b57}\u{1f9ea}";

#[tokio::test]
async fn the_largest_and_oddest_annotations_change_nothing() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let (odd, large) = ("example.org/odd", "example.org/large");
    let rest = MOST_ANNOTATIONS - odd.len() - ODD.len() - large.len();
    sandbox
        .create(
            &kinds::TPSTACK,
            json!({
                "metadata": {
                    "name": "shop",
                    "annotations": {odd: ODD, large: "x".repeat(rest)},
                    "labels": {"example.org/longest": "x".repeat(63), "A_b.c": ""},
                },
                "spec": everything_on(),
            }),
        )
        .await;
    let stack = Stack::named(&sandbox, "shop");
    stack.ready().await;
    stack.applied(CHILDREN.into_iter()).await;
    let children = stack.each(CHILDREN.into_iter(), Value::to_string).await;
    for (child, text) in children {
        assert!(
            !text.contains("example.org/") || text.contains("shop.example.org"),
            "{child} has the TpStack's own annotations"
        );
        assert!(text.len() < 32 * 1024, "{child} is {} bytes", text.len());
    }
    // It goes on as any other.
    sandbox.delete(&kinds::SERVICE, "shop-redis").await;
    stack.change(json!({"api": {"replicas": 3}})).await;
    stack.ready().await;
    stack.applied(CHILDREN.into_iter()).await;
    assert_eq!(
        stack.object().await["metadata"]["annotations"][odd],
        json!(ODD),
        "the annotation is the user's"
    );
}

#[tokio::test]
async fn the_value_of_a_variable_reaches_the_container_as_it_is() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let large = "\u{5b57}".repeat(16 * 1024);
    let stack = sandbox
        .stack(
            "shop",
            json!({"api": {"env": [{"name": "ODD", "value": ODD}, {"name": "LARGE", "value": large}]}}),
        )
        .await;
    stack.ready().await;
    let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
    let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_array()
        .expect("a container has an environment");
    for (name, value) in [("ODD", ODD), ("LARGE", large.as_str())] {
        let found = env.iter().find(|variable| variable["name"] == name);
        assert_eq!(found.map(|found| &found["value"]), Some(&json!(value)));
    }
}
