//! What users and rivals do, as an administrator: plain requests.

use anyhow::{Context, Result};
use kube::Client;
use serde_json::Value;

/// The field manager of what a user writes.
const USER: &str = "a-user";

/// Makes an object.
pub(crate) async fn post(admin: &Client, path: &str, body: &Value) -> Result<Value> {
    let request = http::Request::post(format!("{path}?fieldManager={USER}"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_vec(body)?)?;
    let made = admin.request(request).await;
    made.with_context(|| format!("POST {path}"))
}

/// Merges into an object.
pub(crate) async fn patch(admin: &Client, path: &str, body: &Value) -> Result<Value, kube::Error> {
    let request = http::Request::patch(format!("{path}?fieldManager={USER}"))
        .header(http::header::CONTENT_TYPE, "application/merge-patch+json")
        .body(serde_json::to_vec(body).expect("it is JSON"))
        .expect("a valid request");
    admin.request(request).await
}

/// Replaces an object.
pub(crate) async fn put(admin: &Client, path: &str, body: &Value) -> Result<Value, kube::Error> {
    let request = http::Request::put(format!("{path}?fieldManager={USER}"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_vec(body).expect("it is JSON"))
        .expect("a valid request");
    admin.request(request).await
}

/// Deletes an object, in the background.
pub(crate) async fn delete(admin: &Client, path: &str) -> Result<()> {
    let body = serde_json::json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
    let request = http::Request::delete(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_vec(&body)?)?;
    match admin.request::<Value>(request).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error).with_context(|| format!("DELETE {path}")),
    }
}
