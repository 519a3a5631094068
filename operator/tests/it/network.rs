//! Which connections the NetworkPolicies of a stack let through: the table in `docs/network.md`, and nothing else.

mod evaluator;
mod semantics;

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use self::evaluator::{Cluster, Direction, End, Labels, Port};
use crate::samples::render;
use crate::{repository, text};

/// A line of the table: who, to whom, on which port, and whether it is open under Data, Strict and Disabled.
#[derive(Debug)]
struct Row {
    from: Vec<String>,
    to: Vec<String>,
    port: Option<u16>,
    open: [bool; 3],
}

const MODES: [&str; 3] = ["Data", "Strict", "Disabled"];

/// The table; of two lines that say something of a connection, the first holds.
fn table() -> Vec<Row> {
    let text = text("docs/network.md");
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    let words = |cell: &str| cell.split(", ").map(str::to_owned).collect();
    let open = |cell: &str| match cell {
        "open" => true,
        "closed" => false,
        other => panic!("{other} is neither open nor closed"),
    };
    let mut lines = text.lines().filter(|line| line.starts_with('|'));
    let head = cells(lines.next().unwrap());
    assert_eq!(head, ["from", "to", "port", "Data", "Strict", "Disabled"]);
    lines
        .skip(1)
        .map(cells)
        .map(|cells| Row {
            from: words(&cells[0]),
            to: words(&cells[1]),
            port: (cells[2] != "any").then(|| cells[2].parse().unwrap()),
            open: [open(&cells[3]), open(&cells[4]), open(&cells[5])],
        })
        .collect()
}

fn documented(rows: &[Row], from: &str, to: &str, port: u16, mode: usize) -> bool {
    let among = |names: &[String], name: &str| names.iter().any(|n| n == name || n == "any");
    rows.iter()
        .find(|row| {
            among(&row.from, from) && among(&row.to, to) && row.port.is_none_or(|only| only == port)
        })
        .unwrap_or_else(|| panic!("the table says nothing of {from} to {to} {port}"))
        .open[mode]
}

/// A rendered stack among others.
struct Scene {
    cluster: Cluster,
    ends: BTreeMap<&'static str, End>,
    own: Vec<&'static str>,
}

fn labels(value: &Value) -> Labels {
    serde_json::from_value(value.clone()).unwrap()
}

fn scene(documents: &[Value]) -> Scene {
    let mut ends = BTreeMap::new();
    let mut add = |name, namespace: Option<&str>, address: &str, labels: Labels| {
        let end = End {
            address: address.parse().unwrap(),
            pod: namespace.map(|namespace| (namespace.to_owned(), labels)),
            ports: BTreeMap::new(),
        };
        ends.insert(name, end);
    };
    let mut api = Labels::new();
    let mut own = Vec::new();
    let pods = [
        ("api", "Deployment", "-api"),
        ("migrate", "Job", ""),
        ("postgres", "StatefulSet", "-postgres"),
        ("redis", "StatefulSet", "-redis"),
    ];
    for (index, (name, kind, suffix)) in pods.into_iter().enumerate() {
        let workload = documents.iter().find(|document| {
            let name = document["metadata"]["name"].as_str().unwrap();
            document["kind"] == kind && name.ends_with(suffix)
        });
        if let Some(workload) = workload {
            let of_pod = labels(&workload["spec"]["template"]["metadata"]["labels"]);
            if name == "api" {
                api.clone_from(&of_pod);
            }
            add(
                name,
                Some("default"),
                &format!("10.0.0.{}", index + 1),
                of_pod,
            );
            own.push(name);
        }
    }
    // Somebody else's, as near to ours as can be.
    let with = |changes: &[(&str, Option<&str>)]| {
        let mut labels = api.clone();
        for (key, value) in changes {
            let key = format!("app.kubernetes.io/{key}");
            match value {
                Some(value) => labels.insert(key, (*value).to_owned()),
                None => labels.remove(&key),
            };
        }
        labels
    };
    let no_one = Labels::new;
    add(
        "neighbour",
        Some("default"),
        "10.0.0.11",
        with(&[("managed-by", Some("Helm"))]),
    );
    add(
        "namesake",
        Some("default"),
        "10.0.0.12",
        with(&[("component", Some("postgres")), ("managed-by", None)]),
    );
    add(
        "sibling",
        Some("default"),
        "10.0.0.13",
        with(&[("instance", Some("other"))]),
    );
    add("twin", Some("elsewhere"), "10.0.1.1", api.clone());
    add("elsewhere", Some("elsewhere"), "10.0.1.2", no_one());
    add("traefik", Some("traefik"), "10.0.2.1", no_one());
    add("prometheus", Some("monitoring"), "10.0.3.1", no_one());
    add("dns", Some("kube-system"), "10.0.4.1", no_one());
    add("openshift-dns", Some("openshift-dns"), "10.0.5.1", no_one());
    add("node-dns", None, "169.254.20.10", no_one());
    add("listed", None, "192.0.2.10", no_one());
    add("outside", None, "198.51.100.7", no_one());

    let namespaces = [
        "default",
        "elsewhere",
        "traefik",
        "monitoring",
        "kube-system",
        "openshift-dns",
    ];
    let named = |name: &str| {
        let label = ("kubernetes.io/metadata.name".to_owned(), name.to_owned());
        (name.to_owned(), Labels::from([label]))
    };
    let policies = documents
        .iter()
        .filter(|document| document["kind"] == "NetworkPolicy");
    let cluster = Cluster {
        namespaces: namespaces.map(named).into(),
        policies: policies
            .map(|policy| serde_json::from_value(policy.clone()).unwrap())
            .collect(),
    };
    Scene { cluster, ends, own }
}

