//! `tpstack render`: what the operator would make from a file, by the operator's own functions.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::file::File;
use crate::crd::{self, TpStack};
use crate::kind::OptionalApi;
use crate::observed::Observed;
use crate::plan::fresh;
use crate::settings::Images;

/// What to render.
#[derive(Args, Debug)]
pub struct Arguments {
    /// File with one or more TpStacks; `-` reads standard input
    #[arg(short, long = "filename", value_name = "FILE")]
    file: PathBuf,
    /// Namespace of TpStacks that name none
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// An optional API that the cluster lacks; may be given more than once
    #[arg(long, value_enum, value_name = "API")]
    without: Vec<Api>,
    /// Images of the stack's containers.
    #[command(flatten)]
    images: Images,
}

/// An optional API, as it is spelled on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Api {
    Traefik,
    PrometheusOperator,
    CertManager,
}

impl From<Api> for OptionalApi {
    fn from(api: Api) -> Self {
        match api {
            Api::Traefik => Self::Traefik,
            Api::PrometheusOperator => Self::PrometheusOperator,
            Api::CertManager => Self::CertManager,
        }
    }
}

/// The children of every TpStack in the file, as YAML documents. Values of Secrets are empty: they are drawn when
/// they are made.
pub fn render(arguments: &Arguments) -> anyhow::Result<String> {
    let file = File::read(&arguments.file)?;
    let name = &file.name;
    let without: Vec<OptionalApi> = arguments.without.iter().map(|api| (*api).into()).collect();
    let capabilities = OptionalApi::ALL
        .into_iter()
        .filter(|api| !without.contains(api))
        .collect();
    let observed = Observed {
        capabilities,
        ..Observed::default()
    };
    let mut documents = Vec::new();
    for document in file.stacks {
        let stack = crd::read(document)
            .context("not a valid TpStack")
            .with_context(|| format!("in {name}"))?;
        documents
            .extend(children(stack, arguments, &observed).with_context(|| format!("in {name}"))?);
    }
    Ok(documents.concat())
}

fn children(
    mut stack: TpStack,
    arguments: &Arguments,
    observed: &Observed,
) -> anyhow::Result<Vec<String>> {
    stack
        .metadata
        .namespace
        .get_or_insert_with(|| arguments.namespace.clone());
    stack.metadata.uid = Some("00000000-0000-0000-0000-000000000000".to_owned());
    // What is in the file may come from a cluster: what that cluster knows of it does not matter here.
    stack.status = None;
    let valid = super::file::valid(&stack)?;
    fresh(&stack, &valid, &arguments.images, observed)
        .into_iter()
        .map(|object| {
            let yaml = serde_saphyr::to_string(&object.value)
                .with_context(|| format!("failed to write {} as YAML", object.id))?;
            Ok(format!("---\n{yaml}"))
        })
        .collect()
}
