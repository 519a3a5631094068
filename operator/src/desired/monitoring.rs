//! What Prometheus scrapes of a stack, what it makes of it, and what Grafana shows. [pure]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::metadata::{COMPONENT_LABEL, Component};
use super::{Children, api};
use crate::crd::{RelabelingSpec, Switch};
use crate::foreign::{Labels, Relabeling, ScrapeEndpoint, ServiceMonitor, ServiceMonitorSpec};
use crate::promql::{STACK, Scope};
use crate::validate::Stack;

pub mod dashboards;
pub mod rules;

const API: Component = Component::Api;

/// Adds what Prometheus scrapes, its rules, and dashboards.
pub fn add(stack: &Stack, children: &mut Children) {
    let spec = &stack.monitoring;
    children.service_monitors.push(service_monitor(stack));
    let scope = scope(stack);
    // Who stops a stack on purpose wants no alert that it does not answer.
    if spec.rules.mode == Switch::Enabled && !stack.stopped {
        children.prometheus_rules.push(rules::of_api(stack, &scope));
    }
    if spec.dashboards.mode == Switch::Enabled {
        children.config_maps.push(dashboards::of_api(stack, &scope));
    }
}

/// Whether a `ConfigMap` of ours with this name is a dashboard.
pub fn is_dashboard(name: &str) -> bool {
    name.ends_with("-dashboard")
}

fn scope(stack: &Stack) -> Scope {
    Scope {
        namespace: stack.namespace.clone(),
        stack: stack.name.clone(),
    }
}

fn service_monitor(stack: &Stack) -> ServiceMonitor {
    let spec = &stack.monitoring;
    ServiceMonitor {
        metadata: selected_by(&spec.labels, API.owned(stack, API.name(&stack.name))),
        spec: ServiceMonitorSpec {
            // The job is `api` in both runtimes, so that rules and dashboards are the same.
            job_label: COMPONENT_LABEL.to_owned(),
            selector: API.selector(&stack.name),
            endpoints: vec![ScrapeEndpoint {
                port: api::PORT_NAME.to_owned(),
                path: "/metrics".to_owned(),
                interval: spec.interval.clone(),
                // Theirs first: whatever they do, the target says whose it is.
                relabelings: steps(&spec.relabelings).chain([of_this(stack)]).collect(),
                metric_relabelings: steps(&spec.metric_relabelings).collect(),
            }],
        },
    }
}

/// Writes the stack's name. The namespace is on every target anyhow. Not by the Service's labels: their names are long, and
/// change with how Prometheus spells them.
fn of_this(stack: &Stack) -> Relabeling {
    Relabeling {
        target_label: Some(STACK.to_owned()),
        replacement: Some(stack.name.clone()),
        ..Relabeling::default()
    }
}

fn steps(theirs: &[RelabelingSpec]) -> impl Iterator<Item = Relabeling> {
    theirs.iter().cloned().map(|step| Relabeling {
        action: step.action,
        source_labels: step.source_labels,
        separator: step.separator,
        regex: step.regex,
        target_label: step.target_label,
        replacement: step.replacement,
        modulus: step.modulus,
    })
}

/// With labels that somebody else selects by. Ours win: the operator knows its own objects by them.
fn selected_by(theirs: &Labels, mut metadata: ObjectMeta) -> ObjectMeta {
    let mut labels = theirs.clone();
    labels.append(metadata.labels.get_or_insert_default());
    metadata.labels = Some(labels);
    metadata
}
