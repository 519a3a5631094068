//! What all lanes share: the control plane with everything installed, two identities, the options.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use kube::{Client, Config, config::Kubeconfig};
use operator::{
    context::Context, events::Events, metrics::Metrics, observed::Capabilities, settings::Settings,
};
use serde_json::json;

use crate::{
    campaigns::Options,
    harness::{
        environment::{self, ENVIRONMENT},
        identity::{self, OPERATOR_ACCOUNT, OPERATOR_NAMESPACE},
        kinds, manifests,
    },
    oracles::Reference,
    progress::Progress,
    snapshot::collection,
    user,
};

/// A class whose volumes may grow.
pub(crate) const GROWING: &str = "growing";

/// What all lanes share.
pub(crate) struct Bench {
    pub(crate) admin: Client,
    pub(crate) operator: Client,
    pub(crate) options: Options,
    /// Of this run: part of the names of namespaces.
    pub(crate) run: String,
    /// What has been shown before.
    pub(crate) progress: Option<Progress>,
    /// When no more cases are begun.
    until: Option<Instant>,
    settings: Settings,
    metrics: Metrics,
    references: Mutex<BTreeMap<String, Arc<Reference>>>,
    passwords: Mutex<BTreeSet<String>>,
}

/// The operator's settings stand behind its command line.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

impl Bench {
    /// Installs what the operator needs, as users do.
    pub(crate) async fn start(options: Options) -> Result<Arc<Self>> {
        environment::apply(&manifests::roles());
        environment::apply(&operator::cli::crd()?);
        for (project, _) in manifests::OPTIONAL {
            environment::apply(&manifests::optional(project));
        }
        let established = Command::new(&ENVIRONMENT.kubectl)
            .args([
                "wait",
                "--for=condition=Established",
                "--timeout=60s",
                "crd",
                "--all",
            ])
            .output()?;
        ensure!(established.status.success(), "the CRDs are not established");
        let admin = identity::administrator().await;
        identity::write_kubeconfig(&admin).await;
        let operator = client(&Kubeconfig::read_from(identity::kubeconfig())?).await?;
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": GROWING},
            "provisioner": "example.org/none", "allowVolumeExpansion": true,
        });
        user::post(&admin, "/apis/storage.k8s.io/v1/storageclasses", &class).await?;
        let progress = options.progress.as_deref().map(Progress::open);
        Ok(Arc::new(Self {
            progress: progress.transpose()?,
            until: options.minutes.map(|minutes| Instant::now() + minutes),
            admin,
            operator,
            run: format!("{}", std::process::id()),
            options,
            settings: Line::try_parse_from(["campaign"])?.settings,
            metrics: Metrics::new()?,
            references: Mutex::default(),
            passwords: Mutex::default(),
        }))
    }

    /// What an operator's process holds when it has just started.
    pub(crate) fn context(&self, client: Client) -> Context {
        // Events go past the faults: what is told of a run decides nothing.
        let metrics = Arc::new(self.metrics.clone());
        let events = Events::new(self.operator.clone(), "campaign", metrics);
        Context::new(
            client,
            events,
            self.settings.clone(),
            self.metrics.clone(),
            Capabilities::all(),
        )
    }

    /// Whether the time is up.
    pub(crate) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Makes a namespace and grants it.
    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        user::post(&self.admin, "/api/v1/namespaces", &namespace).await?;
        let binding = json!({
            "apiVersion": kinds::ROLE_BINDING.api_version(), "kind": "RoleBinding",
            "metadata": {"name": OPERATOR_ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "tpstack-operator-children"},
            "subjects": [{"kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE}],
        });
        user::post(
            &self.admin,
            &collection(&kinds::ROLE_BINDING, name),
            &binding,
        )
        .await?;
        Ok(())
    }

    /// The reference of that name.
    pub(crate) fn reference(&self, name: &str) -> Result<Arc<Reference>> {
        let references = self
            .references
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let found = references.get(name).cloned();
        found.with_context(|| {
            format!("{name} has no reference: it did not converge without a fault")
        })
    }

    /// Every reference.
    pub(crate) fn references(&self) -> Vec<(String, Arc<Reference>)> {
        let references = self
            .references
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        references
            .iter()
            .map(|(name, reference)| (name.clone(), Arc::clone(reference)))
            .collect()
    }

    pub(crate) fn keep_reference(&self, name: String, reference: Reference) {
        let mut references = self
            .references
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        references.insert(name, Arc::new(reference));
    }

    /// Notes the passwords of a lane that is given up, for the search in the logs.
    pub(crate) fn keep_passwords(&self, passwords: BTreeSet<String>) {
        let mut all = self
            .passwords
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.extend(passwords);
    }

    pub(crate) fn passwords(&self) -> BTreeSet<String> {
        self.passwords
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A client like the operator's own: it does not try again by itself.
async fn client(kubeconfig: &Kubeconfig) -> Result<Client> {
    let options = kube::config::KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await?;
    config.default_retry = false;
    config.read_timeout = Some(std::time::Duration::from_secs(30));
    Ok(Client::try_from(config)?)
}
