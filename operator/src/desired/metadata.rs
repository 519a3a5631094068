//! Names, labels, selectors and owner references of everything we own: the only place that spells them. [pure]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource;

use crate::crd::TpStack;
use crate::foreign::Labels;
use crate::kind::{Kind, ObjectId};
use crate::validate::Stack;

/// Value of `app.kubernetes.io/managed-by` on every child.
pub const MANAGED_BY: &str = "tpstack-operator";

/// Field manager of everything we apply.
pub const FIELD_MANAGER: &str = "tpstack-operator";

/// Label of the component a child belongs to.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// Label of the stack a child belongs to.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// Label of who made a child.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
const NAME_LABEL: &str = "app.kubernetes.io/name";

/// Annotation of a volume and its credentials: data was written under them.
pub const INITIALIZED: &str = "tpstack.dev/initialized";
/// Annotation of a volume: UID of the credentials that open its data.
pub const CREDENTIALS_UID: &str = "tpstack.dev/credentials-uid";
/// Annotation of credentials: UID of the volume whose data they open.
pub const VOLUME_UID: &str = "tpstack.dev/volume-uid";
/// Annotation of a Postgres volume: major version of the data directory.
pub const POSTGRES_MAJOR: &str = "tpstack.dev/postgres-major";
/// Annotation of a store's pods: they restart when their configuration changes.
pub const CONFIG_DIGEST: &str = "tpstack.dev/config-digest";
/// Annotation of the API's Deployment: the image that its database was last migrated for.
pub const MIGRATED_IMAGE: &str = "tpstack.dev/migrated-image";
/// Annotation of the API's Deployment: UID of the Postgres volume that was migrated, or of the Secret of an External one.
/// Another volume is another schema.
pub const MIGRATED_VOLUME: &str = "tpstack.dev/migrated-volume";
/// Annotation of a migration's Job: a digest of all that it was made from.
pub const RECIPE: &str = "tpstack.dev/recipe";
/// Annotation of the API's pods: a digest of the data that their variables come from.
pub const DATA_DIGEST: &str = "tpstack.dev/data-digest";
/// Annotation of a TpStack: UID of a lost volume whose data is given up.
///
/// The UID, not the name: a forgotten annotation must not accept the next loss.
pub const ACCEPT_DATA_LOSS: &str = "tpstack.dev/accept-data-loss";

/// A part of the stack that has children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The web API.
    Api,
    /// Migrations of the API's database. Their pods are none of the API's: its Service must not find them.
    Migrate,
    /// The database.
    Postgres,
    /// The cache.
    Redis,
}

impl Component {
    /// The word used in names and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Migrate => "api-migrate",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }

    /// Name of most of its children.
    pub fn name(self, stack: &str) -> String {
        format!("{stack}-{}", self.as_str())
    }

    /// Name of its Secret.
    pub fn credentials_name(self, stack: &str) -> String {
        format!("{stack}-{}-credentials", self.as_str())
    }

    /// Name of its volume claim.
    pub fn volume_name(self, stack: &str) -> String {
        format!("{stack}-{}-data", self.as_str())
    }

    /// Name of its dashboard.
    pub fn dashboard_name(self, stack: &str) -> String {
        format!("{stack}-{}-dashboard", self.as_str())
    }

