//! `/metrics` as scrapers see it: both formats read by a parser that forgives nothing, and a number of series that no
//! client can raise.

use crate::api::Api;
use std::collections::{HashMap, HashSet};

/// What Prometheus 3 sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
    text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// A family: its type, its unit, and its samples by name with labels.
#[derive(Default)]
struct Family {
    kind: String,
    unit: String,
    samples: HashMap<String, f64>,
}

/// Reads an exposition, panicking at whatever the format does not allow.
fn parse(text: &str, open_metrics: bool) -> HashMap<String, Family> {
    let mut families: HashMap<String, Family> = HashMap::new();
    let mut current = String::new();
    let body = if open_metrics {
        text.strip_suffix("# EOF\n").expect("it ends with # EOF")
    } else {
        text
    };
    assert!(body.ends_with('\n') && !body.contains("# EOF"));
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (keyword, name, rest) = (
                words.next().unwrap(),
                words.next().unwrap(),
                words.next().unwrap(),
            );
            if name != current {
                assert!(!families.contains_key(name), "{name} comes twice");
                name.clone_into(&mut current);
            }
            let family = families.entry(current.clone()).or_default();
            assert!(family.samples.is_empty(), "{line} comes after samples");
            match keyword {
                "HELP" => assert!(!rest.is_empty() && !rest.contains('\\')),
                "TYPE" => {
                    assert!(family.kind.is_empty(), "two types for {name}");
                    rest.clone_into(&mut family.kind);
                }
                "UNIT" if open_metrics => {
                    assert!(
                        name.ends_with(&format!("_{rest}")),
                        "{name} is not in {rest}"
                    );
                    rest.clone_into(&mut family.unit);
                }
                other => panic!("what is {other}?"),
            }
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
            let value: f64 = value.parse().expect("the value is a number");
            let name = series.split('{').next().unwrap();
            labels(series);
            let family = families.get_mut(&current).expect("a sample has a family");
            let suffix = name
                .strip_prefix(current.as_str())
                .unwrap_or_else(|| panic!("{name} is not of {current}"));
            let allowed: &[&str] = match (family.kind.as_str(), open_metrics) {
                ("counter", true) => &["_total"],
                ("info", true) => &["_info"],
                ("histogram", _) => &["_bucket", "_sum", "_count"],
                ("counter" | "gauge", _) => &[""],
                (other, _) => panic!("{current} is a {other}"),
            };
            assert!(allowed.contains(&suffix), "{name} in a {}", family.kind);
            assert!(
                family.kind != "counter" || name.ends_with("_total"),
                "{name}"
            );
            let twice = family.samples.insert(series.to_owned(), value);
            assert!(twice.is_none(), "{series} comes twice");
        }
    }
    for (name, family) in &families {
        histogram(name, family, open_metrics);
    }
    families
}

/// Names and values of a series' labels.
fn labels(series: &str) -> Vec<(&str, &str)> {
    let Some((_, labels)) = series.split_once('{') else {
        return Vec::new();
    };
    let labels = labels.strip_suffix('}').expect("labels end with a brace");
    let labels: Vec<_> = labels
        .split("\",")
        .map(|label| {
            let (name, value) = label.split_once("=\"").expect("a value is in quotes");
            (name, value.trim_end_matches('"'))
        })
        .collect();
    let names: HashSet<_> = labels.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), labels.len(), "a label comes twice in {series}");
    labels
}

/// Buckets rise, and the last is the count.
fn histogram(name: &str, family: &Family, open_metrics: bool) {
    if family.kind != "histogram" {
        return;
    }
    let mut buckets: HashMap<String, Vec<(f64, f64)>> = HashMap::new();
    for (series, value) in &family.samples {
        if !series.contains("_bucket{") {
            continue;
        }
        let labels = labels(series);
        let (_, bound) = labels.iter().find(|(name, _)| *name == "le").unwrap();
        assert!(
            !open_metrics || bound.contains('.') || *bound == "+Inf",
            "{series}"
        );
        let others: Vec<_> = labels.iter().filter(|(name, _)| *name != "le").collect();
        let bound = bound.replace("+Inf", "inf").parse().unwrap();
        buckets
            .entry(format!("{others:?}"))
            .or_default()
            .push((bound, *value));
    }
    let counts = family
        .samples
        .iter()
        .filter(|(series, _)| series.contains("_count"));
    let mut counts: Vec<f64> = counts.map(|(_, count)| *count).collect();
    let mut tops = Vec::new();
    for (of, mut buckets) in buckets {
        buckets.sort_by(|one, two| one.0.total_cmp(&two.0));
        assert!(
            buckets.is_sorted_by_key(|(_, count)| *count),
            "{name} {of}: {buckets:?}"
        );
        let (bound, count) = buckets.last().unwrap();
        assert!(bound.is_infinite(), "{name} {of}");
        tops.push(*count);
    }
    counts.sort_by(f64::total_cmp);
    tops.sort_by(f64::total_cmp);
    assert_eq!(counts, tops, "{name}");
}

/// The same families under the names of the other format.
fn plain_name(name: &str, kind: &str) -> String {
    match kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    }
}

#[tokio::test]
async fn both_formats_say_the_same_and_scrapers_get_the_one_they_prefer() {
    let api = Api::start(&[]).await;
    for path in ["/api/data", "/api/data", "/nothing"] {
        api.get(path).await;
    }
    let asked = [("accept", PROMETHEUS)];
    let open_metrics = api.request("GET", "/metrics", &asked).await;
    let text = api.get("/metrics").await;
    assert_eq!(
        open_metrics.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert_eq!(
        text.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(text.header("vary"), "accept");
    let families = parse(&open_metrics.body, true);
    let plain = parse(&text.body, false);
    let names: HashSet<_> = families
        .iter()
        .map(|(name, family)| plain_name(name, &family.kind))
        .collect();
    assert_eq!(names, plain.keys().cloned().collect());
    assert_eq!(families["app_request_latency_seconds"].unit, "seconds");
    let series = r#"app_requests_total{endpoint="/api/data",method="GET",status="200"}"#;
    assert_eq!(families["app_requests"].samples[series], 2.0);
    assert_eq!(plain["app_requests_total"].samples[series], 2.0);
    let cpu = &families["process_cpu_seconds"];
    assert_eq!(
        (cpu.kind.as_str(), cpu.unit.as_str()),
        ("counter", "seconds")
    );
}

#[tokio::test]
async fn thousands_of_paths_methods_and_ids_make_no_series() {
    let api = Api::start(&[]).await;
    let count = async || {
        let families = parse(&api.get("/metrics").await.body, false);
        families
            .values()
            .map(|family| family.samples.len())
            .sum::<usize>()
    };
    let ask = async |number: usize| {
        let method = format!("M{number}");
        let path = format!("/{number:x}/%{:02x}?{number}", number % 256);
        api.get(&path).await;
        api.request(&method, &path, &[("x-request-id", &method)])
            .await;
        api.get(&format!("/api/items/{number}")).await;
    };
    ask(0).await;
    let first = count().await;
    for number in 1..1500 {
        ask(number).await;
    }
    assert_eq!(count().await, first);
}
