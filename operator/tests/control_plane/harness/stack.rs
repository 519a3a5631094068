//! One `TpStack`, as its user sees it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    kinds::{self, Child},
    objects::{uid, version},
    sandbox::Sandbox,
    wait::{eventually, holds},
};

/// A stack of a sandbox.
pub(crate) struct Stack<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) name: String,
}

/// One condition of a stack's status.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) observed_generation: Option<i64>,
}

/// A spec with everything that has children: a route and monitoring.
pub(crate) fn everything_on() -> Value {
    json!({"ingress": {"hosts": ["shop.example.org"]}, "monitoring": {"mode": "Enabled"}})
}

impl<'a> Stack<'a> {
    pub(crate) fn named(sandbox: &'a Sandbox, name: &str) -> Self {
        Self {
            sandbox,
            name: name.to_owned(),
        }
    }

    /// The stack itself.
    pub(crate) async fn object(&self) -> Value {
        self.sandbox.must_get(&kinds::TPSTACK, &self.name).await
    }

    /// The stack's version: a value that differs each time.
    pub(crate) async fn version(&self) -> String {
        version(&self.object().await)
    }

    /// Merges into the spec.
    pub(crate) async fn change(&self, spec: Value) {
        self.sandbox
            .merge(&kinds::TPSTACK, &self.name, json!({"spec": spec}))
            .await;
    }

    /// Sets an annotation.
    pub(crate) async fn annotate(&self, key: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        self.sandbox.merge(&kinds::TPSTACK, &self.name, patch).await;
    }

    /// Deletes the stack, and waits until its children are collected.
    pub(crate) async fn delete(&self) {
        self.sandbox.delete(&kinds::TPSTACK, &self.name).await;
        self.sandbox.gone(&kinds::TPSTACK, &self.name).await;
    }

    /// The name of a child.
    pub(crate) fn name_of(&self, child: Child) -> String {
        format!("{}-{}", self.name, child.1)
    }

    pub(crate) async fn child(&self, child: Child) -> Option<Value> {
        self.sandbox.get(&child.0, &self.name_of(child)).await
    }

    pub(crate) async fn must_child(&self, child: Child) -> Value {
        self.sandbox.must_get(&child.0, &self.name_of(child)).await
    }

    /// UIDs of those children, by `Kind/name`.
    pub(crate) async fn uids(
        &self,
        children: impl Iterator<Item = Child>,
    ) -> BTreeMap<String, String> {
        self.each(children, uid).await
    }

    /// Versions of those children, by `Kind/name`.
    pub(crate) async fn versions(
        &self,
        children: impl Iterator<Item = Child>,
    ) -> BTreeMap<String, String> {
        self.each(children, version).await
    }

    /// Something of each of those children, by `Kind/name`.
    pub(crate) async fn each<T>(
        &self,
        children: impl Iterator<Item = Child>,
        of: impl Fn(&Value) -> T,
    ) -> BTreeMap<String, T> {
        let mut answers = BTreeMap::new();
        for child in children {
            answers.insert(
                format!("{}/{}", child.0.kind, self.name_of(child)),
                of(&self.must_child(child).await),
            );
        }
        answers
    }

    /// One condition, if the status has it.
    pub(crate) async fn condition(&self, type_: &str) -> Option<Condition> {
        condition_of(&self.object().await, type_)
    }

    /// Waits until a condition has this status and reason, for the present generation.
    pub(crate) async fn becomes(&self, type_: &str, status: &str, reason: &str) -> Condition {
        eventually(
            self.sandbox,
            &format!("{} of {} is {status}, {reason}", type_, self.name),
            async || {
                let object = self.object().await;
                let condition = condition_of(&object, type_).ok_or("the condition is not there")?;
                let generation = object
                    .pointer("/metadata/generation")
                    .and_then(Value::as_i64);
                holds(
                    condition.status == status
                        && condition.reason == reason
                        && condition.observed_generation == generation,
                    || format!("it is {condition:?} at generation {generation:?}"),
                )?;
                Ok(condition)
            },
        )
        .await
    }

    /// Waits until the stack is ready. Something has to play the kubelet meanwhile.
    pub(crate) async fn ready(&self) {
        self.becomes("Ready", "True", "AllComponentsReady").await;
    }

    /// Waits until the stack is stalled for this reason, and returns the message.
    pub(crate) async fn stalled(&self, reason: &str) -> String {
        self.becomes("Stalled", "True", reason).await.message
    }

    /// Waits until the operator has written all of these children and a status for the present generation.
    pub(crate) async fn applied(&self, children: impl Iterator<Item = Child>) {
        let mut children = children.peekable();
        eventually(
            self.sandbox,
            &format!("every child of {} is there", self.name),
            async || {
                // What was there once need not be asked for again.
                while let Some(child) = children.peek() {
                    holds(self.child(*child).await.is_some(), || {
                        format!("{} {} is missing", child.0.kind, self.name_of(*child))
                    })?;
                    children.next();
                }
                let object = self.object().await;
                let (seen, now) = (
                    object.pointer("/status/observedGeneration"),
                    object.pointer("/metadata/generation"),
                );
                holds(seen == now, || {
                    format!("observedGeneration is {seen:?} at generation {now:?}")
                })
            },
        )
        .await;
    }

    /// Makes the operator reconcile once more, and waits until it has.
    ///
    /// The sign is a message in the status that we blot: the operator writes the status last of all, so when the message
    /// is whole again, a full reconcile lies between. An annotation wakes the operator, for it need not watch its own status.
    pub(crate) async fn reconcile_again(&self) {
        const BLOT: &str = "blotted by a test";
        let stalled =
            |object: &Value| condition_of(object, "Stalled").map(|condition| condition.message);
        eventually(
            self.sandbox,
            "the status has the condition Stalled",
            async || {
                let object = self.object().await;
                let mut conditions = object
                    .pointer("/status/conditions")
                    .cloned()
                    .ok_or("it has no conditions")?;
                let conditions = conditions.as_array_mut().ok_or("they are no list")?;
                let stalled = conditions
                    .iter_mut()
                    .find(|c| c["type"] == "Stalled")
                    .ok_or("it is not among them")?;
                stalled["message"] = json!(BLOT);
                self.sandbox
                    .merge_status(
                        &kinds::TPSTACK,
                        &self.name,
                        json!({"conditions": conditions}),
                    )
                    .await;
                Ok(())
            },
        )
        .await;
        self.annotate("example.org/touched", &self.version().await)
            .await;
        eventually(
            self.sandbox,
            &format!("{} was reconciled again", self.name),
            async || {
                holds(
                    stalled(&self.object().await).as_deref() != Some(BLOT),
                    || "the status is still blotted".to_owned(),
                )
            },
        )
        .await;
    }
}

/// One condition of a stack.
pub(crate) fn condition_of(stack: &Value, type_: &str) -> Option<Condition> {
    let conditions = stack.pointer("/status/conditions")?.as_array()?;
    let condition = conditions
        .iter()
        .find(|condition| condition["type"] == type_)?;
    let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
        observed_generation: condition["observedGeneration"].as_i64(),
    })
}

/// The last command of a message: from its `kubectl` to the end.
pub(crate) fn last_command(message: &str) -> String {
    let start = message
        .rfind(": kubectl ")
        .unwrap_or_else(|| panic!("the message should end with a command: {message}"));
    message[start + 2..]
        .trim_end_matches(['.', '`', ' '])
        .to_owned()
}
