//! Generated specs, and every way from one to another: what stands in the end depends on the spec alone, not on the one
//! before. The measure is a fresh stack of the same spec.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Tally, case, is_asked_for, specs, spread};
use crate::{
    bench::Bench,
    lane::Lane,
    oracles::{self, Reference},
    random,
};

/// How many specs: primes, so that each distance leads once around all of them, and all distances make every way.
const SPECS: usize = 101;
const FEW_SPECS: usize = 11;
/// Transitions that share a stack.
const CHUNK: usize = 25;

/// One way, by the numbers of its specs.
#[derive(Clone, Copy, Debug)]
struct Way {
    from: usize,
    to: usize,
}

pub(crate) async fn run(bench: Arc<Bench>, tally: Arc<Tally>) {
    let seed = bench.options.seed;
    let (count, distances) = if bench.options.large || bench.options.replay.is_some() {
        (SPECS, SPECS)
    } else {
        (FEW_SPECS, FEW_SPECS)
    };
    let specs = Arc::new(generated(count, seed));
    let mut units = Vec::new();
    let mut needed = BTreeSet::new();
    for distance in 1..distances {
        let around = (0..count).map(|turn| Way {
            from: turn * distance % count,
            to: (turn + 1) * distance % count,
        });
        let asked: Vec<Way> = around
            .filter(|way| is_asked_for(&bench, &id(*way)))
            .collect();
        needed.extend(asked.iter().map(|way| way.to));
        units.extend(asked.chunks(CHUNK).map(<[Way]>::to_vec));
    }
    // What they are compared with.
    spread(&bench, needed.into_iter().collect(), |number| {
        fresh(
            Arc::clone(&bench),
            Arc::clone(&tally),
            Arc::clone(&specs),
            number,
        )
    })
    .await;
    spread(&bench, units, |ways| {
        unit(
            Arc::clone(&bench),
            Arc::clone(&tally),
            Arc::clone(&specs),
            ways,
        )
    })
    .await;
}

fn id(way: Way) -> String {
    format!("transitions/{}-{}", way.from, way.to)
}

/// That many specs, no two the same, all valid.
fn generated(count: usize, seed: u64) -> Vec<Value> {
    let mut specs = Vec::new();
    let mut known = BTreeSet::new();
    let mut state = random::next(seed);
    while specs.len() < count {
        let spec = one_spec(&mut state);
        if known.insert(spec.to_string()) {
            specs.push(spec);
        }
    }
    specs
}

/// A value, or none, for each part of a spec that can be changed.
fn one_spec(state: &mut u64) -> Value {
    let mut spec = json!({});
    for (place, values) in parts() {
        *state = random::next(*state);
        // Half of all parts are left out.
        let drawn = usize::try_from(*state >> 33).unwrap_or_default();
        let Some(value) = values.get(drawn % (values.len() * 2)) else {
            continue;
        };
        let place = place
            .split('.')
            .fold(&mut spec, |spec, word| &mut spec[word]);
        *place = value.clone();
    }
    // With the image of this release a migration runs before every API, which is another campaign's matter.
    if spec["api"].get("image").is_none() {
        spec["api"]["image"] = json!("registry.example.org/app:1");
    }
    spec
}

/// A part of a spec and the values it may have.
type Part = (&'static str, Vec<Value>);

fn parts() -> Vec<Part> {
    [of_api(), of_the_rest()].concat()
}

fn of_api() -> Vec<Part> {
    vec![
        ("deletionPolicy", vec![json!("Delete")]),
        ("api.image", vec![json!("registry.example.org/app:2")]),
        (
            "api.migrate",
            vec![
                json!({"command": ["app", "migrate"]}),
                json!({"command": ["app", "up"]}),
            ],
        ),
        ("api.command", vec![json!(["app"]), json!(["app", "serve"])]),
        ("api.port", vec![json!(8080)]),
        ("api.credentials", vec![json!({"mode": "File"})]),
        (
            "api.envFrom",
            vec![
                json!([{"configMapRef": {"name": "settings", "optional": true}}]),
                json!([{"prefix": "A_", "secretRef": {"name": "mail", "optional": true}}]),
            ],
        ),
        (
            "api.probes",
            vec![
                json!({"readiness": {"path": "/ready", "initialDelaySeconds": 2}}),
                json!({"startup": {"failureThreshold": 9}}),
            ],
        ),
        (
            "api.disruptionBudget",
            vec![json!({"maxUnavailable": "50%"})],
        ),
        (
            "api.scheduling",
            vec![
                json!({"nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}]}),
                json!({"topologySpreadConstraints": [
                    {"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"},
                ]}),
                json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}},
                ]}}}),
            ],
        ),
        ("api.replicas", vec![json!(0), json!(3), json!(7)]),
        (
            "api.env",
            vec![
                json!([{"name": "A", "value": "1"}]),
                json!([{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]),
                json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "mail", "key": "password"}}}]),
                json!([{"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
            ],
        ),
        (
            "api.resources",
            vec![
                json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
                json!({"requests": {"cpu": "10m"}}),
            ],
        ),
    ]
}

