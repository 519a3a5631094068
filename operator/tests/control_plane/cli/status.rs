//! `tpstack status` shows what is there, and says by its exit code whether all is well.

use serde_json::{Value, json};

use crate::harness::{
    environment::ask, kinds::CHILDREN, pods::Kubelet, sandbox::Sandbox, stack::everything_on,
};

#[tokio::test]
async fn a_ready_stack_is_one_screen_and_the_exit_code_is_0() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    sandbox.stack("shop", everything_on()).await.ready().await;
    let said = ask(
        &["status", "shop", "--namespace", &sandbox.namespace],
        "",
        None,
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    for words in [
        "TpStack shop in namespace",
        "Running",
        "https://shop.example.org",
        "AllComponentsReady",
        "shop-api 2 of 2 ready",
        "shop-postgres 1 of 1 ready",
        "shop-redis-data Pending 256Mi",
    ] {
        assert!(said.text.contains(words), "{words} in {}", said.text);
    }
    assert!(!said.text.contains("next"), "{}", said.text);
}

#[tokio::test]
async fn a_stack_that_waits_says_for_what_and_the_exit_code_is_1() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", json!({})).await;
    stack
        .applied(CHILDREN.into_iter().filter(|child| child.1 == "postgres"))
        .await;
    stack.becomes("PostgresReady", "False", "Progressing").await;
    let said = ask(
        &[
            "status",
            "--namespace",
            &sandbox.namespace,
            "--output",
            "json",
        ],
        "",
        None,
    );
    assert_eq!(said.code, Some(1), "{said:?}");
    let answer: Value = serde_json::from_str(&said.text).expect("it is JSON");
    let stack = &answer["stacks"][0];
    assert_eq!(
        (&stack["name"], &stack["ready"]),
        (&json!("shop"), &json!(false))
    );
    let next = stack["next"].to_string();
    assert!(
        next.contains(&format!(
            "kubectl --namespace {} describe pod",
            sandbox.namespace
        )),
        "{next}"
    );
    let everywhere = ask(&["status", "--all-namespaces"], "", None);
    assert_eq!(everywhere.code, Some(1), "{everywhere:?}");
    assert!(everywhere.text.contains(&sandbox.namespace));
}

#[tokio::test]
async fn what_is_not_there_is_an_error_and_the_exit_code_is_2() {
    let sandbox = Sandbox::shared().await;
    let place = ["--namespace", sandbox.namespace.as_str()];
    for arguments in [&["status", "nobody"][..], &["status"], &["diff", "nobody"]] {
        let said = ask(&[arguments, &place].concat(), "", None);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(
            said.text.is_empty() && said.notes.starts_with("tpstack: "),
            "{said:?}"
        );
        assert!(said.notes.contains(&sandbox.namespace), "{said:?}");
    }
}
