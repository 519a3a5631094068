//! What happens around every request, whichever route it takes: an identity, measures, limits, a deadline, and the
//! headers every answer has. One service around the router, written out: layers that box a future each and match the
//! path once more would cost more than the shorter handlers do.

mod head;
mod measure;

pub(crate) use self::head::RequestId;

use self::measure::Measure;
use crate::{
    app::App,
    error::{Context, Error},
    health::Readiness,
    metrics::{Method, Metrics},
    router::Endpoint,
    routes,
};
use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    http::{HeaderName, HeaderValue, Request, header},
    response::{IntoResponse, Response},
};
use futures::{FutureExt, future::Either};
use http_body_util::{BodyExt, Limited};
use std::{
    error::Error as StdError,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, timeout};
use tower::Service;
use tracing::Instrument;

/// One second, and what the slowest route may spend on its dependencies: a lookup, a connection, a statement, a write to
/// the cache. Reached only when something else is stuck.
pub const REQUEST_DEADLINE: Duration = Duration::from_millis(1000 + 50 + 200 + 900 + 50);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The API as one service. Cloning shares it.
#[derive(Clone)]
pub struct Front(Arc<Parts>);

struct Parts {
    router: Router,
    app: App,
    largest_body: usize,
    body_deadline: Duration,
    deadline: Duration,
}

impl Front {
    /// Puts everything around the routes.
    pub fn new(router: Router, app: &App, largest_body: usize, body_deadline: Duration) -> Self {
        Self(Arc::new(Parts {
            router,
            app: app.clone(),
            largest_body,
            body_deadline,
            deadline: REQUEST_DEADLINE,
        }))
    }

    /// The metrics it counts in.
    pub fn metrics(&self) -> &Metrics {
        &self.0.app.metrics
    }

    /// No more traffic should come.
    pub fn drain(&self) {
        self.0.app.health.drain();
    }

    /// Whether that was said.
    pub fn draining(&self) -> bool {
        self.0.app.health.readiness() == Readiness::Draining
    }

    /// Answers, whatever happens: at once where that can be, else in time.
    pub fn answer<B>(
        &self,
        request: Request<B>,
    ) -> Either<Response, impl Future<Output = Response> + Send + use<B>>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let context = Context {
            id: RequestId::of(request.headers()),
            method: Method::from(request.method()),
            endpoint: Endpoint::of(request.uri().path()),
        };
        let now = Instant::now();
        let metrics = self.0.app.metrics.clone();
        let measure = Measure::start(metrics, context.endpoint, context.method, now);
        let checked = head::check(&request, self.0.largest_body);
        let plain = context.method == Method::Get && request.body().is_end_stream();
        if checked.is_ok() && plain {
            let headers = request.headers();
            let at_once = || routes::at_once(&self.0.app, context.endpoint, headers, now);
            let answered = catch_unwind(AssertUnwindSafe(at_once));
            if let Some(response) = answered.unwrap_or_else(|panic| Some(Error::from_panic(panic)))
            {
                return Either::Left(finish(response, context, measure));
            }
        }
        let front = self.clone();
        Either::Right(async move {
            // Lines at info and above tell whose they are by themselves: a span would be made for every request.
            let span = tracing::debug_span!(
                "request",
                id = context.id.as_str(),
                method = context.method.label(),
                endpoint = context.endpoint.path()
            );
            async move {
                let answering = async {
                    match checked {
                        Ok(()) => front.route(context.endpoint, request).await,
                        Err(error) => Err(error),
                    }
                };
                let answered = AssertUnwindSafe(answering).catch_unwind().await;
                let response = match answered {
                    Ok(answered) => answered.unwrap_or_else(Error::into_response),
                    Err(panic) => Error::from_panic(panic),
                };
                finish(response, context, measure)
            }
            .instrument(span)
            .await
        })
    }

    async fn route<B>(&self, endpoint: Endpoint, request: Request<B>) -> Result<Response, Error>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        // A body is read even if nobody wants it: the next request is behind it.
        let body = if body.is_end_stream() {
            Body::empty()
        } else {
            self.whole(body).await?.into()
        };
        if endpoint == Endpoint::Unmatched {
            return Err(Error::NotFound);
        }
        let mut router = self.0.router.clone();
        let answer = router.call(Request::from_parts(parts, body));
        let deadline = self.0.deadline;
        let Ok(response) = timeout(deadline, answer)
            .await
            .map_err(|_| Error::Deadline(deadline))?;
        Ok(response)
    }

    /// The whole body, if it is short enough and comes soon enough. Read before any handler runs, so that a slow client
    /// holds no connection to a database and no lock.
    async fn whole<B>(&self, body: B) -> Result<Bytes, Error>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let reading = Limited::new(body, self.0.largest_body).collect();
        match timeout(self.0.body_deadline, reading).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Error::BodyTooLarge)
            }
            Ok(Err(_)) => Err(Error::BadRequest(
                "The body is cut short or not framed as it should be".to_owned(),
            )),
            Err(_) => Err(Error::BodyTooSlow),
        }
    }
}

/// What every answer gets, and what is noted of it.
fn finish(response: Response, context: Context, mut measure: Measure) -> Response {
    let mut response = context.render(response);
    measure.answered(&response);
    tracing::debug!(
        status = response.status().as_u16(),
        id = context.id.as_str(),
        endpoint = context.endpoint.path(),
        "answered"
    );
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, context.id.into_value());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    headers.entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    response
}

#[cfg(test)]
mod tests;
