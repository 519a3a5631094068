//! A settled stack costs reads only. Runs alone, since it counts what the operator does.

use crate::harness::{
    kinds::CHILDREN, pods::Kubelet, sandbox::Sandbox, setup, stack::everything_on,
};

#[tokio::test]
async fn a_settled_stack_that_is_looked_at_again_is_not_applied_again() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    // The events of the last writes start their runs.
    stack.reconcile_again().await;
    stack.reconcile_again().await;
    let before = applies().await;
    stack.reconcile_again().await;
    let after = applies().await;
    assert_eq!(after.sent, before.sent, "nothing had changed");
    assert!(
        after.left_out >= before.left_out + CHILDREN.len(),
        "each child was compared: {before:?}, {after:?}"
    );
}

#[derive(Debug)]
struct Applies {
    sent: usize,
    left_out: usize,
}

async fn applies() -> Applies {
    let operator = setup::shared_operator().take().expect("it runs");
    let answer = operator.ask("/metrics").await;
    *setup::shared_operator() = Some(operator);
    let (_, text) = answer.expect("it tells its metrics");
    let count = |what: &str| {
        let start = format!("tpstack_operator_applies_total{{what=\"{what}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.map_or(0, |count| count.parse().expect("a whole number"))
    };
    Applies {
        sent: count("sent"),
        left_out: count("left_out"),
    }
}
