//! What stands in a namespace, and the same without what differs from one stack to the next.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use kube::Client;
use operator::desired::monitoring::dashboards;
use serde_json::Value;

use crate::harness::{
    kinds::{self, Kind},
    masks::masked,
};

/// The kinds of children.
pub(crate) const KINDS: [Kind; 15] = [
    kinds::SECRET,
    kinds::VOLUME_CLAIM,
    kinds::SERVICE_ACCOUNT,
    kinds::CONFIG_MAP,
    kinds::SERVICE,
    kinds::DEPLOYMENT,
    kinds::STATEFUL_SET,
    kinds::JOB,
    kinds::DISRUPTION_BUDGET,
    kinds::NETWORK_POLICY,
    kinds::INGRESS_ROUTE,
    kinds::MIDDLEWARE,
    kinds::CERTIFICATE,
    kinds::SERVICE_MONITOR,
    kinds::PROMETHEUS_RULE,
];

/// Label of somebody else's objects.
pub(crate) const CANARY: &str = "example.org/canary";

/// The objects of a namespace, by `plural/name`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) namespace: String,
    pub(crate) stack: String,
    /// The `TpStack` itself, if it is there.
    pub(crate) owner: Option<Value>,
    /// Everything that is no canary and was not given by Kubernetes.
    pub(crate) children: BTreeMap<String, Value>,
    pub(crate) canaries: BTreeMap<String, Value>,
}

/// Children and status without what the server or chance makes up.
pub(crate) type State = BTreeMap<String, Value>;

/// Reads everything of one stack: the whole namespace, or what wears its label where stacks share one.
pub(crate) async fn take(
    admin: &Client,
    namespace: &str,
    stack: &str,
    shared: bool,
) -> Result<Snapshot> {
    let lists = KINDS.iter().map(async |kind| {
        let selector = if shared {
            format!("?labelSelector=app.kubernetes.io%2Finstance%3D{stack}")
        } else {
            String::new()
        };
        let path = format!("{}{selector}", collection(kind, namespace));
        let list: Value = get(admin, &path).await?.context("a list is always there")?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        anyhow::Ok((kind, items))
    });
    let path = format!("{}/{stack}", collection(&kinds::TPSTACK, namespace));
    let (lists, owner) = futures::try_join!(try_join_all(lists), get(admin, &path))?;
    let mut snapshot = Snapshot {
        namespace: namespace.to_owned(),
        stack: stack.to_owned(),
        owner,
        ..Snapshot::default()
    };
    for (kind, items) in lists {
        for item in items {
            let name = item["metadata"]["name"].as_str().unwrap_or_default();
            let id = format!("{}/{name}", kind.plural);
            let is_canary = item["metadata"]["labels"].get(CANARY).is_some();
            let given = ["configmaps/kube-root-ca.crt", "serviceaccounts/default"];
            if is_canary {
                snapshot.canaries.insert(id, item);
            } else if !given.contains(&id.as_str()) {
                snapshot.children.insert(id, item);
            }
        }
    }
    Ok(snapshot)
}

impl Snapshot {
    /// What has to be equal where the same was asked for. `across`: in another stack too, so digests of UIDs are masked.
    pub(crate) fn state(&self, across: bool) -> State {
        let mut uids = BTreeMap::new();
        let all = self.children.iter().chain(self.canaries.iter());
        for (id, object) in all {
            uids.insert(text(object, "/metadata/uid"), format!("uid of {id}"));
        }
        if let Some(owner) = &self.owner {
            uids.insert(text(owner, "/metadata/uid"), "uid of the stack".to_owned());
        }
        let words = Words {
            uids,
            stack: &self.stack,
            namespace: &self.namespace,
            dashboard: dashboards::digest(&format!("{}/{}", self.namespace, self.stack)),
            across,
        };
        let mut state = State::new();
        for (id, object) in &self.children {
            let mut object = masked(object.clone());
            if id.starts_with("secrets/") {
                // Drawn, and compared by themselves.
                object["data"] = Value::Null;
            }
            words.mask(&mut object);
            state.insert(words.plain(id), object);
        }
        if let Some(owner) = &self.owner {
            let mut status = owner["status"].clone();
            if let Some(status) = status.as_object_mut() {
                status.remove("observedGeneration");
            }
            let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
            for condition in conditions.into_iter().flatten() {
                if let Some(condition) = condition.as_object_mut() {
                    condition.remove("observedGeneration");
                    condition.remove("lastTransitionTime");
                }
            }
            words.mask(&mut status);
            state.insert("status".to_owned(), status);
        }
        state
    }
}

