//! The operator as a task of the test, on clients that misbehave.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use operator::{
    controller::{Clients, run_with},
    settings::Settings,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    identity::kubeconfig,
    operator::{ask, free_address},
    sandbox::Sandbox,
    setup,
};

pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// A turn alone, in which the shared operator does not run.
pub(crate) async fn without_operator() -> Sandbox {
    let sandbox = Sandbox::alone().await;
    drop(setup::shared_operator().take());
    sandbox
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// The operator as a task.
pub(crate) struct Embedded {
    admin: SocketAddr,
    stop: CancellationToken,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
}

impl Embedded {
    /// Starts it with the shipped identity. `calls` and `watches` make of a client another that misbehaves.
    pub(crate) async fn start(
        arguments: &[&str],
        calls: impl FnOnce(&Client) -> Client,
        watches: impl FnOnce(&Client) -> Client,
    ) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig()).expect("it was written");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options);
        let config = config.await.expect("it is complete");
        let client = Client::try_from(config).expect("its certificates can be read");
        let clients = Clients {
            calls: calls(&client),
            watches: watches(&client),
        };
        let admin = free_address();
        let address = admin.to_string();
        let fixed = [
            "operator",
            "--admin-address",
            &address,
            "--discovery-interval",
            "1s",
        ];
        let settings = Arguments::parse_from(fixed.iter().chain(arguments)).settings;
        let stop = CancellationToken::new();
        let task = tokio::spawn(run_with(clients, settings, stop.clone()));
        Self { admin, stop, task }
    }

    pub(crate) async fn ask(&self, path: &str) -> Result<(u16, String), String> {
        ask(self.admin, path).await
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        let ended = tokio::time::timeout(GRACE, self.task).await;
        ended.expect("it ends").expect("it does not panic itself")
    }
}
