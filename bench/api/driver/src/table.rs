//! The results as text: a page of tables for people, a file of figures for programs.

use crate::{
    peers::Peer,
    rounds::{Measured, Sample},
    scenario::{CONNECTIONS, Scenario},
    verdicts::{Verdict, spread},
};

/// The page, in Markdown. `about` is what was measured and where, a line each.
pub(crate) fn page(measured: &Measured, verdicts: &[Verdict], about: &[String]) -> String {
    let mut lines = vec!["# One run of `make bench-api`".to_owned(), String::new()];
    lines.extend(about.iter().map(|line| format!("- {line}")));
    lines.push(String::new());
    lines.push("Each figure: the median over the rounds, in brackets the smallest and the largest. How it is measured: `bench/README.md`.".to_owned());
    section(&mut lines, "CPU for each request, in microseconds");
    row(
        &mut lines,
        &[
            "",
            "floor",
            "ours",
            "Express",
            "ours / floor",
            "Express / ours",
        ],
        true,
    );
    for scenario in Scenario::ALL {
        row(&mut lines, &cpu(measured, scenario), false);
    }
    section(
        &mut lines,
        &format!(
            "Requests a second, closed loop ({CONNECTIONS} connections; misses: one at a time)"
        ),
    );
    row(&mut lines, &["", "floor", "ours", "Express"], true);
    for scenario in Scenario::ALL {
        row(
            &mut lines,
            &each_peer(measured, scenario, &|sample| sample.per_second, 0),
            false,
        );
    }
    section(
        &mut lines,
        "Latency at a fixed rate, from when the request was due, in microseconds",
    );
    row(&mut lines, &["", "", "floor", "ours", "Express"], true);
    for scenario in Scenario::ALL {
        for (name, quantile) in QUANTILES {
            let mut cells = each_peer(measured, scenario, &|sample| sample.latency(quantile), 0);
            let rate = format!("{} at {} a second", scenario.name(), scenario.rate());
            if let Some(first) = cells.first_mut() {
                *first = rate;
            }
            cells.insert(1, name.to_owned());
            row(&mut lines, &cells, false);
        }
    }
    section(&mut lines, "The process");
    row(&mut lines, &["", "floor", "ours", "Express"], true);
    row(
        &mut lines,
        &lives(measured, "exec to first 200, ms", |life| life.first_answer),
        false,
    );
    row(
        &mut lines,
        &lives(measured, "memory at rest, MB", |life| life.at_rest),
        false,
    );
    row(
        &mut lines,
        &lives(measured, "memory at most, MB", |life| life.peak),
        false,
    );
    section(&mut lines, "Promises");
    row(&mut lines, &["promise", "found", ""], true);
    for verdict in verdicts {
        let kept = if verdict.kept { "pass" } else { "FAIL" };
        row(&mut lines, &[&verdict.promise, &verdict.found, kept], false);
    }
    lines.join("\n") + "\n"
}

/// The percentiles told.
pub(crate) const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

fn section(lines: &mut Vec<String>, title: &str) {
    lines.extend([String::new(), format!("## {title}"), String::new()]);
}

fn row(lines: &mut Vec<String>, cells: &[impl AsRef<str>], is_head: bool) {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    lines.push(format!("| {} |", cells.join(" | ")));
    if is_head {
        lines.push(format!("|{}", "---|".repeat(cells.len())));
    }
}

fn cpu(measured: &Measured, scenario: Scenario) -> Vec<String> {
    let mut cells = each_peer(measured, scenario, &|sample| sample.cpu, 1);
    let ours = (Peer::Ours, scenario);
    cells.push(match scenario {
        Scenario::Health | Scenario::Cached => {
            spread(&measured.ratios(ours, (Peer::Floor, scenario)), 2)
        }
        Scenario::Miss | Scenario::Metrics => String::new(),
    });
    cells.push(spread(&measured.ratios((Peer::Express, scenario), ours), 1));
    cells
}

fn each_peer(
    measured: &Measured,
    scenario: Scenario,
    value: &dyn Fn(&Sample) -> f64,
    digits: usize,
) -> Vec<String> {
    let cell = |peer: Peer| {
        let values: Vec<f64> = measured.of(peer, scenario).map(value).collect();
        if values.is_empty() {
            String::new()
        } else {
            spread(&values, digits)
        }
    };
    let mut cells = vec![scenario.name().to_owned()];
    cells.extend(Peer::ALL.map(cell));
    cells
}

fn lives(
    measured: &Measured,
    name: &str,
    value: impl Fn(&crate::rounds::Life) -> f64,
) -> Vec<String> {
    let cell = |peer: Peer| {
        let lives = measured.lives.iter().filter(|life| life.peer == peer);
        spread(&lives.map(&value).collect::<Vec<_>>(), 1)
    };
    let mut cells = vec![name.to_owned()];
    cells.extend(Peer::ALL.map(cell));
    cells
}

/// Every sample, as comma-separated values.
pub(crate) fn figures(measured: &Measured) -> String {
    let mut lines =
        vec!["round,peer,scenario,cpu_us,requests_per_second,p50_us,p99_us,p999_us".to_owned()];
    for sample in &measured.samples {
        let [p50, p99, p999] = QUANTILES.map(|(_, quantile)| sample.latency(quantile));
        lines.push(format!(
            "{},{},{:?},{:.2},{:.0},{p50:.0},{p99:.0},{p999:.0}",
            sample.round,
            sample.peer.name(),
            sample.scenario,
            sample.cpu,
            sample.per_second,
        ));
    }
    lines.push(String::new());
    lines.push("round,peer,first_answer_ms,memory_at_rest_mb,memory_at_most_mb".to_owned());
    for life in &measured.lives {
        lines.push(format!(
            "{},{},{:.1},{:.1},{:.1}",
            life.round,
            life.peer.name(),
            life.first_answer,
            life.at_rest,
            life.peak,
        ));
    }
    lines.join("\n") + "\n"
}
