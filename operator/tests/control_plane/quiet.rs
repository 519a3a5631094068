//! A settled stack costs reads only. Runs alone, since it counts what the operator does.

use crate::harness::{
    kinds::CHILDREN, metrics::Scrape, pods::Kubelet, sandbox::Sandbox, stack::everything_on,
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
    let before = Scrape::now().await;
    stack.reconcile_again().await;
    let after = Scrape::now().await;
    assert_eq!(
        after.applies_sent(),
        before.applies_sent(),
        "nothing had changed"
    );
    let compared = after.applies_left_out() - before.applies_left_out();
    assert!(
        compared >= CHILDREN.len(),
        "{compared} children were compared"
    );
}
