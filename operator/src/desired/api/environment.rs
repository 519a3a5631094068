//! The API's environment: the app contract, then the user's own variables. [pure]

use k8s_openapi::api::core::v1::EnvVar;

use crate::crd::CredentialsMode;
use crate::desired::connection::connections;
use crate::desired::pod;
use crate::validate::Stack;

/// The app contract, then the user's own variables.
pub fn environment(stack: &Stack) -> Vec<EnvVar> {
    let mut env = vec![pod::env("PORT", stack.api.port.to_string())];
    let stores = connections(stack);
    let as_files = stack.api.credentials == CredentialsMode::File;
    env.extend(stores.iter().flat_map(|store| store.variables(as_files)));
    env.extend(stack.api.env.iter().cloned());
    env
}