struct Words<'a> {
    uids: BTreeMap<String, String>,
    stack: &'a str,
    namespace: &'a str,
    /// What stands for both in the identifier of a dashboard.
    dashboard: String,
    across: bool,
}

impl Words<'_> {
    fn mask(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if text.len() >= self.stack.len() {
                    let masked = self.plain(text);
                    if masked != *text {
                        *text = masked;
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(fields) => {
                // Files of a config map may be named after the stack.
                let named = |key: &String| key.contains(self.stack);
                let keys: Vec<String> = fields.keys().filter(|key| named(key)).cloned().collect();
                for key in keys {
                    if let Some(field) = fields.remove(&key) {
                        fields.insert(self.plain(&key), field);
                    }
                }
                for (key, field) in fields.iter_mut() {
                    // Made of UIDs and passwords, which differ in another stack.
                    let digest = [
                        "tpstack.dev/config-digest",
                        "tpstack.dev/data-digest",
                        "tpstack.dev/recipe",
                    ];
                    if self.across && digest.contains(&key.as_str()) {
                        *field = Value::from("a digest");
                    } else {
                        self.mask(field);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn plain(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if text.len() >= 36 {
            for (uid, name) in &self.uids {
                if !uid.is_empty() && text.contains(uid.as_str()) {
                    text = text.replace(uid.as_str(), name);
                }
            }
        }
        if text.contains(self.stack) {
            text = text.replace(self.stack, "*");
        }
        if text.contains(self.namespace) {
            text = text.replace(self.namespace, "NAMESPACE");
        }
        if text.contains(&self.dashboard) {
            text = text.replace(&self.dashboard, "DASHBOARD");
        }
        text
    }
}

/// What differs between two states, in a few lines; `None` if nothing does.
pub(crate) fn difference(expected: &State, found: &State) -> Option<String> {
    let mut lines = Vec::new();
    for (id, object) in expected {
        match found.get(id) {
            None => lines.push(format!("{id} is missing")),
            Some(other) => differs(id, object, other, &mut lines),
        }
    }
    let more = found.keys().filter(|id| !expected.contains_key(*id));
    lines.extend(more.map(|id| format!("{id} should not be there")));
    lines.truncate(12);
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn differs(path: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                let path = format!("{path}.{key}");
                match b.get(key) {
                    None => lines.push(format!("{path} is missing; expected {value}")),
                    Some(other) => differs(&path, value, other, lines),
                }
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                lines.push(format!("{path}.{key} should not be there: {value}"));
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (x, y)) in a.iter().zip(b).enumerate() {
                differs(&format!("{path}[{index}]"), x, y, lines);
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!("{path}: expected {expected}, found {found}")),
    }
}

/// The text at this place of an object; empty if there is none.
pub(crate) fn text(object: &Value, pointer: &str) -> String {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

/// The path of all objects of a kind in a namespace.
pub(crate) fn collection(kind: &Kind, namespace: &str) -> String {
    let root = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    format!("{root}/namespaces/{namespace}/{}", kind.plural)
}

/// GET as JSON; `None` if there is nothing. A connection that breaks says nothing about the operator: asked once more.
pub(crate) async fn get(admin: &Client, path: &str) -> Result<Option<Value>> {
    let mut again = true;
    loop {
        let request = http::Request::get(path).body(Vec::new())?;
        match admin.request::<Value>(request).await {
            Ok(value) => return Ok(Some(value)),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(kube::Error::Service(_) | kube::Error::HyperError(_)) if again => again = false,
            Err(error) => return Err(error).with_context(|| format!("GET {path}")),
        }
    }
}
