//! `ServiceMonitors` of prometheus-operator. [pure]

use super::metadata::{COMPONENT_LABEL, Component};
use super::{Children, api};
use crate::foreign::{ScrapeEndpoint, ServiceMonitor, ServiceMonitorSpec};
use crate::validate::Stack;

const API: Component = Component::Api;

/// Adds what Prometheus scrapes.
pub fn add(stack: &Stack, children: &mut Children) {
    let mut metadata = API.owned(stack, API.name(&stack.name));
    // Ours win: the operator knows its own objects by them.
    let mut labels = stack.monitoring.labels.clone();
    labels.append(metadata.labels.get_or_insert_default());
    metadata.labels = Some(labels);
    children.service_monitors.push(ServiceMonitor {
        metadata,
        spec: ServiceMonitorSpec {
            // The job is `api` in both runtimes, so that rules and dashboards are the same.
            job_label: COMPONENT_LABEL.to_owned(),
            selector: API.selector(&stack.name),
            endpoints: vec![ScrapeEndpoint {
                port: api::PORT_NAME.to_owned(),
                path: "/metrics".to_owned(),
                interval: stack.monitoring.interval.clone(),
            }],
        },
    });
}
