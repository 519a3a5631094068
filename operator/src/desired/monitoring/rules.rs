//! Recorded series and alerts of a stack: Compose's own files, each expression of this stack alone. [pure]

use std::sync::LazyLock;

use serde::Deserialize;

use super::selected_by;
use crate::desired::metadata::Component;
use crate::foreign::{PrometheusRule, PrometheusRuleSpec, RuleGroup};
use crate::promql::{self, Scope};
use crate::validate::Stack;

/// The one source of both runtimes. Of the other files of Compose, none is here: what they look at is not the stack's
/// own, or has no exporter yet. The list, with reasons, is `LEFT_OUT` in the tests.
const API: &str = include_str!("../../../../compose/prometheus/rules/api.yml");

/// Annotation of the page that says what to do.
const RUNBOOK: &str = "runbook_url";

/// A file of rules, as Prometheus reads it.
#[derive(Deserialize)]
struct File {
    groups: Vec<RuleGroup>,
}

/// Read and scoped once: a run fills in names, and parses and prints nothing.
static API_TEMPLATE: LazyLock<Vec<RuleGroup>> = LazyLock::new(|| template(API));

/// The rules on the API.
pub(super) fn of_api(stack: &Stack, scope: &Scope) -> PrometheusRule {
    let component = Component::Api;
    PrometheusRule {
        metadata: selected_by(
            &stack.monitoring.labels,
            component.owned(stack, component.name(&stack.name)),
        ),
        spec: PrometheusRuleSpec {
            groups: groups(
                &API_TEMPLATE,
                scope,
                &stack.monitoring.rules.runbook_base_url,
            ),
        },
    }
}

fn template(text: &str) -> Vec<RuleGroup> {
    let scope = Scope::to_come();
    let file: File = serde_saphyr::from_str(text).expect("an embedded file that tests read too");
    let mut groups = file.groups;
    for rule in groups.iter_mut().flat_map(|group| &mut group.rules) {
        let tree = promql::read(&rule.expr).expect("an embedded rule that tests read too");
        let scoped = scope
            .apply(&tree)
            .expect("an embedded rule that tests scope too");
        rule.expr = scoped.to_string();
    }
    groups
}

fn groups(template: &[RuleGroup], scope: &Scope, runbooks: &str) -> Vec<RuleGroup> {
    let mut groups = template.to_vec();
    for rule in groups.iter_mut().flat_map(|group| &mut group.rules) {
        rule.expr = scope.fill(&rule.expr);
        // The result carries them already. Said once more, so that an alert is the stack's whatever its expression does.
        rule.labels.append(&mut scope.labels());
        if let Some(url) = rule.annotations.get_mut(RUNBOOK)
            && !runbooks.is_empty()
        {
            let page = url.rsplit('/').next().unwrap_or_default();
            *url = format!("{}/{page}", runbooks.trim_end_matches('/'));
        }
    }
    groups
}
