//! The connections to the API server, and what is asked before a request goes out.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;

/// Deadline of one call to the API server. Without it, a half-open connection holds a call for ever.
pub const CALL_DEADLINE: Duration = Duration::from_secs(15);
/// Longest silence of a watch: the API server ends it after less than five minutes by itself.
const WATCH_DEADLINE: Duration = Duration::from_mins(5);

/// The connections to the API server.
#[derive(Clone)]
pub struct Clients {
    /// For calls, each of which has a deadline.
    pub calls: Client,
    /// For watches, which are long answers.
    pub watches: Client,
}

impl Clients {
    /// From the kubeconfig or, in a pod, from its `ServiceAccount`.
    pub async fn infer() -> anyhow::Result<Self> {
        let mut config = kube::Config::infer().await?;
        config.connect_timeout = Some(Duration::from_secs(5));
        // Tries again are ours: per stack, with a pause that grows, instead of minutes within one call.
        config.default_retry = false;
        config.reset_reader_on_write = true;
        config.read_timeout = Some(WATCH_DEADLINE);
        let watches = Client::try_from(config.clone())?;
        config.read_timeout = Some(CALL_DEADLINE);
        config.write_timeout = Some(CALL_DEADLINE);
        let calls = Client::try_from(config)?;
        Ok(Self { calls, watches })
    }
}

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unsent(pub &'static str);

/// The same client, which asks `check` before it sends anything.
pub fn before_each<F>(client: &Client, check: F) -> Client
where
    F: Fn(&Request<Body>) -> Result<(), Unsent> + Clone + Send + 'static,
{
    let checked = Checked {
        client: client.clone(),
        check,
    };
    Client::new(checked, client.default_namespace())
}

struct Checked<F> {
    client: Client,
    check: F,
}

impl<F> tower::Service<Request<Body>> for Checked<F>
where
    F: Fn(&Request<Body>) -> Result<(), Unsent> + Clone + Send + 'static,
{
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The client inside waits for its turn itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, check) = (self.client.clone(), self.check.clone());
        // Within the future: between `call` and the first poll there may be a long time.
        async move {
            check(&request).map_err(|unsent| kube::Error::Service(Box::new(unsent)))?;
            client.send(request).await
        }
        .boxed()
    }
}
