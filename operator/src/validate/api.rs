//! Rules of `spec.api`. [pure]

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Check, words};
use crate::crd::{ApiSpec, RESERVED_ENV};

/// Checks all of `spec.api`.
pub(super) fn check(spec: &ApiSpec, check: &mut Check) {
    check.that(
        (0..=100).contains(&spec.replicas),
        "spec.api.replicas",
        "must be between 0 and 100",
    );
    if let Some(image) = &spec.image {
        check.that(
            words::is_image(image),
            "spec.api.image",
            "must be an image reference in ASCII without spaces, such as name:tag",
        );
    }
    migrate(spec, check);
    env(&spec.env, check);
    resources(&spec.resources, "spec.api.resources", check);
}

fn migrate(spec: &ApiSpec, check: &mut Check) {
    let Some(migrate) = &spec.migrate else { return };
    check.that(
        spec.image.is_some(),
        "spec.api.migrate",
        "needs spec.api.image: the operator's own API brings its own migrations",
    );
    check.that(
        (1..=100).contains(&migrate.command.len()),
        "spec.api.migrate.command",
        "must have between 1 and 100 words",
    );
    check.that(
        migrate
            .command
            .iter()
            .all(|word| word.chars().count() <= 4096),
        "spec.api.migrate.command",
        "may not have a word of more than 4096 characters",
    );
    check.that(
        migrate.command.first().is_none_or(|word| !word.is_empty()),
        "spec.api.migrate.command",
        "must start with a program",
    );
}

fn env(env: &[EnvVar], check: &mut Check) {
    let mut seen = BTreeSet::new();
    check.that(
        env.len() <= 100,
        "spec.api.env",
        "must have at most 100 entries",
    );
    for variable in env {
        let field = format!("spec.api.env[{}]", variable.name);
        check.that(
            words::is_variable(&variable.name),
            &field,
            "must be named in letters, digits, '_', '-' and '.', starting with a letter or '_'",
        );
        check.that(
            !RESERVED_ENV.contains(&variable.name.as_str()),
            &field,
            "is a variable of the app contract, which the operator sets: remove it",
        );
        check.that(
            seen.insert(&variable.name),
            &field,
            "is there twice: keep one",
        );
        if let Some(source) = &variable.value_from {
            check.that(
                variable.value.is_none(),
                &field,
                "has value and valueFrom: keep one",
            );
            self::source(source, &field, check);
        }
    }
}

/// Where a variable's value comes from: one place, named in full.
fn source(source: &EnvVarSource, field: &str, check: &mut Check) {
    let key = |name: &str, key: &str| !name.is_empty() && name.len() <= 253 && words::is_key(key);
    let complete = [
        source
            .config_map_key_ref
            .as_ref()
            .map(|of| key(&of.name, &of.key)),
        source
            .secret_key_ref
            .as_ref()
            .map(|of| key(&of.name, &of.key)),
        source
            .field_ref
            .as_ref()
            .map(|of| !of.field_path.is_empty()),
        source
            .resource_field_ref
            .as_ref()
            .map(|of| !of.resource.is_empty()),
    ];
    let [one] = complete.iter().flatten().collect::<Vec<_>>()[..] else {
        check.that(
            false,
            field,
            "must have one of valueFrom's sources: configMapKeyRef, secretKeyRef, fieldRef or resourceFieldRef",
        );
        return;
    };
    check.that(
        *one,
        field,
        "must name the object and the key, or the field, that its value comes from",
    );
}

/// Amounts of a container's resources, as every part of the stack takes them.
pub(super) fn resources(resources: &ResourceRequirements, field: &str, check: &mut Check) {
    let amounts = |amounts: &Option<BTreeMap<String, Quantity>>| {
        amounts.as_ref().is_none_or(|amounts| {
            amounts.len() <= 20 && amounts.values().all(|amount| words::is_quantity(&amount.0))
        })
    };
    for (amounts, field) in [
        (amounts(&resources.limits), format!("{field}.limits")),
        (amounts(&resources.requests), format!("{field}.requests")),
    ] {
        check.that(
            amounts,
            &field,
            "must be at most 20 quantities, none negative: for example 50m or 128Mi",
        );
    }
    check.that(
        resources.claims.as_ref().is_none_or(Vec::is_empty),
        &format!("{field}.claims"),
        "must be empty: the stack's pods claim no devices",
    );
}
