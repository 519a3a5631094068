//! The control-plane level: the operator's binary against a real kube-apiserver and kube-controller-manager.
//!
//! Black box: the tests know the command line, the kind `TpStack` and what a user sees. There are no nodes, so the tests
//! play the kubelet where a stack has to become ready. Everything runs under the shipped roles: the operator's
//! kubeconfig holds a token of its `ServiceAccount` and nothing else.
//! Run it with `make test-control-plane`, or `testbed/with control-plane -- cargo test -p operator --all-features
//! --test control_plane`.
#![expect(
    clippy::disallowed_methods,
    reason = "tests play the users, the controllers and the rivals"
)]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod harness;

mod admit;
mod agreement;
mod alerts;
mod autoscaling;
mod certificate;
mod chart;
mod cli;
mod conflict;
mod converge;
mod crash;
mod credentials;
mod crowd;
mod data;
mod denial;
mod drift;
mod edge;
mod events;
mod external;
mod grant;
mod hostile;
mod immutable;
mod isolation;
mod leader;
mod migrate;
mod network;
mod optional_apis;
mod outage;
mod paused;
mod people;
mod poison;
mod prune;
mod quiet;
mod restart;
mod retention;
mod samples;
mod status;
mod stopped;
mod supervision;
mod terminating;
mod variables;
mod watch_faults;
