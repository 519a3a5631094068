//! The fields that the operator owns, as the API server notes them in `managedFields`. [pure]

use std::fmt;

use operator::desired::metadata::FIELD_MANAGER;
use serde_json::{Map, Value, json};

/// One field: the way to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// A field of an object.
    Name(String),
    /// The item of a list that has these fields.
    Item(Map<String, Value>),
    /// The item of a set that is this.
    Value(Value),
}

/// Every field without fields of its own that the operator applied.
pub(crate) fn owned(object: &Value) -> Vec<Field> {
    let entries = object["metadata"]["managedFields"].as_array();
    let mut fields = Vec::new();
    for entry in entries.into_iter().flatten() {
        if entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply" {
            collect(&entry["fieldsV1"], &mut Vec::new(), &mut fields);
        }
    }
    fields
}

fn collect(tree: &Value, way: &mut Vec<Step>, fields: &mut Vec<Field>) {
    let inner = tree
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, tree)| Some((step(key)?, tree)));
    let mut is_leaf = true;
    for (step, tree) in inner {
        is_leaf = false;
        way.push(step);
        collect(tree, way, fields);
        way.pop();
    }
    if is_leaf && !way.is_empty() {
        fields.push(Field(way.clone()));
    }
}

fn step(key: &str) -> Option<Step> {
    let (sort, rest) = key.split_once(':')?;
    match sort {
        "f" => Some(Step::Name(rest.to_owned())),
        "k" => Some(Step::Item(serde_json::from_str(rest).ok()?)),
        "v" => Some(Step::Value(serde_json::from_str(rest).ok()?)),
        _ => None,
    }
}

impl Field {
    /// Whether it is an annotation of ours.
    pub(crate) fn is_ours(&self) -> bool {
        let name =
            |step: &Step| matches!(step, Step::Name(name) if name.starts_with("tpstack.dev/"));
        self.0.iter().any(name)
    }

    /// The object with another value there, or without it, best first.
    pub(crate) fn others(&self, object: &Value) -> Vec<Value> {
        let mut others = Vec::new();
        let Some((last, way)) = self.0.split_last() else {
            return others;
        };
        let mut changes = [Change::Other, Change::Size, Change::Drop].as_slice();
        let (mut last, mut way) = (last, way);
        if let (Step::Name(name), Some((Step::Item(keys), before))) = (last, way.split_last())
            && keys.contains_key(name)
        {
            // A port is one of a name: with another number it stands in the way of ours. Any other item with another key
            // is somebody else's, which stays; ours is taken away.
            if name != "port" {
                (last, way) = (&self.0[before.len()], before);
                changes = &[Change::Drop];
            }
        }
        for change in changes.iter().copied() {
            let mut object = object.clone();
            let place = way
                .iter()
                .try_fold(&mut object, |place, step| at(place, step));
            if let Some(place) = place
                && alter(place, last, change)
            {
                others.push(object);
            }
        }
        others
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Other,
    Size,
    Drop,
}

fn at<'a>(place: &'a mut Value, step: &Step) -> Option<&'a mut Value> {
    match step {
        Step::Name(name) => place.get_mut(name),
        Step::Item(keys) => place
            .as_array_mut()?
            .iter_mut()
            .find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value))),
        Step::Value(value) => place.as_array_mut()?.iter_mut().find(|item| *item == value),
    }
}

fn alter(place: &mut Value, last: &Step, change: Change) -> bool {
    if change == Change::Drop {
        match (place, last) {
            (Value::Object(fields), Step::Name(name)) => return fields.remove(name).is_some(),
            (Value::Array(items), Step::Item(keys)) => {
                let before = items.len();
                items.retain(|item| !keys.iter().all(|(key, value)| item.get(key) == Some(value)));
                return items.len() < before;
            }
            (Value::Array(items), Step::Value(value)) => {
                let before = items.len();
                items.retain(|item| item != value);
                return items.len() < before;
            }
            _ => return false,
        }
    }
    let Some(value) = at(place, last) else {
        return false;
    };
    let other = match (&*value, change) {
        (Value::String(_), Change::Size) => json!("7Mi"),
        (Value::String(text), _) => json!(format!("{text}-drift")),
        (Value::Number(number), Change::Other) => json!(number.as_i64().unwrap_or_default() + 1),
        (Value::Bool(flag), Change::Other) => json!(!flag),
        _ => return false,
    };
    *value = other;
    true
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            match step {
                Step::Name(name) => f.write_str(name)?,
                Step::Item(keys) => {
                    // A UID differs in every run, and a case must be found again.
                    let words = keys.iter().map(|(key, value)| match key.as_str() {
                        "uid" => "uid".to_owned(),
                        _ => format!("{key}={}", value.to_string().replace('"', "")),
                    });
                    write!(f, "[{}]", words.collect::<Vec<_>>().join(","))?;
                }
                Step::Value(value) => write!(f, "[{value}]")?,
            }
        }
        Ok(())
    }
}
