//! Texts for fields: sound ones, ones at a limit, and ones that mean harm.

use proptest::{
    prelude::*,
    sample::select,
    strategy::{BoxedStrategy, Strategy},
    string::string_regex,
};
use serde_json::{Value, json};

/// A text of this shape.
pub(super) fn shaped(regex: &str) -> BoxedStrategy<String> {
    string_regex(regex).expect("a regular expression").boxed()
}

/// One of these.
pub(super) fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<String> {
    select(texts).prop_map(str::to_owned).boxed()
}

/// A text of one letter, of a length around these.
pub(super) fn long(lengths: &'static [usize]) -> BoxedStrategy<String> {
    (
        select(lengths),
        select(&["a", "A", "7", "-", "é", "字"][..]),
    )
        .prop_map(|(length, letter)| letter.repeat(length))
        .boxed()
}

/// What ends a quoted string, starts a new line, or looks like something else.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "`",
    "'",
    "\"",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "\t",
    "\\",
    "/",
    "//",
    ":",
    "@",
    "@file",
    "*",
    "*.",
    ".",
    "..",
    "-",
    "_",
    "=",
    ",",
    "$(HOME)",
    "${HOME}",
    "{{.}}",
    "%2f",
    "%",
    "||",
    "&&",
    "`) || PathPrefix(`/",
    "') --",
    "; rm -rf /",
    "é",
    "字",
    "ß",
    "İ",
    "ｗ",
    "。",
    "\u{202e}",
    "\u{200d}",
    "\u{feff}",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{7f}",
    "🧪",
    "null",
    "true",
    "~",
    "<!--",
    "A",
    "0",
    "1",
    "e",
];

/// A text with something in it, before it or behind it.
pub(super) fn spoilt(sound: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (sound, select(HOSTILE), any::<prop::sample::Index>())
        .prop_map(|(mut text, hostile, place)| {
            let places: Vec<usize> = text
                .char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .collect();
            text.insert_str(places[place.index(places.len())], hostile);
            text
        })
        .boxed()
}

/// Sound texts, texts that begin so, at these lengths, of nothing but harm, or of anything.
pub(super) fn texts(
    sound: BoxedStrategy<String>,
    lengths: &'static [usize],
) -> BoxedStrategy<Value> {
    prop_oneof![
        4 => sound.clone(),
        2 => spoilt(sound),
        2 => long(lengths),
        1 => select(HOSTILE).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
    .prop_map(Value::from)
    .boxed()
}

/// Numbers with every suffix that there is, and what looks like them.
pub(super) fn amounts() -> BoxedStrategy<String> {
    let number = prop_oneof![
        3 => shaped("[1-9][0-9]{0,4}"),
        1 => shaped("[0-9]{14,17}"),
        1 => one_of(&["0", "00", "01", "-1", "+1", "1.5", "1.", ".5", ".", "1.2.3", "1e3", "", "１", "0x10", "1_000", " 1"]),
    ];
    let suffix = one_of(&[
        "", "", "", "Mi", "Gi", "Ki", "Ti", "Pi", "Ei", "k", "M", "G", "T", "P", "E", "n", "u",
        "m", "K", "mi", "KB", "B", "e3", "E3", "e-3", "e+3", "e", "e99", "e999", "e1.5", " Gi",
        "Gi ", "\n",
    ]);
    (number, suffix)
        .prop_map(|(number, suffix)| number + &suffix)
        .boxed()
}

/// A value of another type than a text.
pub(super) fn no_text() -> BoxedStrategy<Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({"name": "a"}),
    ])
    .boxed()
}

/// A value of another type than an object with a field called so.
pub(super) fn no_object() -> BoxedStrategy<Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(7),
        json!("a"),
        json!([]),
        json!(["a", "b"]),
        json!([[], {}]),
        json!({}),
        json!({"unknown": {"field": 1}}),
    ])
    .boxed()
}
