//! Values for the fields of `spec.monitoring`.

use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, prop_oneof},
    sample::select,
    strategy::{BoxedStrategy, Union},
};
use serde_json::{Value, json};

use super::specs::labels;
use super::words::{long, no_object, no_text, one_of, shaped, spoilt, texts};

/// A field of it and what is put there.
pub(super) fn change() -> BoxedStrategy<(&'static str, Value)> {
    let at = |path: &'static str, values: BoxedStrategy<Value>| {
        prop_oneof![12 => values, 1 => no_text()]
            .prop_map(move |value| (path, value))
            .boxed()
    };
    let mode = prop_oneof![
        4 => one_of(&["Auto", "Enabled", "Disabled"]),
        1 => one_of(&["", "auto", "Sometimes"]),
    ];
    Union::new_weighted(std::vec![
        (
            1,
            at("/spec/monitoring/mode", mode.prop_map(Value::from).boxed())
        ),
        (3, at("/spec/monitoring/labels", labels())),
        (3, at("/spec/monitoring/interval", interval())),
        (3, at("/spec/monitoring/relabelings", relabelings())),
        (2, at("/spec/monitoring/metricRelabelings", relabelings())),
        (1, at("/spec/monitoring/rules/mode", switch())),
        (3, at("/spec/monitoring/rules/runbookBaseUrl", url())),
        (1, at("/spec/monitoring/dashboards/mode", switch())),
        (2, at("/spec/monitoring/dashboards/labels", labels())),
    ])
    .boxed()
}

pub(super) fn interval() -> BoxedStrategy<Value> {
    let number = prop_oneof![
        3 => shaped("[1-9][0-9]{0,6}"),
        1 => one_of(&["", "0", "01", "-1", "+1", "1.5", "1e3", "１"]),
    ];
    let unit = one_of(&[
        "s", "s", "m", "h", "ms", "", "d", "S", "us", " s", "s ", "m30s", "s\n",
    ]);
    (number, unit)
        .prop_map(|(number, unit)| Value::from(number + &unit))
        .boxed()
}

/// Whether something is made.
fn switch() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => one_of(&["Enabled", "Disabled"]),
        1 => one_of(&["", "enabled", "Auto", "true"]),
    ]
    .prop_map(Value::from)
    .boxed()
}

/// URLs, and what is nearly one.
fn url() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => texts(spoilt(shaped("https?://[A-Za-z0-9][-A-Za-z0-9.]{0,6}(:[0-9]{1,6})?(/[-A-Za-z0-9._~/]{0,8})?")), &[254, 255, 256]),
        2 => (one_of(&["https://a/"]), long(&[244, 245, 246])).prop_map(|(start, rest)| Value::from(start + &rest)),
        1 => one_of(&["", "http://", "https:///a", "//a", "https://a:", "https://a/?b", "https://a/#b", "HTTPS://a", "https://a/{{ $value }}"]).prop_map(Value::from),
    ]
    .boxed()
}

/// Steps on labels, sound ones and others.
fn relabelings() -> BoxedStrategy<Value> {
    let name = || {
        prop_oneof![
            4 => shaped("[a-zA-Z_][a-zA-Z0-9_]{0,6}").prop_map(Value::from),
            1 => texts(spoilt(shaped("[a-z_]{1,4}")), &[127, 128, 129]),
            1 => select(vec![json!("stack"), json!("namespace"), json!("job"), json!("$1"), json!(null)]),
        ]
        .boxed()
    };
    let action = one_of(&[
        "replace",
        "keep",
        "drop",
        "hashmod",
        "labelmap",
        "labeldrop",
        "labelkeep",
        "lowercase",
        "uppercase",
        "keepequal",
        "dropequal",
        "Replace",
        "",
    ])
    .prop_map(Value::from);
    let names = prop_oneof![
        6 => vec(name(), 0..3).prop_map(Value::from),
        1 => select(vec![9_usize, 10, 11]).prop_map(|count| json!(std::vec![json!("a"); count])),
        1 => no_object(),
    ];
    let text = |lengths: &'static [usize]| texts(shaped("[a-z.*$1/]{0,6}"), lengths);
    let modulus = select(vec![
        json!(1),
        json!(4),
        json!(0),
        json!(-1),
        json!(1_000_000),
        json!(1_000_001),
        json!(1.5),
        json!("4"),
    ]);
    let step = (
        option::weighted(0.8, action),
        option::weighted(0.5, names),
        option::weighted(0.2, text(&[15, 16, 17])),
        option::weighted(0.4, text(&[511, 512, 513])),
        option::weighted(0.6, name()),
        option::weighted(0.3, text(&[511, 512, 513])),
        option::weighted(0.2, modulus),
    )
        .prop_map(
            |(action, names, separator, regex, target, replacement, modulus)| {
                let fields = [
                    ("action", action),
                    ("sourceLabels", names),
                    ("separator", separator),
                    ("regex", regex),
                    ("targetLabel", target),
                    ("replacement", replacement),
                    ("modulus", modulus),
                ];
                let fields = fields.into_iter();
                Value::Object(
                    fields
                        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                        .collect(),
                )
            },
        );
    prop_oneof![
        8 => vec(step, 0..3).prop_map(Value::from),
        1 => select(vec![19_usize, 20, 21]).prop_map(|count| json!(std::vec![json!({"targetLabel": "a"}); count])),
        1 => no_object(),
    ]
    .boxed()
}
