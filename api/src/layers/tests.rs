//! The service around the router, without a socket.

use super::*;
use crate::{
    config::{Config, Variables},
    router::routes,
};
use axum::{http::StatusCode, routing::any};
use std::{collections::HashSet, convert::Infallible, future::pending};

/// The front around `handler` at `/api/data` and `/`.
async fn front<H, T>(handler: H) -> Front
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    let variables = [("DATA_FILE", ":memory:")];
    let variables: Variables = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::parse(&variables).unwrap();
    config.store = crate::config::StoreConfig::Embedded {
        path: folder.path().join("api.db"),
    };
    let app = App::start(&config).await.unwrap();
    let router = Router::new()
        .route("/api/data", any(handler.clone()))
        .route("/", any(handler));
    Front::new(router, &app, 1000, Duration::from_secs(1))
}

async fn ask(front: &Front, path: &str, body: Body) -> (StatusCode, String) {
    let request = Request::builder()
        .uri(path)
        .header("host", "test")
        .body(body)
        .unwrap();
    let response = match front.answer(request) {
        Either::Left(response) => response,
        Either::Right(answering) => answering.await,
    };
    assert!(response.headers().contains_key(REQUEST_ID), "{response:?}");
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_panic_is_an_answer_in_the_routes_shape_that_tells_nothing() {
    let front = front(async || -> &'static str { panic!("a secret of the handler") }).await;
    let problem = r#"{"status":500,"title":"Internal server error","type":"about:blank"}"#;
    let course = r#"{"error":"Internal server error"}"#;
    let error = StatusCode::INTERNAL_SERVER_ERROR;
    let answered = ask(&front, "/", Body::empty()).await;
    assert_eq!(answered, (error, problem.to_owned()));
    let answered = ask(&front, "/api/data", Body::empty()).await;
    assert_eq!(answered, (error, course.to_owned()));
}

#[tokio::test]
async fn a_late_answer_is_a_504_and_a_late_body_a_408() {
    let mut front = front(pending::<&'static str>).await;
    let parts = Arc::get_mut(&mut front.0).expect("nobody else has it yet");
    parts.deadline = Duration::from_millis(1);
    parts.body_deadline = Duration::from_millis(1);
    let (status, body) = ask(&front, "/", Body::empty()).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT, "{body}");
    let never = futures::stream::pending::<Result<Bytes, Infallible>>();
    let (status, body) = ask(&front, "/", Body::from_stream(never)).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT, "{body}");
}

#[tokio::test]
async fn a_body_is_read_whole_up_to_the_limit_whether_its_length_is_told_or_not() {
    let front = front(async |body: Bytes| body.len().to_string()).await;
    let chunks = |chunks: usize| {
        let chunks = (0..chunks).map(|_| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 100])));
        Body::from_stream(futures::stream::iter(chunks))
    };
    let told = |length: usize| Body::from(vec![b'x'; length]);
    for (body, status) in [
        (told(1000), 200),
        (told(1001), 413),
        (chunks(10), 200),
        (chunks(11), 413),
    ] {
        let (answered, text) = ask(&front, "/", body).await;
        assert_eq!(answered.as_u16(), status, "{text}");
        assert!(status != 200 || text == "1000", "{text}");
    }
    // What is sent to nowhere is read as well, or the next request on its connection would be lost.
    let (status, _) = ask(&front, "/nowhere", chunks(10)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = ask(&front, "/nowhere", chunks(11)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn the_endpoints_are_the_routers_routes() {
    let paths: HashSet<String> = routes().into_openapi().paths.paths.into_keys().collect();
    let endpoints: HashSet<String> = Endpoint::ALL
        .into_iter()
        .filter(|endpoint| *endpoint != Endpoint::Unmatched)
        .map(|endpoint| endpoint.path().to_owned())
        .collect();
    assert_eq!(paths, endpoints);
}
