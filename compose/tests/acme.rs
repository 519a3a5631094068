//! Certificates from an authority that speaks ACME: Pebble, which Let's Encrypt tests its own clients with.

use crate::{stack::Stack, wait::eventually};
use anyhow::{Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// The name that the certificate is asked for.
pub(crate) const HOST: &str = "stack.example.org";

/// The overlays that the stack is started with.
pub(crate) const OVERLAYS: [&str; 2] = ["compose/acme.yaml", "compose/tests/acme.yaml"];

/// What Pebble needs to be reached over TLS itself, in a folder that it can read.
pub(crate) fn prepare(folder: &Path) -> Result<()> {
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "authority of the test");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let certificate =
        CertificateParams::new(vec!["pebble".to_owned()])?.signed_by(&key, &issuer)?;
    let settings = serde_json::json!({"pebble": {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "0.0.0.0:15000",
        "certificate": "/acme-test/pebble.pem",
        "privateKey": "/acme-test/pebble.key",
        // Where Traefik listens inside; the internet would come by port 80.
        "httpPort": 8000,
        "tlsPort": 8443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
    }});
    fs::create_dir(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for (name, content) in [
        ("authority.pem", authority_certificate.pem()),
        ("pebble.pem", certificate.pem()),
        ("pebble.key", key.serialize_pem()),
        ("pebble.json", settings.to_string()),
    ] {
        fs::write(folder.join(name), content)?;
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// What Traefik shows to whoever asks for a name.
fn shown(stack: &Stack, host: &str) -> Result<String> {
    let network = stack.volume("edge");
    let script = format!(
        "openssl s_client -connect traefik:8443 -servername {host} </dev/null 2>/dev/null |
         openssl x509 -noout -issuer -ext subjectAltName"
    );
    let image = stack.image("POSTGRES_IMAGE")?;
    stack.docker(&[
        "run",
        "--rm",
        "--network",
        &network,
        "--entrypoint",
        "bash",
        image,
        "-c",
        &script,
    ])
}

pub(crate) fn the_certificate_comes_from_the_authority_by_itself(stack: &Stack) -> Result<()> {
    eventually(|| {
        let shown = shown(stack, HOST)?;
        ensure!(
            shown.contains("Pebble") && shown.contains(&format!("DNS:{HOST}")),
            "it shows {shown}"
        );
        Ok(())
    })?;
    // Names that it does not vouch for are shown what they were.
    let dashboard = shown(stack, "traefik.localhost")?;
    ensure!(
        dashboard.contains("TpStack local authority"),
        "the dashboard shows {dashboard}"
    );
    Ok(())
}

/// An authority counts how often it is asked: what was given is kept over a restart.
pub(crate) fn it_is_kept_over_a_restart(stack: &Stack) -> Result<()> {
    let serial = |stack: &Stack| -> Result<String> {
        let stored = stack.exec("traefik", &["cat", "/acme/acme.json"])?;
        let stored: serde_json::Value = serde_json::from_str(&stored)?;
        Ok(stored["acme"]["Certificates"][0]["certificate"].to_string())
    };
    let before = serial(stack)?;
    ensure!(before.len() > 100, "nothing is stored");
    stack.compose(&["up", "--wait", "--force-recreate", "--no-deps", "traefik"])?;
    let shown = shown(stack, HOST)?;
    ensure!(shown.contains("Pebble"), "it shows {shown}");
    ensure!(serial(stack)? == before, "it asked again");
    Ok(())
}
