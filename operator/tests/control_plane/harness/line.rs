//! The line between one operator and the API server, which a test can cut without a word.

use std::{net::SocketAddr, path::PathBuf};

use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{environment::ENVIRONMENT, identity};

/// A line that carries everything until it is cut; then connections stay open and nothing arrives any more.
pub(crate) struct Line {
    /// The shipped identity, by way of this line.
    pub(crate) kubeconfig: PathBuf,
    cut: CancellationToken,
    task: JoinHandle<()>,
}

impl Line {
    pub(crate) async fn open() -> Self {
        let text = std::fs::read_to_string(identity::kubeconfig()).expect("it was written");
        let mut config: Value = serde_json::from_str(&text).expect("it was written as JSON");
        let server = &mut config["clusters"][0]["cluster"]["server"];
        let upstream: SocketAddr = server
            .as_str()
            .and_then(|url| url.trim_end_matches('/').rsplit('/').next()?.parse().ok())
            .expect("the testbed's server has an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        *server = json!(format!("https://{address}"));
        let kubeconfig = ENVIRONMENT
            .folder
            .join(format!("line-{}.kubeconfig", address.port()));
        std::fs::write(&kubeconfig, config.to_string()).expect("the run folder can be written to");
        let cut = CancellationToken::new();
        let task = tokio::spawn(accept(listener, upstream, cut.clone()));
        Self {
            kubeconfig,
            cut,
            task,
        }
    }

    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, cut: CancellationToken) {
    let mut silent = Vec::new();
    while let Ok((mut near, _)) = listener.accept().await {
        if cut.is_cancelled() {
            silent.push(near);
            continue;
        }
        let cut = cut.clone();
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(upstream).await else {
                return;
            };
            let carried = cut.run_until_cancelled(copy_bidirectional(&mut near, &mut far));
            if carried.await.is_none() {
                // Both ends stay open for as long as the test runs.
                std::future::pending::<()>().await;
            }
        });
    }
}
