//! Bounds on Kubernetes' own types below `spec.api.scheduling`. A field that they require must not be empty either: read
//! from JSON, one that is missing is.

use serde_json::{Value, json};

/// How nodes' labels are compared.
pub const NODE_OPERATORS: [&str; 6] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
/// How pods' labels are compared.
pub const POD_OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// Each a path below `at` and what is added there.
pub(super) fn bounds(at: &str) -> Vec<(String, Value)> {
    let tolerations = format!("{at}/tolerations/items/properties");
    let spread = format!("{at}/topologySpreadConstraints/items/properties");
    let key = json!({"minLength": 1, "maxLength": 317});
    // What their type takes: the schema alone would let more pass.
    let count = json!({"minimum": 1, "maximum": i32::MAX});
    let honored = json!({"enum": ["Honor", "Ignore"]});
    let mut bounds = vec![
        (format!("{tolerations}/key"), json!({"maxLength": 317})),
        (format!("{tolerations}/value"), json!({"maxLength": 63})),
        (
            format!("{tolerations}/operator"),
            json!({"enum": ["Exists", "Equal"]}),
        ),
        (
            format!("{tolerations}/effect"),
            json!({"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]}),
        ),
        (format!("{spread}/maxSkew"), count.clone()),
        (format!("{spread}/minDomains"), count),
        (format!("{spread}/topologyKey"), key.clone()),
        (
            format!("{spread}/whenUnsatisfiable"),
            json!({"enum": ["DoNotSchedule", "ScheduleAnyway"]}),
        ),
        (format!("{spread}/nodeAffinityPolicy"), honored.clone()),
        (format!("{spread}/nodeTaintsPolicy"), honored),
    ];
    expressions(
        &format!("{spread}/labelSelector"),
        &POD_OPERATORS,
        &mut bounds,
    );

    let affinity = format!("{at}/affinity/properties");
    let weight = json!({"minimum": 1, "maximum": 100});
    let (required, preferred) = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    );
    let nodes = format!("{affinity}/nodeAffinity/properties");
    let terms = format!("{nodes}/{required}/properties/nodeSelectorTerms");
    bounds.push((terms.clone(), json!({"minItems": 1, "maxItems": 20})));
    node_term(&format!("{terms}/items"), &mut bounds);
    let wishes = format!("{nodes}/{preferred}");
    bounds.push((wishes.clone(), json!({"maxItems": 20})));
    bounds.push((format!("{wishes}/items/properties/weight"), weight.clone()));
    let preference = format!("{wishes}/items/properties/preference");
    bounds.push((preference.clone(), json!({"minProperties": 1})));
    node_term(&preference, &mut bounds);
    for neighbours in ["podAffinity", "podAntiAffinity"] {
        let pods = format!("{affinity}/{neighbours}/properties");
        for terms in [required, preferred] {
            bounds.push((format!("{pods}/{terms}"), json!({"maxItems": 20})));
        }
        let wish = format!("{pods}/{preferred}/items/properties");
        bounds.push((format!("{wish}/weight"), weight.clone()));
        for term in [
            format!("{pods}/{required}/items"),
            format!("{wish}/podAffinityTerm"),
        ] {
            bounds.push((format!("{term}/properties/topologyKey"), key.clone()));
            for selector in ["labelSelector", "namespaceSelector"] {
                let selector = format!("{term}/properties/{selector}");
                expressions(&selector, &POD_OPERATORS, &mut bounds);
            }
        }
    }
    bounds
}

fn node_term(term: &str, bounds: &mut Vec<(String, Value)>) {
    for list in ["matchExpressions", "matchFields"] {
        expression(
            &format!("{term}/properties/{list}"),
            &NODE_OPERATORS,
            bounds,
        );
    }
}

fn expressions(selector: &str, operators: &[&str], bounds: &mut Vec<(String, Value)>) {
    expression(
        &format!("{selector}/properties/matchExpressions"),
        operators,
        bounds,
    );
}

fn expression(list: &str, operators: &[&str], bounds: &mut Vec<(String, Value)>) {
    bounds.push((list.to_owned(), json!({"maxItems": 20})));
    let item = format!("{list}/items/properties");
    bounds.push((
        format!("{item}/key"),
        json!({"minLength": 1, "maxLength": 317}),
    ));
    bounds.push((format!("{item}/operator"), json!({"enum": operators})));
}
