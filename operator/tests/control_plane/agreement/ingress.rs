//! Values for the fields of `spec.ingress`.

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    strategy::{BoxedStrategy, Union},
};
use serde_json::{Map, Value, json};

use super::specs::{LABEL, at};
use super::words::{long, no_object, no_text, one_of, shaped, spoilt, texts};

/// A change of one field.
pub(super) fn change() -> BoxedStrategy<(&'static str, Value)> {
    let flag = || any::<bool>().prop_map(Value::from).boxed();
    Union::new_weighted(vec![
        (4, at("/spec/ingress/hosts", hosts())),
        (1, at("/spec/ingress/entryPoints/http", traefik_name())),
        (1, at("/spec/ingress/entryPoints/https", traefik_name())),
        (1, at("/spec/ingress/redirectToHttps", flag())),
        (4, at("/spec/ingress/tls", tls())),
        (4, at("/spec/ingress/metrics", metrics())),
        (2, at("/spec/ingress/headers", headers())),
        (2, at("/spec/ingress/rateLimit", rate_limit())),
        (1, at("/spec/ingress/inFlight/amount", count())),
        (1, at("/spec/ingress/compress", flag())),
        (2, at("/spec/ingress/retry", retry())),
        (2, at("/spec/ingress/sticky/cookie/name", cookie())),
        (1, at("/spec/ingress/basicAuth/secretRef/name", secret())),
    ])
    .boxed()
}

fn hosts() -> BoxedStrategy<Value> {
    let sound = shaped(&format!("{LABEL}([.]{LABEL}){{0,3}}"));
    let long_label = long(&[1, 61, 62, 63, 64]);
    let host = prop_oneof![
        8 => sound.clone().prop_map(Value::from),
        2 => texts(sound.clone(), &[63, 64, 253, 254]),
        1 => (sound.clone(), one_of(&[".", "-", ":8443", "/", "/path", "/metrics"])).prop_map(|(host, end)| json!(host + &end)),
        1 => sound.clone().prop_map(|host| json!(format!("*.{host}"))),
        1 => sound.prop_map(|host| json!(host.to_uppercase())),
        1 => long_label.prop_map(|label| json!(format!("{label}.example.org"))),
        // Labels as long as they may be, up to and beyond the longest name.
        1 => (1..=5_usize, 0..=63_usize).prop_map(|(labels, rest)| {
            json!(format!("{}{}", format!("{}.", "a".repeat(63)).repeat(labels), "b".repeat(rest)))
        }),
        1 => select(vec![json!("1.2.3.4"), json!("::1"), json!("localhost"), json!("xn--fa-hia.de"), json!("faß.de")]),
    ];
    prop_oneof![
        8 => vec(host, 1..3).prop_map(Value::from),
        1 => select(vec![json!([]), json!(["a", "a"]), json!(["a", "A"]), json!([null]), json!([7]), json!("a"), json!({})]),
        1 => select(vec![19_usize, 20, 21]).prop_map(|length| {
            (0..length).map(|number| json!(format!("h{number}.example.org"))).collect::<Value>()
        }),
    ]
    .boxed()
}

/// Name of an entry point, or of a certificate resolver.
fn traefik_name() -> BoxedStrategy<Value> {
    texts(shaped("[A-Za-z0-9][-A-Za-z0-9_]{0,10}"), &[62, 63, 64])
}

/// Name of a Secret or an issuer.
fn secret() -> BoxedStrategy<Value> {
    texts(
        shaped(&format!("{LABEL}([.]{LABEL}){{0,3}}")),
        &[63, 64, 252, 253, 254],
    )
}

fn tls() -> BoxedStrategy<Value> {
    let member = |name: &'static str| {
        let named = move |name: Value| json!({ "name": name });
        match name {
            "secret" => prop_oneof![4 => secret().prop_map(named), 1 => no_object()].boxed(),
            "resolver" => {
                prop_oneof![4 => traefik_name().prop_map(named), 1 => no_object()].boxed()
            }
            _ => prop_oneof![
                6 => (option::of(issuer_kind()), secret()).prop_map(|(kind, name)| {
                    let mut issuer = json!({ "name": name });
                    if let Some(kind) = kind {
                        issuer["kind"] = kind;
                    }
                    json!({ "issuerRef": issuer })
                }),
                1 => no_object().prop_map(|issuer| json!({ "issuerRef": issuer })),
                1 => no_object(),
            ]
            .boxed(),
        }
    };
    let name = || select(vec!["secret", "resolver", "certManager"]);
    let mode = select(vec![
        json!("Secret"),
        json!("Resolver"),
        json!("CertManager"),
        json!("TraefikDefault"),
        json!("secret"),
        json!(null),
        json!(7),
    ]);
    // Mostly the member that the mode asks for, and no other.
    let fitting = name().prop_flat_map(move |name| {
        let mode = match name {
            "secret" => "Secret",
            "resolver" => "Resolver",
            _ => "CertManager",
        };
        member(name).prop_map(move |value| json!({ "mode": mode, name: value }))
    });
    let any = (
        option::weighted(0.8, mode),
        vec(
            name().prop_flat_map(move |name| member(name).prop_map(move |value| (name, value))),
            0..3,
        ),
    )
        .prop_map(|(mode, members)| {
            let mut tls = Map::new();
            tls.extend(mode.map(|mode| ("mode".to_owned(), mode)));
            tls.extend(
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value)),
            );
            Value::Object(tls)
        });
    prop_oneof![fitting, any].boxed()
}

fn issuer_kind() -> BoxedStrategy<Value> {
    prop_oneof![4 => one_of(&["Issuer", "ClusterIssuer"]).prop_map(Value::from), 1 => no_text(), 1 => Just(json!("issuer"))]
        .boxed()
}

