//! Prometheus: whether one selects the stack's `ServiceMonitor`. [pure]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use serde_json::{Value, json};

use super::is_plain_word;
use crate::cli::doctor::Finding;
use crate::cli::doctor::facts::{ClusterFacts, Scraper, StackFacts};
use crate::foreign::Labels;
use crate::kind::Kind;
use crate::validate::Stack;

pub(super) fn check(facts: &ClusterFacts, own: &StackFacts, _: &Stack) -> Vec<Finding> {
    let monitor = own
        .children
        .iter()
        .find(|child| child.id.kind == Kind::ServiceMonitor);
    let labels = monitor
        .and_then(|monitor| monitor.value.pointer("/metadata/labels"))
        .and_then(|labels| serde_json::from_value::<Labels>(labels.clone()).ok());
    let (Some(labels), Some(scrapers)) = (labels, &facts.scrapers) else {
        return Vec::new();
    };
    if scrapers.is_empty() {
        return vec![Finding::new(
            "PrometheusMissing",
            "a ServiceMonitor is made, and there is no Prometheus that could scrape by it",
            "kubectl get prometheuses.monitoring.coreos.com --all-namespaces",
        )];
    }
    // What namespaces are labelled with may be unread: then nothing can be said of other namespaces.
    let mut reached = Vec::new();
    for scraper in scrapers {
        match reaches(scraper, own) {
            Some(true) => reached.push(scraper),
            Some(false) => {}
            None => return Vec::new(),
        }
    }
    let is_scraped = |scraper: &&Scraper| selects(scraper.monitors.as_ref(), &labels);
    if reached.iter().any(is_scraped) {
        return Vec::new();
    }
    match (reached.first(), scrapers.first()) {
        (Some(scraper), _) => vec![not_selected(scraper, own)],
        (None, Some(scraper)) => vec![out_of_reach(scraper, own)],
        (None, None) => Vec::new(),
    }
}

/// Whether it looks into the stack's namespace; `None` if that cannot be told.
fn reaches(scraper: &Scraper, own: &StackFacts) -> Option<bool> {
    match &scraper.namespaces {
        None => Some(scraper.namespace == own.namespace),
        Some(selector) if *selector == LabelSelector::default() => Some(true),
        Some(selector) => Some(selects(Some(selector), own.namespace_labels.as_ref()?)),
    }
}

fn selects(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    let selector = selector.cloned().map(Selector::try_from);
    selector.is_some_and(|selector| selector.is_ok_and(|selector| selector.matches(labels)))
}

fn name(scraper: &Scraper) -> String {
    format!(
        "{} {}/{}",
        scraper.resource, scraper.namespace, scraper.name
    )
}

fn look(scraper: &Scraper, field: &str) -> String {
    format!(
        "kubectl --namespace {} get {} {} --output=jsonpath={{.spec.{field}}}",
        scraper.namespace, scraper.resource, scraper.name
    )
}

/// The labels that a selector asks for, where it asks for nothing else and they may stand in a command.
fn pairs(selector: Option<&LabelSelector>) -> Option<&Labels> {
    let selector = selector.filter(|of| of.match_expressions.is_none())?;
    let labels = selector.match_labels.as_ref()?;
    labels
        .iter()
        .all(|(key, value)| is_plain_word(key) && is_plain_word(value))
        .then_some(labels)
}

fn not_selected(scraper: &Scraper, own: &StackFacts) -> Finding {
    let next = match pairs(scraper.monitors.as_ref()) {
        Some(labels) => {
            let patch = json!({"spec": {"monitoring": {"labels": labels}}});
            format!(
                "kubectl --namespace {} patch tpstack {} --type=merge --patch='{patch}'",
                own.namespace, own.name
            )
        }
        None => look(scraper, "serviceMonitorSelector"),
    };
    Finding::new(
        "MonitorNotSelected",
        format!(
            "{} does not select the ServiceMonitor: its serviceMonitorSelector is {}, and spec.monitoring.labels is {}",
            name(scraper),
            shown(scraper.monitors.as_ref()),
            own.spec
                .pointer("/monitoring/labels")
                .unwrap_or(&Value::Null)
        ),
        next,
    )
}

fn out_of_reach(scraper: &Scraper, own: &StackFacts) -> Finding {
    let next = match pairs(scraper.namespaces.as_ref()) {
        Some(labels) => {
            let labels: Vec<String> = labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            format!(
                "kubectl label namespace {} {}",
                own.namespace,
                labels.join(" ")
            )
        }
        None if scraper.namespaces.is_none() => format!(
            "kubectl --namespace {} patch {} {} --type=merge --patch='{{\"spec\":{{\"serviceMonitorNamespaceSelector\":{{}}}}}}'",
            scraper.namespace, scraper.resource, scraper.name
        ),
        None => look(scraper, "serviceMonitorNamespaceSelector"),
    };
    Finding::new(
        "MonitorNamespaceNotSelected",
        format!(
            "{} does not look into namespace {}: its serviceMonitorNamespaceSelector is {}",
            name(scraper),
            own.namespace,
            shown(scraper.namespaces.as_ref())
        ),
        next,
    )
}

fn shown(selector: Option<&LabelSelector>) -> String {
    selector.map_or_else(
        || "unset".to_owned(),
        |selector| json!(selector).to_string(),
    )
}
