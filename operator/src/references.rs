//! Looks at the Secrets that others bring: whether they are there and have the keys that are needed. [pure]
//!
//! By their metadata alone: who set which key is in the managed fields, which the API server keeps. Where those may not tell
//! of all, no key is called missing.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::desired::connection::keys;
use crate::desired::metadata::Component;
use crate::observed::Observed;
use crate::validate::{External, Stack};

/// What keeps somebody else's store from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Reason of the condition.
    pub reason: &'static str,
    /// Which Secret, which keys, and what to do.
    pub message: String,
}

/// UID of the Secret that says where the store is; or what is missing.
pub fn look(
    stack: &Stack,
    component: Component,
    external: &External,
    observed: &Observed,
) -> Result<String, Missing> {
    let Stack {
        namespace, name, ..
    } = stack;
    let secret = &external.secret;
    let wanted = keys(component, external);
    let Some(metadata) = observed.references.get(secret) else {
        let keys: Vec<String> = wanted
            .iter()
            .map(|key| format!("--from-file={key}=<file>"))
            .collect();
        return Err(Missing {
            reason: "SecretMissing",
            message: format!(
                "Secret {secret}, which spec.{}.external.secretRef of TpStack {name} names, is not there. To make it: \
                 kubectl --namespace {namespace} create secret generic {secret} {}",
                component.as_str(),
                keys.join(" ")
            ),
        });
    };
    let missing: Vec<&str> = match present(metadata) {
        Some(present) => wanted
            .into_iter()
            .filter(|key| !present.contains(*key))
            .collect(),
        None => Vec::new(),
    };
    if missing.is_empty() {
        return Ok(metadata.uid.clone().unwrap_or_default());
    }
    Err(Missing {
        reason: "SecretIncomplete",
        message: format!(
            "Secret {secret}, which spec.{}.external.secretRef of TpStack {name} names, lacks {}: add what is missing",
            component.as_str(),
            missing.join(", ")
        ),
    })
}

/// Keys of a Secret as its managed fields tell; `None` where they may not tell of all.
///
/// Who applies `stringData` and later leaves a key out of it leaves the key in the Secret, managed by nobody.
fn present(metadata: &ObjectMeta) -> Option<BTreeSet<&str>> {
    let entries = metadata.managed_fields.iter().flatten();
    let fields: Vec<_> = entries
        .filter_map(|entry| entry.fields_v1.as_ref())
        .collect();
    if fields
        .iter()
        .any(|fields| fields.0.get("f:stringData").is_some())
    {
        return None;
    }
    let keys: BTreeSet<&str> = fields
        .iter()
        .filter_map(|fields| fields.0.get("f:data")?.as_object())
        .flat_map(serde_json::Map::keys)
        .filter_map(|key| key.strip_prefix("f:"))
        .collect();
    (!keys.is_empty()).then_some(keys)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use serde_json::{Value, json};

    use super::{Missing, look};
    use crate::desired::metadata::Component;
    use crate::observed::Observed;
    use crate::validate::{Stack, validate};

    fn stack() -> Stack {
        let external = json!({"secretRef": {"name": "shop-db"}, "authority": "Secret"});
        let stack = json!({
            "metadata": {"name": "shop", "namespace": "team"},
            "spec": {"postgres": {"engine": "External", "external": external}},
        });
        validate(&serde_json::from_value(stack).unwrap()).unwrap()
    }

    fn parsed(metadata: &Value) -> ObjectMeta {
        serde_json::from_value(metadata.clone()).unwrap()
    }

    /// What is told of a Secret with this metadata.
    fn told(metadata: Option<&Value>) -> Result<String, Missing> {
        let stack = stack();
        let mut observed = Observed::default();
        if let Some(metadata) = metadata {
            observed
                .references
                .insert("shop-db".to_owned(), parsed(metadata));
        }
        let external = stack.external.postgres.clone().unwrap();
        look(&stack, Component::Postgres, &external, &observed)
    }

    /// Managed fields of two who set keys.
    fn with(keys: &[&str], more: &[&str]) -> Value {
        let fields = |keys: &[&str]| -> Value {
            let key = |key: &&str| (format!("f:{key}"), json!({}));
            Value::Object(keys.iter().map(key).collect())
        };
        json!({"uid": "s-1", "managedFields": [
            {"manager": "kubectl", "fieldsV1": {"f:data": fields(keys), "f:type": {}}},
            {"manager": "vault", "fieldsV1": {"f:data": fields(more)}},
        ]})
    }

    #[test]
    fn a_secret_that_is_not_there_is_named_with_the_command_that_makes_it() {
        let missing = told(None).unwrap_err();
        assert_eq!(missing.reason, "SecretMissing");
        for word in [
            "Secret shop-db",
            "spec.postgres.external",
            "--from-file=ca.crt=<file>",
        ] {
            assert!(missing.message.contains(word), "{missing:?}");
        }
    }

    #[test]
    fn keys_that_are_missing_are_named_and_no_others() {
        let metadata = with(&["host", "port", "username"], &["password", "other"]);
        let missing = told(Some(&metadata)).unwrap_err();
        assert_eq!(missing.reason, "SecretIncomplete");
        assert!(
            missing.message.contains("lacks database, sslmode, ca.crt:"),
            "{missing:?}"
        );
    }

    #[test]
    fn a_complete_secret_is_known_by_its_uid() {
        let metadata = with(
            &["host", "port", "database", "username", "sslmode"],
            &["password", "ca.crt"],
        );
        assert_eq!(told(Some(&metadata)), Ok("s-1".to_owned()));
    }

    #[test]
    fn where_managed_fields_may_not_tell_of_all_no_key_is_called_missing() {
        assert_eq!(told(Some(&json!({"uid": "s-1"}))), Ok("s-1".to_owned()));
        let applied = json!({"uid": "s-1", "managedFields": [
            {"fieldsV1": {"f:data": {"f:host": {}}}}, {"fieldsV1": {"f:stringData": {"f:port": {}}}},
        ]});
        assert_eq!(told(Some(&applied)), Ok("s-1".to_owned()));
        let labelled = json!({"uid": "s-1", "managedFields": [{"fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}}}]});
        assert_eq!(told(Some(&labelled)), Ok("s-1".to_owned()));
    }
}
