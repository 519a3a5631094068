//! What is found in what was read. A check finds nothing where something could not be read. [pure]

use super::Finding;
use super::facts::{ClusterFacts, StackFacts};
use crate::validate::Stack;

mod installation;
mod needs;
mod routes;
mod scraping;
mod storage;

/// A check of one stack whose spec is valid.
type Check = fn(&ClusterFacts, &StackFacts, &Stack) -> Vec<Finding>;

/// What is amiss for every stack.
pub fn of_cluster(facts: &ClusterFacts) -> Vec<Finding> {
    installation::of_cluster(facts)
}

/// What is amiss for one stack.
pub fn of_stack(facts: &ClusterFacts, own: &StackFacts) -> Vec<Finding> {
    let mut findings = installation::of_stack(facts, own);
    let stack = match &own.stack {
        Ok(stack) => stack,
        Err(violations) => {
            findings.push(Finding::new(
                "InvalidSpec",
                violations.clone(),
                format!(
                    "kubectl --namespace {} edit tpstack {}",
                    own.namespace, own.name
                ),
            ));
            return findings;
        }
    };
    let checks: [Check; 4] = [storage::check, routes::check, scraping::check, needs::check];
    findings.extend(
        checks
            .into_iter()
            .flat_map(|check| check(facts, own, stack)),
    );
    findings
}

/// Whether a word out of the cluster may stand in a command that people paste into a shell.
fn is_plain_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-._/".contains(letter))
}

#[cfg(test)]
mod tests;
