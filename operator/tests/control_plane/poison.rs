//! A stored `TpStack` that the schema of today would refuse must not stop the others. Changes the CRD, so it runs alone.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN},
    pods::Kubelet,
    sandbox::Sandbox,
    setup,
    stack::{Stack, everything_on},
};

#[tokio::test]
async fn a_stored_stack_that_is_invalid_today_is_named_and_stops_no_other() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let good = sandbox.stack("good", everything_on()).await;
    good.ready().await;

    loosen(&sandbox).await;
    let poison = [
        ("unknown-engine", json!({"redis": {"engine": "Memcached"}})),
        ("word-for-list", json!({"api": {"env": "none"}})),
        (
            "injected-host",
            json!({"ingress": {"hosts": ["a`) || PathPrefix(`/metrics"]}}),
        ),
        ("list-for-object", json!({"postgres": [1, 2, 3]})),
    ];
    for (name, spec) in &poison {
        sandbox.stack(name, spec.clone()).await;
    }
    setup::install_definition(&sandbox).await;

    // With the operator as it runs, and with one that meets the stored objects on its first list.
    for round in ["running", "restarted"] {
        for (name, _) in &poison {
            let stack = Stack::named(&sandbox, name);
            let message = stack.stalled("InvalidSpec").await;
            assert!(
                !message.is_empty(),
                "{name} should say what is wrong ({round})"
            );
            assert!(
                stack.child((kinds::DEPLOYMENT, "api")).await.is_none(),
                "{name} was half applied ({round})"
            );
        }
        let fresh = sandbox
            .stack(&format!("fresh-{round}"), everything_on())
            .await;
        fresh.ready().await;
        sandbox.delete(&kinds::SERVICE, "good-redis").await;
        good.applied(CHILDREN.into_iter()).await;
        if round == "running" {
            let stopped = setup::shared_operator().take();
            drop(stopped);
            setup::start_operator(&sandbox).await;
        }
    }

    // Mended, it is a stack like any other.
    let mended = Stack::named(&sandbox, "unknown-engine");
    mended
        .change(json!({"redis": {"engine": "Disabled"}}))
        .await;
    mended.ready().await;
}

/// Lets the server store anything as a `TpStack`'s spec, as an older or hand-made CRD might.
async fn loosen(sandbox: &Sandbox) {
    sandbox.assert_alone();
    sandbox
        .edit(&kinds::CRD, "tpstacks.tpstack.dev", |definition| {
            let schema: &mut Value =
                &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            schema["properties"]["spec"] =
                json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
            if let Some(schema) = schema.as_object_mut() {
                schema.remove("x-kubernetes-validations");
            }
        })
        .await;
    // The server takes a moment to serve the new schema.
    crate::harness::wait::eventually(sandbox, "the server accepts anything as a spec", async || {
        let probe = json!({"metadata": {"name": "probe"}, "spec": {"redis": {"engine": "Memcached"}, "postgres": [1]}});
        sandbox
            .try_create(&kinds::TPSTACK, probe, true)
            .await
            .map(drop)
            .map_err(|refused| refused.message)
    })
    .await;
}