/// A number at its bounds and beyond.
fn count() -> BoxedStrategy<Value> {
    select(vec![
        json!(1),
        json!(500),
        json!(1_000_000),
        json!(0),
        json!(-1),
        json!(1_000_001),
        json!(4_294_967_296_i64),
        json!(1.5),
        json!("1"),
        json!(null),
    ])
    .boxed()
}

fn small_count(bounds: [i64; 2]) -> BoxedStrategy<Value> {
    let [least, most] = bounds;
    prop_oneof![
        4 => (least..=most).prop_map(Value::from),
        1 => select(vec![json!(least - 1), json!(most + 1), json!(null), json!("2")]),
    ]
    .boxed()
}

/// The fields of an object, each there mostly.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| {
            option::weighted(0.85, value).prop_map(move |value| value.map(|value| (name, value)))
        })
        .collect();
    fields
        .prop_map(|fields| {
            let set = fields.into_iter().flatten();
            Value::Object(set.map(|(name, value)| (name.to_owned(), value)).collect())
        })
        .boxed()
}

fn flag() -> BoxedStrategy<Value> {
    select(vec![
        json!(true),
        json!(false),
        json!(false),
        json!(null),
        json!("true"),
    ])
    .boxed()
}

fn metrics() -> BoxedStrategy<Value> {
    let strategy = prop_oneof![
        6 => small_count([0, 10]).prop_map(|depth| json!({ "depth": depth })),
        1 => Just(json!({})),
        1 => no_object(),
    ];
    object(vec![
        ("allow", addresses()),
        ("ipStrategy", strategy.boxed()),
    ])
}

fn addresses() -> BoxedStrategy<Value> {
    let part = || select(vec!["0", "1", "10", "192", "255", "256", "01", "", "-1"]);
    let v4 = [part(), part(), part(), part()].prop_map(|parts| parts.join("."));
    let v6 = one_of(&[
        "::",
        "::1",
        "2001:db8::",
        "2001:DB8::1",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1::8",
        "::ffff:192.0.2.1",
        "64:ff9b::192.0.2.33",
        "1:2:3:4:5:6:192.0.2.1",
        "1:2:3:4:5:6:7:8::",
        "1:2:3:4:5:6:7:8:9",
        "1:::2",
        "12345::",
        "fe80::1%eth0",
        "g::",
        ":1",
        "1:",
        "::ffff:192.0.2.256",
    ]);
    let address = prop_oneof![
        3 => select(vec!["192.0.2.1", "10.0.0.0", "0.0.0.0", "255.255.255.255"]).prop_map(str::to_owned),
        2 => v4,
        4 => v6,
        1 => shaped("[0-9a-f:.]{2,20}"),
        1 => one_of(&["localhost", "192.0.2.1:80", "[::1]", "*", "any"]),
    ];
    let prefix = one_of(&[
        "", "", "/0", "/24", "/32", "/33", "/64", "/128", "/129", "/08", "/", "/+8", "/x", "/24/8",
    ]);
    let range = prop_oneof![
        8 => (address, prefix).prop_map(|(address, prefix)| address + &prefix),
        1 => spoilt(one_of(&["192.0.2.0/24", "2001:db8::/32"])),
        1 => long(&[1, 2, 49, 50]),
    ];
    let entry = prop_oneof![12 => range.prop_map(Value::from), 1 => no_text()];
    prop_oneof![
        8 => vec(entry, 1..3).prop_map(Value::from),
        1 => select(vec![json!([]), json!(["::1", "::1"]), json!("::1"), json!({})]),
        1 => select(vec![49_usize, 50, 51]).prop_map(|length| (0..length).map(|number| json!(format!("192.0.2.{number}"))).collect::<Value>()),
    ]
    .boxed()
}

fn headers() -> BoxedStrategy<Value> {
    let seconds = prop_oneof![
        4 => select(vec![json!(1), json!(3600), json!(315_360_000)]),
        1 => select(vec![json!(0), json!(-1), json!(315_360_001), json!("1h"), json!(null)]),
    ];
    let hsts = object(vec![
        ("maxAgeSeconds", seconds.boxed()),
        ("includeSubdomains", flag()),
    ]);
    object(vec![
        ("hsts", hsts),
        ("frameDeny", flag()),
        ("contentTypeNosniff", flag()),
    ])
}

fn rate_limit() -> BoxedStrategy<Value> {
    let sound = || select(vec![json!(1), json!(200), json!(1_000_000)]).boxed();
    prop_oneof![
        object(vec![
            ("average", sound()),
            ("burst", sound()),
            ("period", super::monitoring::interval())
        ]),
        object(vec![("average", count()), ("burst", sound())]),
        object(vec![("average", sound()), ("burst", count())]),
    ]
    .boxed()
}

fn retry() -> BoxedStrategy<Value> {
    let number =
        prop_oneof![3 => shaped("[1-9][0-9]{0,4}"), 1 => one_of(&["", "0", "01", "-1", "1.5"])];
    let unit = one_of(&["ms", "ms", "s", "m", "h", "us", "", " ms", "ms\n"]);
    let interval = (number, unit).prop_map(|(number, unit)| Value::from(number + &unit));
    object(vec![
        ("attempts", small_count([2, 10])),
        ("initialInterval", interval.boxed()),
    ])
}

fn cookie() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => texts(shaped("[A-Za-z0-9_][-A-Za-z0-9_]{0,10}"), &[62, 63, 64]),
        1 => one_of(&["session", "__Host-session", "__Host-shop", "Session", "-a", "a;b"]).prop_map(Value::from),
    ]
    .boxed()
}
