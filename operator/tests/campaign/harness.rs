//! What this level has in common with the control-plane level, from the same files.

#[path = "../control_plane/harness/environment.rs"]
#[expect(dead_code, reason = "the control-plane level uses the rest")]
pub(crate) mod environment;
#[path = "../control_plane/harness/identity.rs"]
pub(crate) mod identity;
#[path = "../control_plane/harness/kinds.rs"]
#[expect(dead_code, reason = "the control-plane level uses the rest")]
pub(crate) mod kinds;
#[path = "../control_plane/harness/manifests.rs"]
pub(crate) mod manifests;
#[path = "../control_plane/harness/masks.rs"]
#[expect(dead_code, reason = "the control-plane level uses the rest")]
pub(crate) mod masks;
