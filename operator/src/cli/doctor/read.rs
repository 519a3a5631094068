//! Reads what `tpstack doctor` looks at. What the user may not read is noted and left out. [io: reads]

use anyhow::Context;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, PodTemplateSpec};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, CustomResourceExt, ResourceExt};
use serde_json::{Value, json};

use super::facts::{ClusterFacts, Scraper, StackFacts, StorageClassFacts, Workload};
use crate::cli::cluster::forbidden;
use crate::cli::file::valid;
use crate::cli::installation::{self, Operator};
use crate::crd::TpStack;
use crate::desired::metadata::children_selector;
use crate::discovery::capabilities;
use crate::observed::Observed;
use crate::plan::fresh;
use crate::settings::Images;

mod refusals;
mod rights;

const DEFAULT_CLASS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// What was read; `None`, with a note, where the user may not.
fn allowed<T>(
    read: Result<T, kube::Error>,
    what: &str,
    unread: &mut Vec<String>,
) -> anyhow::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) => {
            let words = forbidden(error).with_context(|| format!("failed to read {what}"))?;
            unread.push(format!("{what}: {words}"));
            Ok(None)
        }
    }
}

/// What is so for every stack.
pub(super) async fn cluster(
    client: &Client,
    operator: &Operator,
    unread: &mut Vec<String>,
) -> anyhow::Result<ClusterFacts> {
    let all = ListParams::default();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = definitions.get(TpStack::crd_name()).await;
    let definition = allowed(definition, "the definition of TpStack", unread)?;
    let groups = client
        .list_api_groups()
        .await
        .context("failed to list the groups of the API")?;
    let classes = Api::<StorageClass>::all(client.clone()).list(&all).await;
    let classes = allowed(classes, "storage classes", unread)?;
    let container = match installation::container(client, operator).await? {
        Ok(container) => container,
        Err(words) => {
            unread.push(format!("the operator's Deployment: {words}"));
            None
        }
    };
    let account = &operator.account;
    Ok(ClusterFacts {
        operator: (account.namespace.clone(), account.name.clone()),
        other_release: container
            .as_ref()
            .and_then(installation::other_release)
            .map(str::to_owned),
        definition: definition.map(|definition| json!(definition)),
        missing_rights: rights::on_stacks(client, operator, unread).await?,
        groups: groups.groups.into_iter().map(|group| group.name).collect(),
        capabilities: capabilities(client)
            .await
            .context("failed to look up the optional APIs")?,
        storage_classes: classes.map(|list| list.items.iter().map(storage_class).collect()),
        scrapers: scrapers(client, unread).await?,
        workloads: workloads(client, unread).await?,
    })
}

fn storage_class(class: &StorageClass) -> StorageClassFacts {
    let annotations = class.annotations();
    StorageClassFacts {
        name: class.name_any(),
        is_default: DEFAULT_CLASS
            .iter()
            .any(|key| annotations.get(*key).is_some_and(|value| value == "true")),
    }
}

async fn scrapers(
    client: &Client,
    unread: &mut Vec<String>,
) -> anyhow::Result<Option<Vec<Scraper>>> {
    let mut scrapers = Vec::new();
    for (version, kind, plural) in [
        ("v1", "Prometheus", "prometheuses"),
        ("v1alpha1", "PrometheusAgent", "prometheusagents"),
    ] {
        let group = GroupVersionKind::gvk("monitoring.coreos.com", version, kind);
        let resource = ApiResource::from_gvk_with_plural(&group, plural);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let list = match api.list(&ListParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            list => list,
        };
        let Some(list) = allowed(list, plural, unread)? else {
            return Ok(None);
        };
        scrapers.extend(list.items.iter().map(|object| {
            let selector = |field: &str| {
                let selector = object.data.pointer(&format!("/spec/{field}"))?;
                serde_json::from_value(selector.clone()).ok()
            };
            Scraper {
                resource: plural.to_owned(),
                namespace: object.namespace().unwrap_or_default(),
                name: object.name_any(),
                monitors: selector("serviceMonitorSelector"),
                namespaces: selector("serviceMonitorNamespaceSelector"),
            }
        }));
    }
    Ok(Some(scrapers))
}