    /// Labels its pods are selected by; immutable on workloads, so never more than these.
    pub fn selector_labels(self, stack: &str) -> Labels {
        [
            (NAME_LABEL, "tpstack"),
            (INSTANCE_LABEL, stack),
            (COMPONENT_LABEL, self.as_str()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    /// Labels of its children.
    pub fn labels(self, stack: &str) -> Labels {
        let mut labels = self.selector_labels(stack);
        labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned());
        labels
    }

    /// Selector of its pods.
    pub fn selector(self, stack: &str) -> LabelSelector {
        LabelSelector {
            match_labels: Some(self.selector_labels(stack)),
            ..LabelSelector::default()
        }
    }

    /// Metadata of a child that goes with its TpStack.
    pub fn owned(self, stack: &Stack, name: String) -> ObjectMeta {
        ObjectMeta {
            owner_references: Some(vec![owner_reference(stack)]),
            ..self.unowned(stack, name)
        }
    }

    /// Metadata of a child without an owner.
    pub fn unowned(self, stack: &Stack, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(stack.namespace.clone()),
            labels: Some(self.labels(&stack.name)),
            ..ObjectMeta::default()
        }
    }
}

/// The one controller reference of a child.
///
/// `blockOwnerDeletion` stays unset: it would need a right on the TpStack's finalizers, and nothing waits for it.
pub fn owner_reference(stack: &Stack) -> OwnerReference {
    OwnerReference {
        api_version: TpStack::api_version(&()).into_owned(),
        kind: TpStack::kind(&()).into_owned(),
        name: stack.name.clone(),
        uid: stack.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

/// Name of the redirect's route and middleware.
pub fn redirect_name(stack: &str) -> String {
    format!("{stack}-api-redirect")
}

/// Name of a Middleware, or of a route with one of its own.
pub fn edge_name(stack: &str, step: &str) -> String {
    format!("{stack}-api-{step}")
}

/// Selector of everything we made for a stack.
pub fn children_selector(stack: &str) -> String {
    format!("{MANAGED_BY_LABEL}={MANAGED_BY},{INSTANCE_LABEL}={stack}")
}

/// Every object a stack of this name may ever own, whatever its spec says: where to look for what is already there.
/// But the Job of a migration, whose name depends on the image, and what few specs ask for (`routes::possible`): `observe`
/// is told those that this one does.
pub fn possible_children(stack: &str) -> Vec<ObjectId> {
    use Component::{Api, Migrate, Postgres, Redis};
    let mut ids = vec![
        ObjectId::new(Kind::ServiceAccount, Api.name(stack)),
        ObjectId::new(Kind::Service, Api.name(stack)),
        ObjectId::new(Kind::Deployment, Api.name(stack)),
        ObjectId::new(Kind::HorizontalPodAutoscaler, Api.name(stack)),
        ObjectId::new(Kind::PodDisruptionBudget, Api.name(stack)),
        ObjectId::new(Kind::NetworkPolicy, Api.name(stack)),
        ObjectId::new(Kind::NetworkPolicy, Migrate.name(stack)),
        ObjectId::new(Kind::IngressRoute, Api.name(stack)),
        ObjectId::new(Kind::IngressRoute, redirect_name(stack)),
        ObjectId::new(Kind::Middleware, redirect_name(stack)),
        ObjectId::new(Kind::ServiceMonitor, Api.name(stack)),
        ObjectId::new(Kind::PrometheusRule, Api.name(stack)),
        ObjectId::new(Kind::ConfigMap, Api.dashboard_name(stack)),
    ];
    for store in [Postgres, Redis] {
        ids.extend([
            ObjectId::new(Kind::Secret, store.credentials_name(stack)),
            ObjectId::new(Kind::PersistentVolumeClaim, store.volume_name(stack)),
            ObjectId::new(Kind::ConfigMap, store.name(stack)),
            ObjectId::new(Kind::Service, store.name(stack)),
            ObjectId::new(Kind::StatefulSet, store.name(stack)),
            ObjectId::new(Kind::NetworkPolicy, store.name(stack)),
        ]);
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::{Component, possible_children};
    use crate::crd::MAX_NAME_LENGTH;
    use crate::desired::routes;
    use crate::kind::ObjectId;

    fn all(stack: &str) -> Vec<ObjectId> {
        [
            possible_children(stack),
            routes::possible(stack),
            vec![routes::certificate::secret_id(stack)],
        ]
        .concat()
    }

    #[test]
    fn the_longest_name_of_a_stack_still_makes_valid_names() {
        let stack = "a".repeat(MAX_NAME_LENGTH);
        for id in all(&stack) {
            assert!(id.name.len() <= 63, "{id}");
        }
        // A StatefulSet's pods carry its name and a hash of ten characters in a label of 63.
        assert!(Component::Postgres.name(&stack).len() <= 52);
    }

    #[test]
    fn stacks_whose_names_share_a_prefix_share_no_child() {
        let shop = all("shop");
        for other in ["shop-api", "shop-postgres", "shop-redis", "sho"] {
            for id in all(other) {
                assert!(!shop.contains(&id), "{id} of {other}");
            }
        }
    }
}
