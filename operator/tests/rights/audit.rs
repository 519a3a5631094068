//! What the API server noted about the operator's requests.

use std::{path::PathBuf, sync::LazyLock};

use serde_json::Value;

/// The operator, as the API server knows it.
const OPERATOR: &str = "system:serviceaccount:tpstack-system:tpstack-operator";

/// One request for a resource.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: String,
    /// `group/resource` or `group/resource/subresource`.
    pub(crate) resource: String,
    /// Empty for a request over all namespaces.
    pub(crate) namespace: String,
    /// Empty for a list, a watch, or a creation.
    pub(crate) name: String,
    /// Whether it made an object.
    pub(crate) made: bool,
    /// Whether it, or something it implied, was refused for want of a right.
    pub(crate) forbidden: bool,
}

/// Every request of the operator. Read once: the log is long.
pub(crate) static REQUESTS: LazyLock<Vec<Request>> = LazyLock::new(|| {
    let path = std::env::var_os("TESTBED_AUDIT_LOG").map_or_else(
        || panic!("TESTBED_AUDIT_LOG is not set: run this with `make test-control-plane`"),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    // The server writes on: the last line may be half a line.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let requests: Vec<Request> = whole.lines().filter_map(request).collect();
    assert!(
        requests.len() > 1000,
        "the audit log has {} requests of the operator: this runs after `control_plane`, on the same control plane",
        requests.len()
    );
    requests
});

/// When a test had the API server or etcd killed, until it was ready again: a server that starts refuses what it allows as
/// long as it does not know the roles. From and to, as the log writes moments.
static RESTARTS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let folder = std::env::var_os("TESTBED_CONTROL_PLANE_DIR").unwrap_or_default();
    let file = PathBuf::from(folder).join("restarts");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let moments = text.lines().filter_map(|line| line.split_once(' '));
    moments
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .collect()
});

fn request(line: &str) -> Option<Request> {
    let event: Value = serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("not an audit event: {error}: {line}"));
    let text = |path: &str| {
        event
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    // Discovery, versions and health are no resources: everybody may ask for them.
    if text("/user/username") != OPERATOR || event.get("objectRef").is_none() {
        return None;
    }
    let mut resource = format!(
        "{}/{}",
        text("/objectRef/apiGroup"),
        text("/objectRef/resource")
    );
    let subresource = text("/objectRef/subresource");
    if !subresource.is_empty() {
        resource = format!("{resource}/{subresource}");
    }
    let code = event
        .pointer("/responseStatus/code")
        .and_then(Value::as_i64);
    // A quota or a policy answers 403 too; only for want of a right the user is named. An apply may be allowed as a
    // patch and refused as the creation that it implies.
    let unauthorized =
        text("/responseStatus/message").contains(&format!("User \"{OPERATOR}\" cannot"));
    let asked = text("/requestReceivedTimestamp");
    let was_starting = RESTARTS
        .iter()
        .any(|(from, to)| (from.as_str()..=to.as_str()).contains(&asked));
    Some(Request {
        verb: text("/verb").to_owned(),
        resource,
        namespace: text("/objectRef/namespace").to_owned(),
        name: text("/objectRef/name").to_owned(),
        made: code == Some(201),
        forbidden: !was_starting
            && (text("/annotations/authorization.k8s.io~1decision") == "forbid"
                || (code == Some(403) && unauthorized)),
    })
}
