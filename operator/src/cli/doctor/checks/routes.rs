//! Traefik: whether one runs that reads the stack's routes and has its entry points. [pure]

use crate::cli::doctor::Finding;
use crate::cli::doctor::facts::{ClusterFacts, StackFacts, Workload};
use crate::cli::doctor::traefik::{Settings, is_traefik};
use crate::kind::OptionalApi;
use crate::validate::{Ingress, Stack};

pub(super) fn check(facts: &ClusterFacts, own: &StackFacts, stack: &Stack) -> Vec<Finding> {
    let Some(ingress) = &stack.ingress else {
        return Vec::new();
    };
    if !facts.capabilities.has(OptionalApi::Traefik) {
        return vec![Finding::new(
            "TraefikMissing",
            "spec.ingress is set, and Traefik's custom resources are not installed",
            "helm repo add traefik https://traefik.github.io/charts && helm install traefik traefik/traefik \
             --namespace traefik --create-namespace",
        )];
    }
    let Some(workloads) = &facts.workloads else {
        return Vec::new();
    };
    let each = workloads.iter().filter(|workload| is_traefik(workload));
    // Of several Traefiks one is enough; told is what the best of them lacks.
    let best = each
        .map(|traefik| lacks(traefik, own, ingress))
        .min_by_key(Vec::len);
    best.unwrap_or_else(|| {
        vec![Finding::new(
            "TraefikNotRunning",
            "Traefik's custom resources are installed, and no Traefik runs that could read them",
            "helm repo add traefik https://traefik.github.io/charts && helm install traefik traefik/traefik \
             --namespace traefik --create-namespace",
        )]
    })
}

/// What one Traefik lacks for this stack, as far as it can be seen.
fn lacks(traefik: &Workload, own: &StackFacts, ingress: &Ingress) -> Vec<Finding> {
    let Some(settings) = Settings::of(traefik) else {
        return Vec::new();
    };
    let place = format!(
        "{} {}/{}",
        traefik.resource, traefik.namespace, traefik.name
    );
    let edit = format!(
        "kubectl --namespace {} edit {} {}",
        traefik.namespace, traefik.resource, traefik.name
    );
    if !settings.reads_routes() {
        return vec![Finding::new(
            "TraefikProviderMissing",
            format!(
                "{place} does not read IngressRoutes: it is to be given --providers.kubernetescrd"
            ),
            edit,
        )];
    }
    let mut findings = Vec::new();
    let namespaces = settings.namespaces();
    if !namespaces.is_empty() && !namespaces.contains(&own.namespace.as_str()) {
        findings.push(Finding::new(
            "TraefikNamespaceMissing",
            format!(
                "{place} reads routes of {} alone: --providers.kubernetescrd.namespaces is to name {} too",
                namespaces.join(", "),
                own.namespace
            ),
            edit.clone(),
        ));
    }
    if let Some(class) = settings.ingress_class() {
        findings.push(Finding::new(
            "TraefikIngressClass",
            format!("{place} reads only routes that are annotated with class {class}, and the stack's are not: --providers.kubernetescrd.ingressclass is to go"),
            edit.clone(),
        ));
    }
    let there = settings.entry_points();
    let mut wanted = vec![("https", &ingress.https)];
    if ingress.redirect {
        wanted.push(("http", &ingress.http));
    }
    for (field, name) in wanted {
        if !there.is_empty() && !there.contains(&name.to_ascii_lowercase().as_str()) {
            findings.push(Finding::new(
                "EntryPointMissing",
                format!(
                    "spec.ingress.entryPoints.{field} is {name}, which {place} does not have: it has {}",
                    there.join(", ")
                ),
                format!("kubectl --namespace {} edit tpstack {}", own.namespace, own.name),
            ));
        }
    }
    findings
}
