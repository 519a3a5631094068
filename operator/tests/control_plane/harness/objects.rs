//! Short words for the API, within a sandbox's namespace. What cannot fail here panics; what may, returns the refusal.

use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::Status,
    discovery::{ApiGroup, Discovery, Scope, verbs},
};
use serde_json::{Value, json};

use super::{
    kinds::{self, Kind},
    sandbox::Sandbox,
    wait::{eventually, holds},
};

/// The field manager of what a user writes.
const USER: &str = "a-user";

impl Sandbox {
    pub(crate) fn api(&self, kind: &Kind) -> Api<DynamicObject> {
        let cluster_wide = [
            kinds::NAMESPACE,
            kinds::CRD,
            kinds::ADMISSION_POLICY,
            kinds::ADMISSION_BINDING,
            kinds::STORAGE_CLASS,
            kinds::VOLUME,
        ];
        if cluster_wide.contains(kind) {
            Api::all_with(self.client.clone(), &kind.resource())
        } else {
            Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
        }
    }

    pub(crate) async fn get(&self, kind: &Kind, name: &str) -> Option<Value> {
        let found = self.api(kind).get_opt(name).await;
        found
            .unwrap_or_else(|error| panic!("cannot get {} {name}: {error}", kind.kind))
            .map(|found| value(&found))
    }

    pub(crate) async fn must_get(&self, kind: &Kind, name: &str) -> Value {
        let found = self.get(kind, name).await;
        found.unwrap_or_else(|| panic!("{} {name} is not there", kind.kind))
    }

    pub(crate) async fn list(&self, kind: &Kind) -> Vec<Value> {
        let listed = self.api(kind).list(&ListParams::default()).await;
        let listed = listed.unwrap_or_else(|error| panic!("cannot list {}: {error}", kind.plural));
        listed
            .items
            .iter()
            .map(value)
            .map(|item| with_type(item, kind))
            .collect()
    }

    /// Creates an object; `body` needs no type and no namespace.
    pub(crate) async fn create(&self, kind: &Kind, body: Value) -> Value {
        let name = body
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let created = self.try_create(kind, body, false).await;
        created
            .unwrap_or_else(|error| panic!("cannot create {} {name}: {}", kind.kind, error.message))
    }

    pub(crate) async fn try_create(
        &self,
        kind: &Kind,
        body: Value,
        dry_run: bool,
    ) -> Result<Value, Box<Status>> {
        let parameters = PostParams {
            field_manager: Some(USER.to_owned()),
            dry_run,
        };
        let created = self
            .api(kind)
            .create(&parameters, &object(with_type(body, kind)))
            .await;
        created.map(|created| value(&created)).map_err(refusal)
    }

    /// Merges into an object.
    pub(crate) async fn merge(&self, kind: &Kind, name: &str, patch: Value) -> Value {
        let merged = self.try_merge(kind, name, patch, false).await;
        merged
            .unwrap_or_else(|error| panic!("cannot change {} {name}: {}", kind.kind, error.message))
    }

    pub(crate) async fn try_merge(
        &self,
        kind: &Kind,
        name: &str,
        patch: Value,
        dry_run: bool,
    ) -> Result<Value, Box<Status>> {
        let parameters = PatchParams {
            field_manager: Some(USER.to_owned()),
            dry_run,
            ..PatchParams::default()
        };
        let merged = self
            .api(kind)
            .patch(name, &parameters, &Patch::Merge(patch))
            .await;
        merged.map(|merged| value(&merged)).map_err(refusal)
    }

    /// Merges into an object's status.
    pub(crate) async fn merge_status(&self, kind: &Kind, name: &str, status: Value) {
        let parameters = PatchParams {
            field_manager: Some(USER.to_owned()),
            ..PatchParams::default()
        };
        let merged = self
            .api(kind)
            .patch_status(name, &parameters, &Patch::Merge(json!({"status": status})))
            .await;
        merged.unwrap_or_else(|error| {
            panic!("cannot change the status of {} {name}: {error}", kind.kind)
        });
    }

