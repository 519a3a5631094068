//! How the API reaches its stores: variables and files of the app contract, for stores of ours and somebody else's. [pure]

use k8s_openapi::api::core::v1::{EnvVar, Volume, VolumeMount};

use super::metadata::Component;
use super::pod;
use crate::validate::{External, Stack};

/// Key of an authority's certificate.
const AUTHORITY: &str = "ca.crt";

/// One store as the API sees it.
pub struct Connection {
    component: Component,
    secret: String,
    has_password: bool,
    has_authority: bool,
    is_external: bool,
}

/// The stores that the API is given.
pub fn connections(stack: &Stack) -> Vec<Connection> {
    let own = |component: Component, has_password| Connection {
        component,
        secret: component.credentials_name(&stack.name),
        has_password,
        has_authority: false,
        is_external: false,
    };
    let postgres = stack.external.postgres.as_ref().map_or_else(
        || own(Component::Postgres, true),
        |external| others(Component::Postgres, external),
    );
    let redis = match (&stack.external.redis, &stack.redis) {
        (Some(external), _) => Some(others(Component::Redis, external)),
        (None, Some(redis)) => Some(own(Component::Redis, redis.has_password)),
        (None, None) => None,
    };
    std::iter::once(postgres).chain(redis).collect()
}

/// Keys that the Secret of somebody else's store must have.
pub fn keys(component: Component, external: &External) -> Vec<&'static str> {
    let connection = others(component, external);
    let variables = connection.keys().into_iter().map(|(_, key)| key);
    variables
        .chain(connection.has_password.then_some("password"))
        .chain(connection.has_authority.then_some(AUTHORITY))
        .collect()
}

fn others(component: Component, external: &External) -> Connection {
    Connection {
        component,
        secret: external.secret.clone(),
        has_password: external.has_password,
        has_authority: external.has_authority,
        is_external: true,
    }
}

impl Connection {
    fn prefix(&self) -> &'static str {
        match self.component {
            Component::Redis => "REDIS",
            Component::Postgres | Component::Api | Component::Migrate => "DB",
        }
    }

    /// Variables that come from the Secret, without the password.
    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        let mut keys = vec![("HOST", "host"), ("PORT", "port")];
        if self.component == Component::Redis {
            keys.extend(self.has_password.then_some(("USER", "username")));
            // Ours speaks no TLS, which is what the API takes for granted.
            keys.extend(self.is_external.then_some(("TLS", "tls")));
        } else {
            keys.extend([
                ("NAME", "database"),
                ("USER", "username"),
                ("SSLMODE", "sslmode"),
            ]);
        }
        keys
    }

    /// The variables; `as_files`: the password is in a file, whose name they tell.
    pub fn variables(&self, as_files: bool) -> Vec<EnvVar> {
        let prefix = self.prefix();
        let file = |key: &str| format!("{}/{key}", self.folder());
        let from_secret = |variable: &str, key: &str| {
            pod::env_from_secret(&format!("{prefix}_{variable}"), &self.secret, key)
        };
        let mut variables: Vec<EnvVar> = self
            .keys()
            .into_iter()
            .map(|(variable, key)| from_secret(variable, key))
            .collect();
        variables.extend(self.has_password.then(|| {
            if as_files {
                pod::env(&format!("{prefix}_PASSWORD_FILE"), file("password"))
            } else {
                from_secret("PASSWORD", "password")
            }
        }));
        variables.extend(
            self.has_authority
                .then(|| pod::env(&format!("{prefix}_CA_FILE"), file(AUTHORITY))),
        );
        variables
    }

    /// The mount of its files, if it has any.
    pub fn mount(&self, as_files: bool) -> Option<VolumeMount> {
        let has_files = !self.files(as_files).is_empty();
        has_files.then(|| pod::mount(self.component.as_str(), self.folder(), true))
    }

    /// The volume of its files, if it has any.
    pub fn volume(&self, as_files: bool) -> Option<Volume> {
        let files = self.files(as_files);
        let has_files = !files.is_empty();
        has_files.then(|| pod::secret_volume(self.component.as_str(), &self.secret, &files))
    }

    fn files(&self, as_files: bool) -> Vec<&'static str> {
        let password = (as_files && self.has_password).then_some("password");
        let authority = self.has_authority.then_some(AUTHORITY);
        password.into_iter().chain(authority).collect()
    }

    /// Its Secret, and the keys of it that pods get as files where they do not get them as variables.
    pub fn secret(&self) -> (&str, Vec<&'static str>) {
        (&self.secret, self.files(true))
    }

    fn folder(&self) -> String {
        format!("{}/{}", pod::SECRETS, self.component.as_str())
    }
}
