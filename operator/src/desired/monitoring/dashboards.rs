//! Grafana dashboards of a stack: Compose's own files, each panel of this stack alone. [pure]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::selected_by;
use crate::desired::metadata::Component;
use crate::promql::{self, Scope};
use crate::validate::Stack;

/// The one source of both runtimes.
const API: &str = include_str!("../../../../compose/grafana/dashboards/api.json");

/// Grafana puts a duration here before it asks; to a parser it is none.
const RATE_INTERVAL: &str = "$__rate_interval";
/// A duration that nobody writes, as it is printed: it stands for Grafana's while there is a tree.
const STAND_IN: &str = "13h37m13s337ms";

/// Stands for the digest of a stack's name while no stack is known.
const DIGEST: &str = "DIGEST-TO-COME";

/// Read and scoped once: a run fills in names, and parses and prints nothing.
static API_TEMPLATE: LazyLock<String> = LazyLock::new(|| template(API, Component::Api.as_str()));

/// The dashboard on the API.
pub(super) fn of_api(stack: &Stack, scope: &Scope) -> ConfigMap {
    let component = Component::Api;
    // Grafana's sidecar puts the files of all namespaces into one folder. A namespace has no dot.
    let file = format!(
        "{}.{}-{}.json",
        scope.namespace,
        scope.stack,
        component.as_str()
    );
    let text = scope
        .fill(&API_TEMPLATE)
        .replace(DIGEST, &digest(&name(scope)));
    ConfigMap {
        metadata: selected_by(
            &stack.monitoring.dashboards.labels,
            component.owned(stack, component.dashboard_name(&stack.name)),
        ),
        data: Some(BTreeMap::from([(file, text)])),
        ..ConfigMap::default()
    }
}

/// The dashboard of a stack beside those of others: each expression its own, with an identifier, a title and a tag of its own.
fn template(text: &str, word: &str) -> String {
    let scope = Scope::to_come();
    let mut dashboard: Value =
        serde_json::from_str(text).expect("an embedded file that tests read too");
    each_expression(&mut dashboard, &mut |text| {
        let tree = promql::read(&text.replace(RATE_INTERVAL, STAND_IN))
            .expect("an embedded panel that tests read too");
        let scoped = scope
            .apply(&tree)
            .expect("an embedded panel that tests scope too");
        *text = scoped.to_string().replace(STAND_IN, RATE_INTERVAL);
    });
    let name = name(&scope);
    for (field, value) in dashboard.as_object_mut().into_iter().flatten() {
        match (field.as_str(), value) {
            ("uid", uid) => *uid = json!(format!("tpstack-{DIGEST}-{word}")),
            ("title", Value::String(title)) => *title = format!("{title} ({name})"),
            ("tags", tags) => tag(tags, &name),
            // They lead to what has all of a link's tags: the same stack's dashboards.
            ("links", Value::Array(links)) => {
                let links = links.iter_mut().filter_map(|link| link.get_mut("tags"));
                links.for_each(|tags| tag(tags, &name));
            }
            _ => {}
        }
    }
    dashboard.to_string()
}

fn name(scope: &Scope) -> String {
    format!("{}/{}", scope.namespace, scope.stack)
}

/// What stands for `<namespace>/<stack>` in an identifier: Grafana takes forty characters, which the names may exceed.
pub fn digest(name: &str) -> String {
    let digest = format!("{:x}", Sha256::digest(name));
    digest.get(..16).unwrap_or_default().to_owned()
}

fn tag(tags: &mut Value, name: &str) {
    if let Value::Array(tags) = tags {
        tags.push(json!(name));
    }
}

/// Shows every expression to `visit`, wherever it is.
fn each_expression(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| each_expression(value, visit)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" => visit(text),
                    value => each_expression(value, visit),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
