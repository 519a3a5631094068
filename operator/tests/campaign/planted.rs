//! Bugs planted between the operator and the wire: what a faulty operator would send instead, one for each class of the
//! test programme that shows on the wire. They try the oracles, not the operator, and need no code in it.

use http::Method;
use serde_json::{Value, json};

use crate::{request::Request, snapshot::CANARY};

/// One planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    GivesUpAfterRestart,
    DeletesWithoutUid,
    MakesAnotherName,
    MakesByPost,
    GivesUpAfterRefusal,
    TellsItsOwnWords,
    RewritesStatus,
    RewritesChild,
    TakesForeignObject,
    PrunesByLabel,
    ChangesCredentials,
    DeletesVolume,
    NeverPrunes,
    IgnoresReplicas,
    SetsWhatNobodyAskedFor,
    ForgetsOwner,
    OwnsWithoutControl,
    OwnsWhatIsKept,
    ConfusesNamespaces,
    LeavesDrift,
    TellsPassword,
    ReadsSecrets,
    TellsOldGeneration,
    AsksForMore,
    AsksTooOften,
    Panics,
    ReplacesObjects,
}

/// What tries to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// A scenario, there.
    There(&'static str),
    /// A scenario, there, with a crash after the write of this object.
    Crash(&'static str, &'static str),
    /// A scenario, there, with a refusal of the write of this object.
    Refusal(&'static str, &'static str),
    /// A field of the API's Service is changed.
    Drift,
}

impl Bug {
    /// Every bug: its class, the oracle that has to name it, and the trial.
    pub(crate) const ALL: [(Self, u8, &'static str, Trial); 27] = [
        (
            Self::GivesUpAfterRestart,
            1,
            "O1",
            Trial::Crash("env", "deployments/*-api"),
        ),
        (Self::DeletesWithoutUid, 3, "O4", Trial::There("redis")),
        (
            Self::MakesAnotherName,
            4,
            "O4",
            Trial::There("create-minimal"),
        ),
        (Self::MakesByPost, 8, "O2", Trial::There("create-minimal")),
        (
            Self::GivesUpAfterRefusal,
            9,
            "O1",
            Trial::Refusal("env", "deployments/*-api"),
        ),
        (
            Self::TellsItsOwnWords,
            10,
            "O1",
            Trial::There("create-full"),
        ),
        (Self::RewritesStatus, 11, "O3", Trial::There("env")),
        (Self::RewritesChild, 11, "O3", Trial::There("env")),
        (Self::TakesForeignObject, 17, "O4", Trial::There("env")),
        (Self::PrunesByLabel, 18, "O4", Trial::There("redis")),
        (Self::ChangesCredentials, 19, "O6", Trial::There("env")),
        (Self::DeletesVolume, 19, "O2", Trial::There("redis")),
        (Self::NeverPrunes, 20, "O1", Trial::There("redis")),
        (Self::IgnoresReplicas, 21, "O1", Trial::There("replicas")),
        (Self::SetsWhatNobodyAskedFor, 23, "O1", Trial::There("env")),
        (Self::ForgetsOwner, 25, "O7", Trial::There("create-full")),
        (
            Self::OwnsWithoutControl,
            25,
            "O7",
            Trial::There("create-full"),
        ),
        (
            Self::OwnsWhatIsKept,
            25,
            "O7",
            Trial::There("create-minimal"),
        ),
        (Self::ConfusesNamespaces, 26, "O4", Trial::There("env")),
        (Self::LeavesDrift, 32, "O1", Trial::Drift),
        (
            Self::TellsPassword,
            30,
            "O5",
            Trial::There("create-minimal"),
        ),
        (Self::ReadsSecrets, 31, "O5", Trial::There("create-minimal")),
        (Self::TellsOldGeneration, 21, "O8", Trial::There("env")),
        (Self::AsksForMore, 10, "O9", Trial::There("env")),
        (Self::AsksTooOften, 11, "O11", Trial::There("env")),
        (Self::Panics, 29, "O12", Trial::There("env")),
        (Self::ReplacesObjects, 17, "O4", Trial::There("env")),
    ];
}

/// What is sent instead of a request.
pub(crate) enum Turn {
    /// The same.
    Same,
    /// The same with another body.
    Body(Value),
    /// The same to another path.
    Path(String),
    /// The same as a request for the whole object.
    Whole,
    /// Nothing: the object is read, and its answer taken for success.
    Read,
    /// Something else before it.
    First(Vec<(Method, String, Value)>),
}

/// What the operator with that bug sends.
pub(crate) fn turn(bug: Bug, request: &Request, history: &History) -> Turn {
    let is_write_of_children = request.verb == "patch" && request.subresource.is_none();
    if request.subresource.as_deref() == Some("status") {
        status(bug, request, history)
    } else if is_write_of_children {
        apply(bug, request, history)
    } else {
        other(bug, request, history)
    }
}

/// The same request with another body.
fn body(request: &Request, change: impl Fn(&mut Value)) -> Turn {
    let mut body = request.body.clone().unwrap_or_default();
    change(&mut body);
    Turn::Body(body)
}

fn core(request: &Request, plural: &str, name: &str) -> String {
    let namespace = request.namespace.as_deref().unwrap_or_default();
    format!("/api/v1/namespaces/{namespace}/{plural}/{name}")
}

fn first(method: Method, path: String, body: Value) -> Turn {
    Turn::First(vec![(method, path, body)])
}

/// Bugs that show when the status is written, the last thing that a run does.
fn status(bug: Bug, request: &Request, history: &History) -> Turn {
    let stack = history.stack.as_str();
    let core = |plural: &str, name: &str| core(request, plural, name);
    let set = |pointer: &'static str, value: Value| {
        body(request, move |body| {
            if let Some(place) = body.pointer_mut(pointer) {
                *place = value.clone();
            }
        })
    };
    match bug {
        Bug::TellsItsOwnWords => body(request, |body| {
            each(body, |condition| {
                condition["message"] = json!("all is well");
            });
        }),
        Bug::RewritesStatus => set("/status/summary/api", json!(history.requests.to_string())),
        Bug::TellsOldGeneration => set("/status/observedGeneration", json!(1)),
        Bug::TellsPassword => match &history.password {
            Some(password) => set("/status/summary/redis", json!(password)),
            None => Turn::Same,
        },
        Bug::TakesForeignObject => first(
            Method::PATCH,
            core("services", &format!("{stack}-postgres-old")),
            json!({"metadata": {"labels": {CANARY: "taken"}}}),
        ),
        Bug::ReplacesObjects => first(
            Method::PUT,
            core("services", &format!("{stack}-api")),
            json!({"metadata": {"name": format!("{stack}-api")}}),
        ),
        Bug::ChangesCredentials => first(
            Method::PATCH,
            core("secrets", &format!("{stack}-redis-credentials")),
            json!({"stringData": {"username": "another"}}),
        ),
        Bug::AsksForMore => first(Method::GET, core("pods", ""), Value::Null),
        Bug::AsksTooOften => {
            let path = core("services", &format!("{stack}-api"));
            Turn::First(vec![(Method::GET, path, Value::Null); 1000])
        }
        _ => Turn::Same,
    }
}

