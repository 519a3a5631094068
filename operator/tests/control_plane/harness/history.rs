//! What happened to objects, as the API server remembers it: every version since some moment, none missed.

use futures::{StreamExt, pin_mut};
use kube::api::{ListParams, WatchEvent, WatchParams};
use serde_json::Value;

use super::{kinds::Kind, objects::value, sandbox::Sandbox};

/// How long the server is listened to; all of the past comes at once.
const SECONDS: u32 = 1;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    Changed,
    Deleted,
}

/// The present moment, to look back to later.
pub(crate) async fn now(sandbox: &Sandbox, kind: &Kind) -> String {
    let list = sandbox.api(kind).list(&ListParams::default()).await;
    let list = list.unwrap_or_else(|error| panic!("cannot list {}: {error}", kind.plural));
    list.metadata
        .resource_version
        .expect("a list has a version")
}

/// Every change to objects of this kind in the namespace since that moment.
pub(crate) async fn since(sandbox: &Sandbox, kind: &Kind, moment: &str) -> Vec<(Change, Value)> {
    let watch = WatchParams::default().timeout(SECONDS);
    let events = sandbox.api(kind).watch(&watch, moment).await;
    let events = events.expect("the server remembers a few minutes");
    pin_mut!(events);
    let mut changes = Vec::new();
    while let Some(event) = events.next().await {
        changes.push(match event.expect("the server remembers a few minutes") {
            WatchEvent::Added(object) => (Change::Created, value(&object)),
            WatchEvent::Modified(object) => (Change::Changed, value(&object)),
            WatchEvent::Deleted(object) => (Change::Deleted, value(&object)),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(error) => panic!("the server does not remember: {error:?}"),
        });
    }
    changes
}