/// Every connection that begins or ends at a pod of the stack is as the table says.
fn holds_to_the_table(what: &str, documents: &[Value], mode: &str) {
    let rows = table();
    let mode = MODES.iter().position(|known| *known == mode).unwrap();
    let scene = scene(documents);
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (from, source) in &scene.ends {
        for (to, target) in &scene.ends {
            if from == to || !(scene.own.contains(from) || scene.own.contains(to)) {
                continue;
            }
            for number in [53, 80, 443, 5000, 5353, 5432, 6379] {
                let protocols: &[&str] = if [53, 5353].contains(&number) {
                    &["TCP", "UDP"]
                } else {
                    &["TCP"]
                };
                for protocol in protocols {
                    let is = scene
                        .cluster
                        .lets(source, target, Port { number, protocol });
                    let should = documented(&rows, from, to, number, mode);
                    looked_at += 1;
                    if is != should {
                        wrong.push(format!("{from} to {to} {number}/{protocol}: open is {is}, the table says {should}"));
                    }
                }
            }
        }
    }
    assert!(looked_at > 200, "{what}: only {looked_at} connections");
    assert!(
        wrong.is_empty(),
        "{what}, {}:\n{}",
        MODES[mode],
        wrong.join("\n")
    );
}

fn documents(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&render(&["--filename", file])).unwrap()
}

fn samples() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(repository("manifests/samples")).unwrap();
    folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| path.to_str().unwrap().to_owned())
        .map(|path| {
            let sample: Value =
                serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let mode = sample["spec"]["network"]["isolation"]
                .as_str()
                .unwrap_or("Data");
            (path, mode.to_owned())
        })
        .collect()
}

#[test]
fn every_sample_opens_exactly_the_documented_connections() {
    let samples = samples();
    assert!(
        samples.iter().any(|(_, mode)| mode == "Strict"),
        "{samples:?}"
    );
    for (path, mode) in samples {
        holds_to_the_table(&path, &documents(&path), &mode);
    }
}

#[test]
fn without_isolation_everything_is_open() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let stack = json!({
        "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack",
        "metadata": {"name": "open"}, "spec": {"network": {"isolation": "Disabled"}},
    });
    write!(file, "{stack}").unwrap();
    let documents = documents(file.path().to_str().unwrap());
    assert!(
        documents
            .iter()
            .all(|document| document["kind"] != "NetworkPolicy")
    );
    holds_to_the_table("a stack without isolation", &documents, "Disabled");
}

#[test]
fn no_policy_is_about_a_pod_that_is_not_the_stacks() {
    for (path, _) in samples() {
        let scene = scene(&documents(&path));
        for (name, end) in &scene.ends {
            for direction in [Direction::Ingress, Direction::Egress] {
                let selecting = scene.cluster.selecting(end, direction);
                assert!(
                    selecting.is_empty() || scene.own.contains(name),
                    "{path}: {name} is selected by {selecting:?}"
                );
                assert!(selecting.len() <= 1, "{path}: {name} by {selecting:?}");
            }
        }
    }
}
