//! What every test of this level starts from: the environment, the operator's process, a namespace of its own, a stack.

pub(crate) mod brought;
pub(crate) mod embedded;
pub(crate) mod environment;
#[path = "../../../api/tests/harness/figures.rs"]
pub(crate) mod figures;
pub(crate) mod first_seen;
pub(crate) mod history;
#[path = "../e2e/http.rs"]
#[expect(dead_code, reason = "the cluster level uses the rest")]
pub(crate) mod http;
pub(crate) mod identity;
pub(crate) mod kinds;
pub(crate) mod leashed;
pub(crate) mod line;
pub(crate) mod made;
pub(crate) mod manifests;
pub(crate) mod masks;
pub(crate) mod metrics;
pub(crate) mod objects;
pub(crate) mod operator;
pub(crate) mod pods;
pub(crate) mod report;
pub(crate) mod sandbox;
pub(crate) mod setup;
pub(crate) mod stack;
pub(crate) mod traefik;
pub(crate) mod wait;
