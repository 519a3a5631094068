//! Whether the shipped roles are what the operator needs, no more and no less.
//!
//! `control_plane` has run before, on the same control plane and under the shipped identity; the API server noted every
//! request of a `ServiceAccount` in its audit log. `make test-control-plane` runs both.
#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod audit;
mod roles;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};

use audit::{REQUESTS, Request};
use roles::{Right, shipped};

/// Namespaces whose names begin so are those where the tests of `control_plane` take rights away.
const UNGRANTED: &str = "ungranted-";

#[test]
fn every_right_that_is_shipped_was_used() {
    let unused: Vec<String> = shipped()
        .iter()
        .filter(|right| !REQUESTS.iter().any(|request| right.is_used_by(request)))
        .map(Right::to_string)
        .collect();
    assert!(
        unused.is_empty(),
        "nothing in this run used these rights; either a test is missing, or the right has to go:\n{}",
        unused.join("\n")
    );
}

#[test]
fn nothing_but_the_shipped_rights_was_used() {
    let rights = shipped();
    let beyond: BTreeSet<String> = REQUESTS
        .iter()
        .filter(|request| !request.forbidden)
        .filter(|request| !rights.iter().any(|right| right.is_used_by(request)))
        .map(|request| format!("{} {}", request.verb, request.resource))
        .collect();
    assert!(
        beyond.is_empty(),
        "the server allowed these requests, but not by a role of ours: {beyond:?}"
    );
}

#[tokio::test]
async fn nothing_was_forbidden_but_where_a_test_took_a_right_away() {
    let whole = whole_namespaces().await;
    let forbidden: BTreeSet<String> = REQUESTS
        .iter()
        .filter(|request| request.forbidden)
        // Requests without a namespace are everybody's; those of a namespace that was deleted lost their grant with it.
        .filter(|request| request.namespace.is_empty() || whole.contains(&request.namespace))
        .map(|request| {
            format!(
                "{} {} in {:?}",
                request.verb, request.resource, request.namespace
            )
        })
        .collect();
    assert!(
        forbidden.is_empty(),
        "the operator asked for what the shipped roles do not allow:\n{}",
        forbidden.into_iter().collect::<Vec<_>>().join("\n")
    );
}

/// The namespaces that are there, are not about to go, and kept all that they were granted.
async fn whole_namespaces() -> BTreeSet<String> {
    let client = Client::try_default()
        .await
        .expect("KUBECONFIG is the testbed's");
    let namespaces: Api<Namespace> = Api::all(client);
    let list = namespaces
        .list(&kube::api::ListParams::default())
        .await
        .expect("an administrator may list namespaces");
    list.into_iter()
        .filter(|namespace| namespace.metadata.deletion_timestamp.is_none())
        .map(|namespace| namespace.name_any())
        .filter(|name| !name.starts_with(UNGRANTED))
        .collect()
}

#[test]
fn a_right_is_told_from_its_neighbours() {
    let right = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        Right {
            role: "role".to_owned(),
            namespace: None,
            verb: words[0].to_owned(),
            resource: words[1].to_owned(),
            names: Vec::new(),
        }
    };
    let request = |verb: &str, resource: &str, made: bool| Request {
        verb: verb.to_owned(),
        resource: resource.to_owned(),
        namespace: "shops".to_owned(),
        name: "shop".to_owned(),
        made,
        forbidden: false,
    };
    let patched = request("patch", "apps/deployments", false);
    assert!(right("patch apps/deployments").is_used_by(&patched));
    assert!(!right("patch /deployments").is_used_by(&patched));
    assert!(!right("patch apps/deployments/scale").is_used_by(&patched));
    assert!(!right("create apps/deployments").is_used_by(&patched));
    // Server-side apply of what is not there needs the right to create it, though the request is a patch.
    assert!(right("create apps/deployments").is_used_by(&request(
        "patch",
        "apps/deployments",
        true
    )));
    let elsewhere = Right {
        namespace: Some("system".to_owned()),
        ..right("patch apps/deployments")
    };
    assert!(!elsewhere.is_used_by(&patched));
    let named = Right {
        names: vec!["other".to_owned()],
        ..right("patch apps/deployments")
    };
    assert!(!named.is_used_by(&patched));
}
