//! How the operator of a cluster is set up, as far as its Deployment may be read. [io: reads]

use anyhow::Context;
use clap::Args;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use kube::Client;
use kube::api::Api;

use super::cluster::forbidden;
use crate::settings::{Images, ServiceAccountName, service_account};

/// Which operator is meant.
#[derive(Args, Clone, Debug)]
pub struct Operator {
    /// Namespace and name of the operator's Deployment and `ServiceAccount`
    #[arg(long = "operator", default_value = "tpstack-system/tpstack-operator", value_name = "NAMESPACE/NAME", value_parser = service_account)]
    pub account: ServiceAccountName,
}

/// Images of the stack's containers; what is not given is as the operator has it.
#[derive(Args, Clone, Debug, Default)]
pub struct ImageOverrides {
    /// Image of the API where a TpStack names none; unset: the operator's
    #[arg(long = "api-image", value_name = "IMAGE")]
    api: Option<String>,
    /// Image of Postgres; unset: the operator's
    #[arg(long = "postgres-image", value_name = "IMAGE")]
    postgres: Option<String>,
    /// Image of Redis; unset: the operator's
    #[arg(long = "redis-image", value_name = "IMAGE")]
    redis: Option<String>,
}

/// The operator's container; `None` where there is none, or the API server's words why it may not be read.
pub async fn container(
    client: &Client,
    operator: &Operator,
) -> anyhow::Result<Result<Option<Container>, String>> {
    let ServiceAccountName { namespace, name } = &operator.account;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    match deployments.get_opt(name).await {
        Ok(found) => Ok(Ok(found.and_then(|deployment| {
            let containers = deployment.spec?.template.spec?.containers;
            containers.into_iter().find(|of| of.name == "operator")
        }))),
        Err(error) => forbidden(error)
            .map(Err)
            .with_context(|| format!("failed to read Deployment {name} in namespace {namespace}")),
    }
}

/// The images that this operator gives to stacks: what was given, then what its environment says, then our own release's.
pub fn images(overrides: &ImageOverrides, container: Option<&Container>) -> Images {
    let variable = |name: &str| {
        let env = container.iter().flat_map(|container| &container.env);
        let mut env = env.flatten().filter(|variable| variable.name == name);
        env.next()?.value.clone()
    };
    let ours = Images::default();
    let choose = |given: &Option<String>, name: &str, ours: String| {
        given.clone().or_else(|| variable(name)).unwrap_or(ours)
    };
    Images {
        api: choose(&overrides.api, "TPSTACK_API_IMAGE", ours.api),
        postgres: choose(&overrides.postgres, "TPSTACK_POSTGRES_IMAGE", ours.postgres),
        redis: choose(&overrides.redis, "TPSTACK_REDIS_IMAGE", ours.redis),
    }
}

/// The release of the operator, if its image says so and it is another than ours.
pub fn other_release(container: &Container) -> Option<&str> {
    let image = container.image.as_deref()?.split('@').next()?;
    let (repository, tag) = image.rsplit_once(':')?;
    let is_release = repository.ends_with("tpstack/tpstack") && !tag.contains('/');
    (is_release && tag != env!("CARGO_PKG_VERSION")).then_some(tag)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ImageOverrides, images, other_release};

    #[test]
    fn what_is_given_wins_over_the_operators_mirror_and_that_over_our_release() {
        let container = serde_json::from_value(json!({
            "name": "operator",
            "env": [{"name": "TPSTACK_REDIS_IMAGE", "value": "mirror/redis:7"}, {"name": "TPSTACK_POSTGRES_IMAGE", "value": "mirror/postgres:16"}],
        }))
        .unwrap();
        let given = ImageOverrides {
            redis: Some("mine/redis:7".to_owned()),
            ..ImageOverrides::default()
        };
        let chosen = images(&given, Some(&container));
        assert_eq!(chosen.redis, "mine/redis:7");
        assert_eq!(chosen.postgres, "mirror/postgres:16");
        assert_eq!(chosen.api, images(&given, None).api);
    }

    #[test]
    fn another_release_of_the_operator_is_told_from_another_registry() {
        let of = |image: &str| {
            let container =
                serde_json::from_value(json!({"name": "operator", "image": image})).unwrap();
            other_release(&container).map(str::to_owned)
        };
        let ours = env!("CARGO_PKG_VERSION");
        assert_eq!(of(&format!("tpstack/tpstack:{ours}")), None);
        assert_eq!(
            of(&format!(
                "registry.example.org:5000/tpstack/tpstack:{ours}@sha256:00"
            )),
            None
        );
        assert_eq!(
            of("registry.example.org/tpstack/tpstack:9.9.9").as_deref(),
            Some("9.9.9")
        );
        assert_eq!(of("registry.example.org:5000/tpstack/tpstack"), None);
    }
}
