//! What is told of a stack that is paused, without writing anything. [pure]

use crate::crd::{DeletionPolicy, TpStack};
use crate::desired::Stores;
use crate::kind::ObjectId;
use crate::observed::{Observed, Ownership};
use crate::plan;
use crate::validate::Stack;

/// What was seen of a stack that is paused.
#[derive(Clone, Debug, Default)]
pub struct Paused {
    /// The stores as they stand: data that is first written now cannot be marked, so the status remembers it.
    pub stores: Stores,
    /// What would be deleted with the TpStack, though its spec says Retain by now.
    pub endangered: Vec<ObjectId>,
}

impl Paused {
    /// Looks, and decides nothing.
    pub fn look(raw: &TpStack, stack: &Stack, observed: &Observed) -> Self {
        let is_endangered = |id: &ObjectId| {
            stack.deletion_policy == DeletionPolicy::Retain
                && id.kind.is_kept()
                && observed.ownership(id, &stack.name, &stack.uid) == Ownership::Ours
                && observed
                    .object(id)
                    .and_then(|metadata| metadata.owner_references.as_ref())
                    .is_some_and(|owners| owners.iter().any(|owner| owner.uid == stack.uid))
        };
        Self {
            stores: plan::standing(raw, stack, observed),
            endangered: observed
                .objects
                .keys()
                .filter(|id| is_endangered(id))
                .cloned()
                .collect(),
        }
    }

    /// What people are told.
    pub fn message(&self, namespace: &str, name: &str) -> String {
        let danger = if self.endangered.is_empty() {
            String::new()
        } else {
            let named: Vec<String> = self.endangered.iter().map(ToString::to_string).collect();
            format!(
                " Do not delete the TpStack before: spec.deletionPolicy is Retain, but is not in effect yet, and {} would be deleted with it.",
                named.join(", ")
            )
        };
        format!(
            "spec.paused is true: nothing is written but this status, nothing is mended, and what is told of the components is of before.{danger} \
             To go on: kubectl --namespace {namespace} patch tpstack {name} --type=merge --patch='{{\"spec\":{{\"paused\":false}}}}'"
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Paused;
    use crate::crd::TpStack;
    use crate::kind::{Kind, ObjectId};
    use crate::observed::Observed;
    use crate::validate::validate;

    fn look(spec: &Value, observed: &Observed) -> Paused {
        let raw: TpStack = serde_json::from_value(json!({
            "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": spec,
        }))
        .unwrap();
        Paused::look(&raw, &validate(&raw).unwrap(), observed)
    }

    /// Postgres' volume and credentials, owned by these.
    fn kept(owners: &Value) -> Observed {
        let mut observed = Observed::default();
        for (kind, name) in [
            (Kind::PersistentVolumeClaim, "shop-postgres-data"),
            (Kind::Secret, "shop-postgres-credentials"),
        ] {
            let metadata = json!({
                "uid": "v-1",
                "labels": {"app.kubernetes.io/managed-by": "tpstack-operator", "app.kubernetes.io/instance": "shop"},
                "ownerReferences": owners,
            });
            observed.objects.insert(
                ObjectId::new(kind, name),
                serde_json::from_value(metadata).unwrap(),
            );
        }
        observed
    }

    #[test]
    fn data_that_is_first_written_while_paused_is_seen() {
        let mut observed = kept(&json!([]));
        let initialized = |observed: &Observed| {
            let stores = look(&json!({"paused": true}), observed).stores;
            stores.postgres.unwrap().initialized
        };
        assert!(!initialized(&observed));
        observed.ready_stores.insert("shop-postgres".to_owned());
        assert!(initialized(&observed));
    }

    #[test]
    fn a_policy_that_is_not_in_effect_yet_is_told_before_it_costs_data() {
        let ours = json!([{"apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "name": "shop", "uid": "stack-1", "controller": true}]);
        let endangered = |spec: &Value, owners: &Value| look(spec, &kept(owners)).endangered.len();
        assert_eq!(endangered(&json!({"paused": true}), &ours), 2);
        assert_eq!(endangered(&json!({"paused": true}), &json!([])), 0);
        let delete = json!({"paused": true, "deletionPolicy": "Delete"});
        assert_eq!(endangered(&delete, &ours), 0, "it is what the spec says");

        let told = look(&json!({"paused": true}), &kept(&ours)).message("team", "shop");
        assert!(
            told.contains("PersistentVolumeClaim shop-postgres-data would be deleted with it"),
            "{told}"
        );
        let told = Paused::default().message("team", "shop");
        assert!(!told.contains("Do not delete"), "{told}");
        assert!(
            told.ends_with(
                r#"kubectl --namespace team patch tpstack shop --type=merge --patch='{"spec":{"paused":false}}'"#
            ),
            "{told}"
        );
    }
}
