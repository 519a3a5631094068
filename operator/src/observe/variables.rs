//! Reads the data that the API's variables come from, for a digest of it. [io: reads]
//!
//! The one place where a Secret's data passes through this process: it is digested and dropped, and nothing prints it.
//! So it is not read by kube's typed calls, which log an answer they cannot take, as a whole.

use futures::future::join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::GetParams;
use kube::{Client, Resource};
use serde::Deserialize;

use super::Error;
use crate::kind::{Kind, ObjectId};
use crate::validate::is_subdomain;
use crate::variables::{Data, Reading, Sources, Variables};

/// A Secret or a config map, but for all that is not data. Never printed.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    data: Option<Data>,
}

/// Reads the data of all sources; `None` where some of it may not be read: then nothing is known.
pub async fn read(
    client: &Client,
    namespace: &str,
    sources: &Sources,
) -> Result<Option<Variables>, Error> {
    let looks = sources
        .iter()
        .map(async |(id, asked)| (id, asked, data(client, namespace, id).await));
    let mut reading = Reading::default();
    for (id, asked, data) in join_all(looks).await {
        match data {
            Ok(data) => reading.take(id.clone(), asked, data.as_ref()),
            Err(error) if error.forbidden().is_some() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(reading.finish()))
}

/// The data of one object; `None` if it is not there.
async fn data(client: &Client, namespace: &str, id: &ObjectId) -> Result<Option<Data>, Error> {
    let failed = |source| Error::Get {
        id: id.clone(),
        source,
    };
    // Whatever stands in an answer that cannot be taken is not for the log.
    let unfit = || failed(kube::Error::Service("the answer is no such object".into()));
    if !is_subdomain(&id.name) {
        // No object has such a name, and it is not to lead the request elsewhere.
        return Ok(None);
    }
    let path = match id.kind {
        Kind::Secret => Secret::url_path(&(), Some(namespace)),
        _ => ConfigMap::url_path(&(), Some(namespace)),
    };
    let request = kube::core::Request::new(path)
        .get(&id.name, &GetParams::default())
        .map_err(|_| unfit())?;
    match client.request_text(request).await {
        Ok(text) => {
            let body: Body = serde_json::from_str(&text).map_err(|_| unfit())?;
            Ok(Some(body.data.unwrap_or_default()))
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(kube::Error::FromUtf8(_)) => Err(unfit()),
        Err(source) => Err(failed(source)),
    }
}
