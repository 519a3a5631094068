//! One stack on one screen. [pure]

use super::report::Report;
use crate::cli::plain;

/// One screen for people.
pub fn text(report: &Report) -> String {
    let mut lines = vec![format!(
        "TpStack {} in namespace {}",
        report.name, report.namespace
    )];
    let phase = report.phase.map_or_else(
        || "not looked at yet".to_owned(),
        |phase| format!("{phase:?}"),
    );
    let behind = match (report.observed_generation, report.generation) {
        (Some(seen), Some(now)) if seen != now => {
            format!(" (as of generation {seen}; the spec is at {now})")
        }
        _ => String::new(),
    };
    lines.push(format!("  phase        {phase}{behind}"));
    lines.extend(
        report
            .urls
            .iter()
            .map(|url| format!("  url          {url}")),
    );
    for (index, of) in report.conditions.iter().enumerate() {
        let head = if index == 0 { "conditions" } else { "" };
        let message = if of.message.is_empty() {
            String::new()
        } else {
            format!("  {}", of.message)
        };
        let status = format!("{:?}", of.status);
        lines.push(format!(
            "  {head:<12} {:<16} {status:<8} {}{message}",
            of.type_, of.reason
        ));
    }
    for (index, of) in report.pods.iter().enumerate() {
        let head = if index == 0 { "pods" } else { "" };
        lines.push(format!(
            "  {head:<12} {} {} of {} ready",
            of.workload, of.ready, of.wanted
        ));
    }
    for (index, of) in report.volumes.iter().enumerate() {
        let head = if index == 0 { "volumes" } else { "" };
        lines.push(format!(
            "  {head:<12} {} {} {}",
            of.claim, of.phase, of.size
        ));
    }
    for (index, next) in report.next.iter().enumerate() {
        let head = if index == 0 { "next" } else { "" };
        lines.push(format!("  {head:<12} {next}"));
    }
    lines.extend(
        report
            .unread
            .iter()
            .map(|words| format!("  not read     {words}")),
    );
    let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
    format!("{}\n", lines.join("\n"))
}
