//! Certificates for a test's own servers.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Signs certificates for 127.0.0.1.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Files of a server that can be verified.
pub(crate) struct Identity {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        // Issuer and subject of one name would look self-signed to OpenSSL.
        parameters
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// The authority's own certificate, in a file.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ca.pem");
        fs::write(&path, self.0.pem()).unwrap();
        path
    }

    /// A new certificate and its key, in files.
    pub(crate) fn identify(&self, folder: &Path) -> Identity {
        let own = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let signed = parameters.signed_by(&own, &self.0).unwrap();
        let identity = Identity {
            authority: self.write(folder),
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        fs::write(&identity.certificate, signed.pem()).unwrap();
        fs::write(&identity.key, own.serialize_pem()).unwrap();
        fs::set_permissions(&identity.key, fs::Permissions::from_mode(0o600)).unwrap();
        identity
    }
}