    /// Reads, changes and writes an object, again when somebody else wrote meanwhile.
    pub(crate) async fn edit(&self, kind: &Kind, name: &str, change: impl Fn(&mut Value)) -> Value {
        let parameters = PostParams {
            field_manager: Some(USER.to_owned()),
            dry_run: false,
        };
        loop {
            let mut edited = self.must_get(kind, name).await;
            change(&mut edited);
            match self
                .api(kind)
                .replace(name, &parameters, &object(edited))
                .await
            {
                Ok(replaced) => return value(&replaced),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => panic!("cannot change {} {name}: {error}", kind.kind),
            }
        }
    }

    pub(crate) async fn delete(&self, kind: &Kind, name: &str) {
        let deleted = self.api(kind).delete(name, &DeleteParams::default()).await;
        deleted.unwrap_or_else(|error| panic!("cannot delete {} {name}: {error}", kind.kind));
    }

    /// Deletes an object and, as its storage would, lets go of it at once. Returns its UID.
    pub(crate) async fn destroy(&self, kind: &Kind, name: &str) -> String {
        let uid = uid(&self.must_get(kind, name).await);
        let precondition = Preconditions {
            uid: Some(uid.clone()),
            resource_version: None,
        };
        let deleted = self
            .api(kind)
            .delete(name, &DeleteParams::default().preconditions(precondition))
            .await;
        deleted.unwrap_or_else(|error| panic!("cannot delete {} {name}: {error}", kind.kind));
        eventually(
            self,
            &format!("{} {name} with UID {uid} is gone", kind.kind),
            async || {
                let Some(left) = self
                    .get(kind, name)
                    .await
                    .filter(|left| self::uid(left) == uid)
                else {
                    return Ok(());
                };
                if left.pointer("/metadata/finalizers").is_some() {
                    drop(
                        self.try_merge(
                            kind,
                            name,
                            json!({"metadata": {"uid": uid, "finalizers": null}}),
                            false,
                        )
                        .await,
                    );
                }
                Err("it is still there".to_owned())
            },
        )
        .await;
        uid
    }

    /// Puts an object back from a copy, as a backup tool does: without what only the server may say.
    pub(crate) async fn restore(&self, kind: &Kind, copy: &Value) -> Value {
        let mut copy = copy.clone();
        let metadata = copy["metadata"]
            .as_object_mut()
            .expect("an object has metadata");
        for key in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "deletionTimestamp",
            "finalizers",
            "managedFields",
        ] {
            metadata.remove(key);
        }
        copy.as_object_mut().expect("an object").remove("status");
        self.create(kind, copy).await
    }

    /// Waits until an object is gone.
    pub(crate) async fn gone(&self, kind: &Kind, name: &str) {
        eventually(self, &format!("{} {name} is gone", kind.kind), async || {
            holds(self.get(kind, name).await.is_none(), || {
                "it is still there".to_owned()
            })
        })
        .await;
    }

    /// Every object of the namespace, whatever its kind.
    pub(crate) async fn everything(&self) -> Vec<Value> {
        let discovery = Discovery::new(self.client.clone())
            .run_aggregated()
            .await
            .expect("the API server says what it serves");
        let mut objects = Vec::new();
        for (resource, capabilities) in discovery.groups().flat_map(ApiGroup::recommended_resources)
        {
            if capabilities.scope != Scope::Namespaced
                || !capabilities.supports_operation(verbs::LIST)
            {
                continue;
            }
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
            // A kind may go between discovery and here.
            for item in api
                .list(&ListParams::default())
                .await
                .map(|list| list.items)
                .unwrap_or_default()
            {
                let mut item = value(&item);
                item["kind"] = json!(resource.kind);
                item["apiVersion"] = json!(resource.api_version);
                objects.push(item);
            }
        }
        objects
    }
}

/// An object's UID.
pub(crate) fn uid(object: &Value) -> String {
    object
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .expect("the server gives every object a UID")
        .to_owned()
}

/// An object's version.
pub(crate) fn version(object: &Value) -> String {
    let version = object
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str);
    version
        .expect("the server gives every object a version")
        .to_owned()
}

fn with_type(mut body: Value, kind: &Kind) -> Value {
    body["apiVersion"] = json!(kind.api_version());
    body["kind"] = json!(kind.kind);
    body
}

pub(crate) fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).expect("an object is JSON")
}

pub(crate) fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object has metadata")
}

fn refusal(error: kube::Error) -> Box<Status> {
    match error {
        kube::Error::Api(status) => status,
        other => panic!("the API server did not answer: {other}"),
    }
}
