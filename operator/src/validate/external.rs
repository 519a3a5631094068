//! Rules of stores that somebody else runs. [pure]

use super::{Check, words};
use crate::crd::{
    AuthMode, Authority, ExternalSpec, Isolation, PostgresEngine, RedisEngine, TpStackSpec,
};
use crate::desired::metadata::Component;

/// A store that somebody else runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The Secret that says where it is.
    pub secret: String,
    /// Whether that Secret brings the authority of the store's certificate.
    pub has_authority: bool,
    /// Whether clients log in.
    pub has_password: bool,
}

/// The stores that somebody else runs; the others are ours, or there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Externals {
    /// The database.
    pub postgres: Option<External>,
    /// The cache.
    pub redis: Option<External>,
}

impl Externals {
    /// Somebody else's store in this place.
    pub fn of(&self, component: Component) -> Option<&External> {
        match component {
            Component::Postgres => self.postgres.as_ref(),
            Component::Redis => self.redis.as_ref(),
            Component::Api | Component::Migrate => None,
        }
    }

    /// Names of the Secrets that say where they are.
    pub fn secrets(&self) -> Vec<&str> {
        let both = [self.postgres.as_ref(), self.redis.as_ref()];
        both.into_iter()
            .flatten()
            .map(|external| external.secret.as_str())
            .collect()
    }
}

/// Checks that `external` is there exactly when the engine asks for it.
fn external(
    is_external: bool,
    spec: Option<&ExternalSpec>,
    has_password: bool,
    field: &str,
    check: &mut Check,
) -> Option<External> {
    check.that(
        is_external == spec.is_some(),
        field,
        "engine External needs external.secretRef, and any other engine excludes external",
    );
    let spec = spec?;
    check.that(
        words::is_subdomain(&spec.secret_ref.name),
        &format!("{field}.external.secretRef.name"),
        "must be the name of a Secret in this namespace",
    );
    Some(External {
        secret: spec.secret_ref.name.clone(),
        has_authority: spec.authority == Authority::Secret,
        has_password,
    })
}

/// The stores that somebody else runs.
pub(super) fn externals(spec: &TpStackSpec, check: &mut Check) -> Externals {
    let postgres = external(
        spec.postgres.engine == PostgresEngine::External,
        spec.postgres.external.as_ref(),
        true,
        "spec.postgres",
        check,
    );
    let redis = external(
        spec.redis.engine == RedisEngine::External,
        spec.redis.external.as_ref(),
        spec.redis.auth.mode == AuthMode::Password,
        "spec.redis",
        check,
    );
    Externals { postgres, redis }
}

/// Rules about fields of several parts.
pub(super) fn together(spec: &TpStackSpec, check: &mut Check) {
    let is_open = spec.redis.engine == RedisEngine::BuiltIn
        && spec.redis.auth.mode == AuthMode::None
        && spec.network.isolation == Isolation::Disabled;
    check.that(
        !is_open,
        "spec.redis.auth.mode",
        "None needs spec.network.isolation Data or Strict: nothing else would keep others out",
    );
    let is_elsewhere = spec.postgres.engine == PostgresEngine::External
        || spec.redis.engine == RedisEngine::External;
    let is_shut_in = spec
        .network
        .strict
        .as_ref()
        .is_some_and(|strict| strict.egress.is_empty());
    check.that(
        !(is_elsewhere && is_shut_in),
        "spec.network.strict.egress",
        "must open the way to a store whose engine is External",
    );
}
