//! Recorded series and alerts of a stack: Compose's own files, each expression of this stack alone. [pure]

use std::sync::LazyLock;

use promql_parser::parser::Expr;
use serde::Deserialize;

use super::selected_by;
use crate::desired::metadata::Component;
use crate::foreign::{PrometheusRule, PrometheusRuleSpec, Rule, RuleGroup};
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

/// Groups as they are written, each rule beside the tree of its expression.
type Templates = Vec<(String, Vec<(Rule, Expr)>)>;

static API_TEMPLATES: LazyLock<Templates> = LazyLock::new(|| read(API));

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
                &API_TEMPLATES,
                scope,
                &stack.monitoring.rules.runbook_base_url,
            ),
        },
    }
}

fn read(text: &str) -> Templates {
    let file: File = serde_saphyr::from_str(text).expect("an embedded file that tests read too");
    let groups = file.groups.into_iter();
    groups
        .map(|group| {
            let rules = group.rules.into_iter().map(|rule| {
                let tree = promql::read(&rule.expr).expect("an embedded rule that tests read too");
                (rule, tree)
            });
            (group.name, rules.collect())
        })
        .collect()
}

fn groups(templates: &Templates, scope: &Scope, runbooks: &str) -> Vec<RuleGroup> {
    templates
        .iter()
        .map(|(name, rules)| RuleGroup {
            name: name.clone(),
            rules: rules
                .iter()
                .map(|(rule, tree)| scoped(rule, tree, scope, runbooks))
                .collect(),
        })
        .collect()
}

fn scoped(rule: &Rule, tree: &Expr, scope: &Scope, runbooks: &str) -> Rule {
    let tree = scope
        .apply(tree)
        .expect("an embedded rule that tests scope too");
    let mut rule = Rule {
        expr: tree.to_string(),
        ..rule.clone()
    };
    // The result carries them already. Said once more, so that an alert is the stack's whatever its expression does.
    rule.labels.append(&mut scope.labels());
    if let Some(url) = rule.annotations.get_mut(RUNBOOK)
        && !runbooks.is_empty()
    {
        let page = url.rsplit('/').next().unwrap_or_default();
        *url = format!("{}/{page}", runbooks.trim_end_matches('/'));
    }
    rule
}
