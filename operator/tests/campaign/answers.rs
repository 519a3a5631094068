//! What answers say, and answers that nobody gave. [pure]

use http::Response;
use kube::client::Body;
use serde_json::{Value, json};

use crate::request::Request;

/// The passwords of a Secret that is made.
pub(crate) fn drawn(request: &Request) -> Vec<String> {
    let values = request
        .body
        .as_ref()
        .and_then(|body| body.pointer("/stringData"))
        .and_then(Value::as_object);
    let texts = values.into_iter().flatten().filter_map(|(_, v)| v.as_str());
    texts
        .flat_map(|text| text.split(|c: char| !c.is_ascii_hexdigit()))
        .filter(|word| word.len() == 64)
        .map(str::to_owned)
        .collect()
}

/// The first such field of an object's JSON: metadata comes before anything that could hold another.
pub(crate) fn field(body: &[u8], key: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(key)?;
    rest.split('"').next().map(str::to_owned)
}

/// Quota and admission policies answer 403 too, in words of their own.
pub(crate) fn is_quota(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("quota") || text.contains("ValidatingAdmissionPolicy")
}

pub(crate) fn refusal(code: u16) -> Response<Body> {
    let reason = match code {
        403 => "Forbidden",
        409 => "Conflict",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "refused by the test", "reason": reason, "code": code,
    });
    Response::builder()
        .status(code)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Body::from(status.to_string().into_bytes()))
        .expect("a valid answer")
}
