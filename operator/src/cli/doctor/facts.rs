//! What was read for `tpstack doctor`: all that a finding may depend on. `None` is what could not be read, and nothing is
//! found in it. Data only.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use crate::desired::Object;
use crate::foreign::Labels;
use crate::observed::Capabilities;
use crate::validate::Stack;

/// What is so for every stack.
#[derive(Clone, Debug, Default)]
pub struct ClusterFacts {
    /// Namespace and name of the operator's `ServiceAccount`.
    pub operator: (String, String),
    /// Release of the operator where it is another than this command's.
    pub other_release: Option<String>,
    /// The definition of TpStack as it is stored.
    pub definition: Option<Value>,
    /// Rights that the operator lacks on the stacks themselves, as `verb resource`.
    pub missing_rights: Option<Vec<String>>,
    /// Groups of the API that are served.
    pub groups: BTreeSet<String>,
    /// Optional APIs that are served.
    pub capabilities: Capabilities,
    /// Storage classes.
    pub storage_classes: Option<Vec<StorageClassFacts>>,
    /// What scrapes by `ServiceMonitors`; empty where no such kind is served.
    pub scrapers: Option<Vec<Scraper>>,
    /// Every Deployment and `DaemonSet`.
    pub workloads: Option<Vec<Workload>>,
}

/// One storage class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageClassFacts {
    /// Its name.
    pub name: String,
    /// Whether it is marked as the default.
    pub is_default: bool,
}

/// One object that has Prometheus scrape what it selects.
#[derive(Clone, Debug, PartialEq)]
pub struct Scraper {
    /// Plural of its kind, as kubectl takes it.
    pub resource: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which `ServiceMonitors`; `None` selects nothing.
    pub monitors: Option<LabelSelector>,
    /// Of which namespaces; `None` selects its own alone.
    pub namespaces: Option<LabelSelector>,
}

/// One Deployment or `DaemonSet`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Its kind, as kubectl takes it.
    pub resource: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Images of its containers.
    pub images: Vec<String>,
    /// Commands and arguments of its containers.
    pub arguments: Vec<String>,
    /// Variables of its containers that are written out.
    pub variables: BTreeMap<String, String>,
}

/// What is so for one stack.
#[derive(Clone, Debug)]
pub struct StackFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The validated spec, or why it is none.
    pub stack: Result<Stack, String>,
    /// The spec as it is stored.
    pub spec: Value,
    /// What the operator makes of it.
    pub children: Vec<Object>,
    /// Whether the status describes the spec as it is now.
    pub is_observed: bool,
    /// Labels of its namespace.
    pub namespace_labels: Option<Labels>,
    /// Volume claims with our labels.
    pub claims: Option<Vec<PersistentVolumeClaim>>,
    /// Rights that the operator has and lacks on its children, as `verb resource`.
    pub rights: Option<Rights>,
    /// Why pods were refused, each with the workload that asked for them.
    pub refused_pods: Option<Vec<(String, String)>>,
    /// Whether the issuer that its certificate names is there; `None` where none is named or it could not be read.
    pub issuer: Option<bool>,
}

/// Rights of the operator in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// How many it has.
    pub held: usize,
    /// Those that it lacks.
    pub missing: Vec<String>,
}