async fn workloads(
    client: &Client,
    unread: &mut Vec<String>,
) -> anyhow::Result<Option<Vec<Workload>>> {
    let all = ListParams::default();
    let deployments = Api::<Deployment>::all(client.clone()).list(&all).await;
    let deployments = allowed(deployments, "Deployments of other namespaces", unread)?;
    let sets = Api::<DaemonSet>::all(client.clone()).list(&all).await;
    let sets = allowed(sets, "DaemonSets of other namespaces", unread)?;
    let (Some(deployments), Some(sets)) = (deployments, sets) else {
        return Ok(None);
    };
    let deployments = deployments.items.into_iter().map(|of| {
        let template = of.spec.as_ref().map(|spec| &spec.template);
        workload("deployment", &of, template)
    });
    let sets = sets.items.into_iter().map(|of| {
        let template = of.spec.as_ref().map(|spec| &spec.template);
        workload("daemonset", &of, template)
    });
    Ok(Some(deployments.chain(sets).collect()))
}

fn workload<K: ResourceExt>(
    resource: &'static str,
    object: &K,
    template: Option<&PodTemplateSpec>,
) -> Workload {
    let mut workload = Workload {
        resource,
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        labels: object.labels().clone(),
        ..Workload::default()
    };
    let pod = template.and_then(|template| template.spec.as_ref());
    for container in pod.into_iter().flat_map(|pod| &pod.containers) {
        workload.images.extend(container.image.clone());
        let words = container.command.iter().chain(&container.args).flatten();
        workload.arguments.extend(words.cloned());
        let written = container.env.iter().flatten();
        let written = written.filter_map(|of| Some((of.name.clone(), of.value.clone()?)));
        workload.variables.extend(written);
    }
    workload
}

/// What is so for one stack.
pub(super) async fn stack(
    client: &Client,
    object: &DynamicObject,
    operator: &Operator,
    facts: &ClusterFacts,
    unread: &mut Vec<String>,
) -> anyhow::Result<StackFacts> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let mut raw = json!({"apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "metadata": object.metadata});
    if let (Some(raw), Some(spec)) = (raw.as_object_mut(), object.data.get("spec")) {
        raw.insert("spec".to_owned(), spec.clone());
    }
    let raw = crate::crd::read(raw).context("the stored object is no valid TpStack");
    let stack = raw.and_then(|raw| Ok((valid(&raw)?, raw)));
    let observed = Observed {
        capabilities: facts.capabilities.clone(),
        ..Observed::default()
    };
    let children = match &stack {
        Ok((stack, raw)) => fresh(raw, stack, &Images::default(), &observed),
        Err(_) => Vec::new(),
    };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let labels = namespaces.get_metadata(&namespace).await;
    let labels = allowed(labels, &format!("namespace {namespace}"), unread)?;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let ours = ListParams::default().labels(&children_selector(&name));
    let claims = claims.list(&ours).await;
    let claims = allowed(
        claims,
        &format!("volume claims in namespace {namespace}"),
        unread,
    )?;
    let spec = object.data.get("spec").cloned().unwrap_or_default();
    let seen = object.data.pointer("/status/observedGeneration");
    Ok(StackFacts {
        stack: stack
            .map(|(stack, _)| stack)
            .map_err(|error| format!("{error:#}")),
        children,
        is_observed: seen.and_then(Value::as_i64) == object.metadata.generation,
        namespace_labels: labels.map(|object| object.labels().clone()),
        claims: claims.map(|list| list.items),
        rights: rights::on_children(client, operator, object, facts, unread).await?,
        refused_pods: refusals::read(client, &namespace, &ours, unread).await?,
        issuer: issuer(client, &namespace, &spec, facts, unread).await?,
        spec,
        namespace,
        name,
    })
}

/// Whether the issuer that a certificate names is there.
async fn issuer(
    client: &Client,
    namespace: &str,
    spec: &Value,
    facts: &ClusterFacts,
    unread: &mut Vec<String>,
) -> anyhow::Result<Option<bool>> {
    let issuer = spec.pointer("/ingress/tls/certManager/issuerRef");
    let Some(issuer) = issuer.filter(|_| facts.groups.contains("cert-manager.io")) else {
        return Ok(None);
    };
    let text = |key: &str| issuer.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_everywhere = text("kind") == "ClusterIssuer";
    let kind = if is_everywhere {
        "ClusterIssuer"
    } else {
        "Issuer"
    };
    let group = GroupVersionKind::gvk("cert-manager.io", "v1", kind);
    let resource = ApiResource::from_gvk(&group);
    let api: Api<DynamicObject> = if is_everywhere {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let found = api.get_metadata_opt(text("name")).await;
    Ok(allowed(found, kind, unread)?.map(|found| found.is_some()))
}