fn of_the_rest() -> Vec<Part> {
    let hosts = json!(["a.example.org"]);
    vec![
        (
            "ingress",
            vec![
                json!({"hosts": hosts}),
                json!({"hosts": ["b.example.org", "a.example.org"]}),
                json!({"hosts": hosts, "redirectToHttps": false}),
                json!({"hosts": hosts, "entryPoints": {"http": "http", "https": "https"}}),
                json!({"hosts": hosts, "tls": {"mode": "Secret", "secret": {"name": "a-tls"}}}),
                json!({"hosts": hosts, "tls": {"mode": "Resolver", "resolver": {"name": "a"}}}),
                json!({"hosts": hosts, "tls": {"mode": "CertManager", "certManager": {"issuerRef": {"name": "a"}}}}),
                json!({
                    "hosts": hosts, "metrics": {"allow": ["::1"], "ipStrategy": {"depth": 0}}, "compress": true,
                    "headers": {"frameDeny": true}, "basicAuth": {"secretRef": {"name": "a"}},
                }),
                json!({
                    "hosts": hosts, "headers": {"contentTypeNosniff": true}, "rateLimit": {"average": 1, "burst": 2},
                    "inFlight": {"amount": 3}, "retry": {"attempts": 2}, "sticky": {"cookie": {"name": "a"}},
                }),
            ],
        ),
        (
            "postgres",
            vec![
                json!({"parameters": {"max_connections": "200", "work_mem": "8MB"}}),
                json!({"resources": {"requests": {"cpu": "10m"}}}),
            ],
        ),
        (
            "redis",
            vec![
                json!({"engine": "Disabled"}),
                json!({"resources": {"limits": {"memory": "1Gi"}}}),
                json!({"maxMemory": "96Mi"}),
                json!({"persistence": {"mode": "None"}}),
            ],
        ),
        (
            "monitoring",
            vec![
                json!({"mode": "Disabled"}),
                json!({"mode": "Enabled", "labels": {"release": "prometheus"}}),
                json!({"mode": "Enabled", "interval": "1m"}),
                json!({"rules": {"mode": "Disabled"}, "dashboards": {"labels": {"shown-by": "grafana"}}}),
                json!({"rules": {"runbookBaseUrl": "https://wiki.example.org"}, "dashboards": {"mode": "Disabled"}}),
            ],
        ),
        (
            "network",
            vec![
                json!({"isolation": "Disabled"}),
                specs::strict(&json!([])),
                specs::strict(&json!([{"ports": [{"port": 443, "protocol": "TCP"}]}])),
            ],
        ),
    ]
}

fn reference(number: usize) -> String {
    format!("reference/transition-{number}")
}

/// A stack that had this spec from the start.
async fn fresh(bench: Arc<Bench>, tally: Arc<Tally>, specs: Arc<Vec<Value>>, number: usize) {
    let id = reference(number);
    let mut lane = match Lane::new(&bench).await {
        Ok(lane) => lane,
        Err(error) => return tally.fails(format!("{id}\n{error:#}")),
    };
    case(&tally, &mut lane, &id, async |lane| {
        lane.create(specs.get(number).context("a spec of that number")?)
            .await?;
        let rest = lane.settle().await?;
        let now = lane.snapshot().await?;
        oracles::always(lane, &rest, &now)?;
        bench.keep_reference(id.clone(), Reference::new(&rest, now.state(true)));
        Ok(())
    })
    .await;
    bench.keep_passwords(lane.wire.passwords());
}

async fn unit(bench: Arc<Bench>, tally: Arc<Tally>, specs: Arc<Vec<Value>>, ways: Vec<Way>) {
    let mut place: Option<(Lane, usize)> = None;
    for way in ways {
        if bench.is_over() {
            break;
        }
        let id = id(way);
        let mut lane = match begin(&bench, &specs, place.take(), way.from).await {
            Ok(lane) => lane,
            Err(error) => return tally.fails(format!("{id} cannot be prepared\n{error:#}")),
        };
        let went_well = case(&tally, &mut lane, &id, async |lane| {
            let fresh = bench.reference(&reference(way.to))?;
            one(lane, &fresh, &specs, way).await
        })
        .await;
        if went_well {
            place = Some((lane, way.to));
        } else {
            bench.keep_passwords(lane.wire.passwords());
        }
    }
    if let Some((lane, _)) = place {
        bench.keep_passwords(lane.wire.passwords());
    }
}

/// A stack at rest that has this spec: the one of the way before, if it does.
async fn begin(
    bench: &Arc<Bench>,
    specs: &[Value],
    place: Option<(Lane, usize)>,
    from: usize,
) -> Result<Lane> {
    let spec = specs.get(from).context("a spec of that number")?;
    let mut lane = match place {
        Some((lane, at)) if at == from => return Ok(lane),
        Some((lane, _)) => {
            lane.begin(Vec::new());
            lane.change(spec).await?;
            lane
        }
        None => {
            let lane = Lane::new(bench).await?;
            lane.create(spec).await?;
            lane
        }
    };
    lane.settle().await?;
    Ok(lane)
}

async fn one(lane: &mut Lane, reference: &Reference, specs: &[Value], way: Way) -> Result<()> {
    lane.begin(Vec::new());
    lane.change(specs.get(way.to).context("a spec of that number")?)
        .await?;
    let rest = lane.settle().await?;
    let now = lane.snapshot().await?;
    oracles::always(lane, &rest, &now)?;
    specs::same(
        &reference.state,
        &now.state(true),
        "changed to it, the stack is not as one made so",
    )
}
