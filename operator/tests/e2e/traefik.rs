//! Traefik on the cluster, with a certificate from an authority made for this run: the client trusts nothing else, so an
//! answer over TLS shows that the route serves the store's certificate and not one that Traefik makes up.

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use std::{fs, net::SocketAddr, path::Path};

use crate::{
    cluster::{Cluster, HOST, items, text, tool},
    http::Connection,
};

const NAMESPACE: &str = "traefik";

/// A certificate authority with the one certificate it has signed.
pub(crate) struct Authority {
    roots: RootCertStore,
    certificate: String,
    key: String,
}

impl Authority {
    /// Makes an authority and a certificate for a host.
    pub(crate) fn new(host: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of the cluster level");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(vec![host.to_owned()])?.signed_by(&key, &issuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone())?;
        Ok(Self {
            roots,
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// Traefik as its clients see it.
#[derive(Clone)]
pub(crate) struct Edge {
    http: SocketAddr,
    https: SocketAddr,
    roots: RootCertStore,
}

impl Edge {
    /// Finds both entry points on the node's own address, at the ports that Traefik's Service opens there.
    pub(crate) fn find(cluster: &Cluster) -> Result<Self> {
        let nodes = cluster.json(&["get", "nodes"])?;
        let node = items(&nodes, "/items/0/status/addresses")
            .iter()
            .find(|address| text(address, "/type") == "InternalIP")
            .map(|address| text(address, "/address"))
            .context("the node has no InternalIP")?
            .parse()?;
        let service = cluster.json(&["get", "service", "traefik", "--namespace", NAMESPACE])?;
        let address = |entry_point: &str| -> Result<SocketAddr> {
            let port = items(&service, "/spec/ports")
                .iter()
                .find(|port| text(port, "/name") == entry_point)
                .and_then(|port| port["nodePort"].as_u64())
                .with_context(|| format!("Traefik's Service has no NodePort for {entry_point}"))?;
            Ok(SocketAddr::new(node, u16::try_from(port)?))
        };
        Ok(Self {
            http: address("web")?,
            https: address("websecure")?,
            roots: cluster.authority.roots.clone(),
        })
    }

    /// A connection to the http entry point.
    pub(crate) fn http(&self) -> Result<Connection> {
        Connection::plain(self.http, HOST)
    }

    /// A connection to the https entry point, its certificate checked.
    pub(crate) fn https(&self) -> Result<Connection> {
        Connection::tls(self.https, HOST, self.roots.clone())
    }
}

/// Step: Traefik is up, with its CRDs and rights of its own. The CRDs of prometheus-operator come along, so that the
/// operator has to make a `ServiceMonitor` with its own rights.
pub(crate) fn runs_with_its_crd_provider(cluster: &Cluster) -> Result<()> {
    let crds = match std::env::var("TESTBED_CRDS") {
        Ok(folder) => folder,
        Err(_) => tool(&cluster.root, "crds")?,
    };
    for file in ["traefik.yaml", "prometheus-operator.yaml"] {
        let path = Path::new(&crds).join(file);
        let path = path
            .to_str()
            .context("the folder of CRDs is not named in UTF-8")?;
        cluster.kubectl_with(&["apply", "--server-side", "--filename", path], "", 120)?;
    }
    cluster.kubectl(&[
        "wait",
        "--for=condition=Established",
        "--timeout=30s",
        "crd/ingressroutes.traefik.io",
    ])?;
    cluster.kubectl(&[
        "wait",
        "--for=condition=Established",
        "--timeout=30s",
        "crd/tlsstores.traefik.io",
    ])?;

    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    let (certificate, key) = (
        cluster.scratch.path().join("tls.crt"),
        cluster.scratch.path().join("tls.key"),
    );
    fs::write(&certificate, &cluster.authority.certificate)?;
    fs::write(&key, &cluster.authority.key)?;
    let certificate = format!("--cert={}", certificate.display());
    let key = format!("--key={}", key.display());
    cluster.kubectl(&[
        "create",
        "secret",
        "tls",
        "default-certificate",
        "--namespace",
        NAMESPACE,
        &certificate,
        &key,
    ])?;

    let objects = include_str!("traefik.yaml").replace("TRAEFIK_IMAGE", &cluster.images.traefik);
    cluster.kubectl_with(&["apply", "--server-side", "--filename=-"], &objects, 60)?;
    let status = [
        "rollout",
        "status",
        "deployment/traefik",
        "--namespace",
        NAMESPACE,
        "--timeout=90s",
    ];
    cluster.kubectl_with(&status, "", 100).map(drop)
}
