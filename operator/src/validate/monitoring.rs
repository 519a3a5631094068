//! Rules of `spec.monitoring`. [pure]

use super::{Check, words};
use crate::crd::{MonitoringSpec, RelabelAction, RelabelingSpec};
use crate::foreign::Labels;

/// Checks scraping, alert rules and dashboards.
pub(super) fn check(spec: &MonitoringSpec, check: &mut Check) {
    check.that(
        words::is_interval(&spec.interval),
        "spec.monitoring.interval",
        "must be a whole number and one of ms, s, m, h: for example 15s",
    );
    labels(
        &spec.labels,
        "spec.monitoring.labels",
        "must be labels as Kubernetes knows them: for example release: kube-prometheus-stack",
        check,
    );
    for (steps, field) in [
        (&spec.relabelings, "spec.monitoring.relabelings"),
        (
            &spec.metric_relabelings,
            "spec.monitoring.metricRelabelings",
        ),
    ] {
        check.that(steps.len() <= 20, field, "must have at most 20 entries");
        for step in steps {
            relabeling(step, field, check);
        }
    }
    let base = &spec.rules.runbook_base_url;
    check.that(
        base.is_empty() || words::is_plain_url(base),
        "spec.monitoring.rules.runbookBaseUrl",
        "must be empty, or an http or https URL without a query: for example https://wiki.example.org/runbooks",
    );
    labels(
        &spec.dashboards.labels,
        "spec.monitoring.dashboards.labels",
        "must be labels as Kubernetes knows them: for example grafana_dashboard: \"1\"",
        check,
    );
}

/// One step on labels: what Prometheus would refuse stops the whole scrape, so it is refused here.
fn relabeling(step: &RelabelingSpec, field: &str, check: &mut Check) {
    use RelabelAction::{
        Drop, DropEqual, HashMod, Keep, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase,
        Replace, Uppercase,
    };
    let given = |text: &Option<String>| text.is_some();
    let within = |text: &Option<String>, most: usize| {
        text.as_ref()
            .is_none_or(|text| text.chars().count() <= most)
    };
    let names = step.source_labels.iter().chain(&step.target_label);
    check.that(
        step.source_labels.len() <= 10 && names.into_iter().all(|name| words::is_series_label(name)),
        field,
        "must have at most 10 sourceLabels, and they and targetLabel must be names of labels: letters, digits and '_'",
    );
    check.that(
        within(&step.separator, 16)
            && within(&step.regex, 512)
            && within(&step.replacement, 512)
            && step.regex.as_deref() != Some(""),
        field,
        "must have texts of at most 512 characters (separator: 16), and a regex that is not empty",
    );
    check.that(
        step.modulus
            .is_none_or(|modulus| (1..=1_000_000).contains(&modulus)),
        field,
        "must have a modulus between 1 and 1000000",
    );
    check.that(
        (step.action == HashMod) == step.modulus.is_some(),
        field,
        "must have a modulus with action hashmod, and with no other",
    );
    let sound = match step.action {
        Replace | HashMod => given(&step.target_label),
        Keep | Drop | LabelMap => true,
        LabelDrop | LabelKeep => {
            given(&step.regex)
                && step.source_labels.is_empty()
                && !given(&step.separator)
                && !given(&step.target_label)
                && !given(&step.replacement)
        }
        Lowercase | Uppercase => given(&step.target_label) && !given(&step.replacement),
        KeepEqual | DropEqual => {
            given(&step.target_label)
                && !given(&step.regex)
                && !given(&step.separator)
                && !given(&step.replacement)
        }
    };
    check.that(
        sound,
        field,
        "must have what their action asks for and nothing that it does not know: labeldrop and labelkeep a regex alone, the others a targetLabel but for keep, drop and labelmap",
    );
    let target = step.target_label.as_deref().unwrap_or_default();
    check.that(
        !["namespace", "stack", "job"].contains(&target),
        field,
        "may not write the labels namespace, stack and job: alerts and dashboards know the stack by them",
    );
}

fn labels(labels: &Labels, field: &str, words: &str, check: &mut Check) {
    check.that(labels.len() <= 20, field, "must have at most 20 entries");
    check.that(
        labels
            .iter()
            .all(|(key, value)| words::is_label_key(key) && words::is_label_value(value)),
        field,
        words,
    );
    check.that(
        labels
            .keys()
            .all(|key| !key.starts_with("app.kubernetes.io/")),
        field,
        "may not set app.kubernetes.io/ labels: remove them",
    );
}
