//! Rules of the API's environment. [pure]

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, EnvVarSource};

use super::super::{Check, words};
use crate::crd::RESERVED_ENV;

/// `spec.api.env`: variables.
pub(super) fn variables(env: &[EnvVar], check: &mut Check) {
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

/// `spec.api.envFrom`: objects each key of which is a variable.
pub(super) fn sources(sources: &[EnvFromSource], check: &mut Check) {
    let field = "spec.api.envFrom";
    check.that(sources.len() <= 20, field, "must have at most 20 entries");
    for source in sources {
        let names = [
            source.config_map_ref.as_ref().map(|of| of.name.as_str()),
            source.secret_ref.as_ref().map(|of| of.name.as_str()),
        ];
        let objects: Vec<&str> = names.into_iter().flatten().collect();
        check.that(
            matches!(objects[..], [name] if (1..=253).contains(&name.len())),
            field,
            "must have one of configMapRef and secretRef in each entry, with the name of the object",
        );
        check.that(
            source
                .prefix
                .as_deref()
                .is_none_or(|prefix| prefix.is_empty() || words::is_variable(prefix)),
            field,
            "must have prefixes in letters, digits, '_', '-' and '.', starting with a letter or '_': for example MAIL_",
        );
    }
}