/// Bugs that show when a child is applied.
fn apply(bug: Bug, request: &Request, history: &History) -> Turn {
    let is = |plural: &str| request.plural == plural;
    let is_kept = is("secrets") || is("persistentvolumeclaims");
    let name = request.name.as_deref().unwrap_or_default();
    match bug {
        Bug::GivesUpAfterRestart if history.restarted && is("deployments") => Turn::Read,
        Bug::GivesUpAfterRefusal if history.refused && is("deployments") => Turn::Read,
        Bug::LeavesDrift if is("services") => Turn::Read,
        Bug::MakesByPost if is("serviceaccounts") => first(
            Method::POST,
            core(request, "serviceaccounts", "")
                .trim_end_matches('/')
                .to_owned(),
            json!({"metadata": {"name": name}}),
        ),
        Bug::IgnoresReplicas if is("deployments") => {
            body(request, |body| body["spec"]["replicas"] = json!(2))
        }
        Bug::SetsWhatNobodyAskedFor if is("deployments") => {
            body(request, |body| body["spec"]["minReadySeconds"] = json!(5))
        }
        Bug::ForgetsOwner if !is_kept => body(request, |body| {
            body["metadata"]["ownerReferences"] = json!([]);
        }),
        Bug::OwnsWithoutControl if !is_kept => body(request, |body| {
            body["metadata"]["ownerReferences"][0]["controller"] = json!(false);
        }),
        Bug::OwnsWhatIsKept if is_kept => body(request, |body| {
            body["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "name": history.stack, "uid": history.uid,
                "controller": true,
            }]);
        }),
        Bug::ConfusesNamespaces if is("deployments") => {
            let namespace = request.namespace.as_deref().unwrap_or_default();
            Turn::Path(request.path.replace(namespace, "default"))
        }
        Bug::Panics if !is_kept => std::panic::panic_any("planted"),
        _ => Turn::Same,
    }
}

/// Bugs that show when something is read, made or deleted.
fn other(bug: Bug, request: &Request, history: &History) -> Turn {
    let stack = history.stack.as_str();
    let name = request.name.as_deref().unwrap_or_default();
    let is = |verb: &str, plural: &str| request.verb == verb && request.plural == plural;
    let is_deletion = request.verb == "delete";
    match bug {
        Bug::NeverPrunes if is_deletion => Turn::Read,
        Bug::DeletesWithoutUid if is_deletion => {
            body(request, |body| body["preconditions"] = Value::Null)
        }
        Bug::MakesAnotherName if is("post", "secrets") => body(request, |body| {
            body["metadata"]["name"] = json!(format!("{name}-x7k2p"));
        }),
        Bug::RewritesChild if is("get", "tpstacks") => first(
            Method::PATCH,
            core(request, "configmaps", &format!("{stack}-redis")),
            json!({"metadata": {"annotations": {"tpstack.dev/seen": history.requests.to_string()}}}),
        ),
        Bug::PrunesByLabel if is_deletion => first(
            Method::DELETE,
            core(request, "configmaps", &format!("{stack}-postgres-old")),
            json!({}),
        ),
        Bug::DeletesVolume if is_deletion => first(
            Method::DELETE,
            core(
                request,
                "persistentvolumeclaims",
                &format!("{stack}-redis-data"),
            ),
            json!({}),
        ),
        Bug::ReadsSecrets if is("get", "secrets") => Turn::Whole,
        _ => Turn::Same,
    }
}

fn each(body: &mut Value, change: impl Fn(&mut Value)) {
    let conditions = body
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    conditions.into_iter().flatten().for_each(change);
}

/// What a bug may depend on.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) stack: String,
    pub(crate) uid: String,
    pub(crate) restarted: bool,
    pub(crate) refused: bool,
    pub(crate) requests: usize,
    pub(crate) password: Option<String>,
}
