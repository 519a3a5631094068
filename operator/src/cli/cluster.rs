//! The cluster that a verb asks, as the user of the kubeconfig. [io: reads]

use anyhow::{Context, bail};
use clap::Args;
use kube::api::{Api, DynamicObject, ListParams};
use kube::config::KubeConfigOptions;
use kube::core::ApiResource;
use kube::{Client, Config};

use crate::clients::CALL_DEADLINE;
use crate::crd::TpStack;

/// Which cluster, and where in it.
#[derive(Args, Clone, Debug, Default)]
pub struct Place {
    /// Namespace; unset: that of the kubeconfig's context
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; unset: the current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Which stacks of a cluster.
#[derive(Args, Debug)]
pub struct Which {
    /// Name of a TpStack; unset: all of the namespace
    name: Option<String>,
    /// Where to look.
    #[command(flatten)]
    place: Place,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["name", "namespace"])]
    all_namespaces: bool,
}

/// A cluster and a namespace of it.
pub struct Cluster {
    /// Client with a deadline on every call.
    pub client: Client,
    /// The namespace that is meant.
    pub namespace: String,
}

impl Place {
    /// Connects by `KUBECONFIG` or `~/.kube/config` or, in a pod, by its `ServiceAccount`.
    pub async fn connect(&self) -> anyhow::Result<Cluster> {
        let mut config = match &self.context {
            None => Config::infer()
                .await
                .context("no cluster is configured: set KUBECONFIG")?,
            Some(context) => {
                let options = KubeConfigOptions {
                    context: Some(context.clone()),
                    ..KubeConfigOptions::default()
                };
                Config::from_kubeconfig(&options)
                    .await
                    .with_context(|| format!("no context {context:?} in the kubeconfig"))?
            }
        };
        config.connect_timeout = Some(std::time::Duration::from_secs(5));
        config.read_timeout = Some(CALL_DEADLINE);
        config.write_timeout = Some(CALL_DEADLINE);
        config.default_retry = false;
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        Ok(Cluster {
            client: Client::try_from(config).context("failed to set up the connection")?,
            namespace,
        })
    }
}

impl Which {
    /// The cluster, and the `TpStacks` of it that are meant.
    pub async fn find(&self) -> anyhow::Result<(Cluster, Vec<DynamicObject>)> {
        let cluster = self.place.connect().await?;
        let stacks = stacks(&cluster, self.name.as_deref(), self.all_namespaces).await?;
        Ok((cluster, stacks))
    }

    /// The namespace that is meant; `None` for all.
    pub fn namespace<'a>(&self, cluster: &'a Cluster) -> Option<&'a str> {
        (!self.all_namespaces).then_some(cluster.namespace.as_str())
    }
}

/// The `TpStacks` that are meant: one by its name, or all of the namespace, or of the cluster. None is an error. Untyped,
/// since one that was stored under another schema is shown too.
pub async fn stacks(
    cluster: &Cluster,
    name: Option<&str>,
    everywhere: bool,
) -> anyhow::Result<Vec<DynamicObject>> {
    let resource = ApiResource::erase::<TpStack>(&());
    let namespace = &cluster.namespace;
    let here: Api<DynamicObject> =
        Api::namespaced_with(cluster.client.clone(), namespace, &resource);
    if let Some(name) = name {
        let stack = here.get(name).await.map_err(explained);
        return Ok(vec![stack.with_context(|| {
            format!("failed to read TpStack {name} in namespace {namespace}")
        })?]);
    }
    let (api, place) = if everywhere {
        let all = Api::all_with(cluster.client.clone(), &resource);
        (all, "any namespace".to_owned())
    } else {
        (here, format!("namespace {namespace}"))
    };
    let list = api.list(&ListParams::default()).await.map_err(explained);
    let list = list.with_context(|| format!("failed to list TpStacks in {place}"))?;
    if list.items.is_empty() {
        bail!("there is no TpStack in {place}");
    }
    Ok(list.items)
}

/// A refusal in words that tell what to do.
pub fn explained(error: kube::Error) -> anyhow::Error {
    match &error {
        // The kind itself is missing: the answer is plain text, and no object's name is in it.
        kube::Error::Api(status) if status.code == 404 && status.details.is_none() => {
            anyhow::anyhow!(
                "this cluster does not know TpStacks; install the operator first: \
                 kubectl apply --server-side -f manifests/install.yaml"
            )
        }
        kube::Error::Api(status) => anyhow::anyhow!("{}", super::plain(&status.message)),
        _ => error.into(),
    }
}

/// The API server's words when it forbade a read; another error as it is.
pub fn forbidden(error: kube::Error) -> Result<String, kube::Error> {
    match error {
        kube::Error::Api(status) if status.code == 403 => Ok(super::plain(&status.message)),
        other => Err(other),
    }
}
