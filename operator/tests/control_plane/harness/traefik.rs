//! A real Traefik that reads the routes of one namespace, and something for it to route to.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    process::{Command, Stdio},
};

use rustls::RootCertStore;
use serde_json::json;
use tokio::net::TcpSocket;

use super::{
    environment::{ENVIRONMENT, kubectl},
    http::{Connection, Response},
    kinds,
    leashed::Leashed,
    operator::free_address,
    sandbox::Sandbox,
    setup::{TRAEFIK, install_optional, remove_optional},
};

/// The host of every route here.
pub(crate) const HOST: &str = "shop.example.org";
/// The Secret with its certificate.
pub(crate) const CERTIFICATE: &str = "shop-tls";
/// Found in what stands for the API's metrics, and nowhere else.
pub(crate) const A_METRIC: &str = "app_requests_total";

/// The definitions that Traefik wants to find beside those that we use.
const OTHERS: (&str, &[&str]) = (
    TRAEFIK.0,
    &[
        "ingressroutetcps.traefik.io",
        "ingressrouteudps.traefik.io",
        "middlewaretcps.traefik.io",
        "serverstransports.traefik.io",
        "serverstransporttcps.traefik.io",
        "tlsoptions.traefik.io",
        "tlsstores.traefik.io",
        "traefikservices.traefik.io",
    ],
);

/// A running Traefik.
pub(crate) struct Traefik {
    _program: Leashed,
    https: SocketAddr,
    roots: RootCertStore,
}

impl Traefik {
    /// Starts it for the routes of this namespace, whose test runs alone: definitions come with it.
    pub(crate) async fn start(sandbox: &Sandbox) -> Self {
        sandbox.assert_alone();
        install_optional(sandbox, OTHERS).await;
        let roots = certificate(sandbox).await;
        let (http, https) = (free_address(), free_address());
        let log = File::create(log_path()).expect("the run folder can be written to");
        let program = Command::new(ENVIRONMENT.repository.join("testbed/tools"))
            .args(["path", "traefik"])
            .stderr(Stdio::inherit())
            .output()
            .expect("the testbed's tools run");
        assert!(program.status.success(), "Traefik is not to be had");
        let program = String::from_utf8(program.stdout).expect("a path");
        let program = Leashed::start(program.trim(), |command| {
            command
                .args([
                    &format!("--entryPoints.web.address={http}"),
                    &format!("--entryPoints.websecure.address={https}"),
                    &format!("--providers.kubernetesCRD.namespaces={}", sandbox.namespace),
                    "--providers.kubernetesCRD=true",
                    "--providers.kubernetesCRD.disableClusterScopeResources=true",
                    "--providers.providersThrottleDuration=100ms",
                    "--global.checkNewVersion=false",
                    "--global.sendAnonymousUsage=false",
                    "--log.level=INFO",
                ])
                .env("KUBECONFIG", &ENVIRONMENT.kubeconfig)
                .stdout(log.try_clone().expect("a file"))
                .stderr(log);
        });
        Self {
            _program: program,
            https,
            roots,
        }
    }

    /// Asks over TLS for a path, from one of this machine's loopback addresses, with these lines of headers.
    pub(crate) async fn get(
        &self,
        from: [u8; 4],
        path: &str,
        headers: &str,
    ) -> Result<Response, String> {
        let answer = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((from, 0)))?;
            let tcp = socket.connect(self.https).await?.into_std()?;
            tcp.set_nonblocking(false)?;
            tcp.set_read_timeout(Some(super::wait::PATIENCE))?;
            Connection::tls_over(tcp, HOST, self.roots.clone())?.get_with(path, headers)
        };
        answer.await.map_err(|error| format!("{path}: {error:#}"))
    }

    /// Ends it, and takes the definitions away that came with it.
    pub(crate) async fn end(self, sandbox: &Sandbox) {
        drop(self);
        remove_optional(sandbox, OTHERS).await;
    }
}

/// All that the last one has logged.
pub(crate) fn log() -> String {
    std::fs::read_to_string(log_path()).unwrap_or_default()
}

fn log_path() -> PathBuf {
    ENVIRONMENT.folder.join("traefik.log")
}

/// Makes a certificate for the host and puts it into a Secret.
async fn certificate(sandbox: &Sandbox) -> RootCertStore {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let secret = json!({
        "metadata": {"name": CERTIFICATE}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()},
    });
    sandbox.create(&kinds::SECRET, secret).await;
    roots
}

/// Answers in the API's place from now on: metrics under `/metrics`, the request itself everywhere else.
pub(crate) fn stand_in_for_the_api(sandbox: &Sandbox, service: &str) {
    // Kubernetes takes no loopback address for an endpoint. Nothing is sent to find out our own.
    let probe = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    probe
        .connect("198.51.100.1:9")
        .expect("this machine has an address beside 127.0.0.1, which this test needs");
    let own = probe.local_addr().expect("it is bound").ip();
    assert!(
        own != IpAddr::V4(Ipv4Addr::LOCALHOST),
        "no address of its own"
    );
    let listener = TcpListener::bind((own, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    let slice = json!({
        "apiVersion": kinds::ENDPOINT_SLICE.api_version(), "kind": kinds::ENDPOINT_SLICE.kind,
        "metadata": {"name": format!("{service}-by-hand"), "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [own], "conditions": {"ready": true, "serving": true}}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    });
    let arguments = ["apply", "--namespace", &sandbox.namespace, "-f", "-"];
    kubectl(&arguments, &slice.to_string());
}

/// Answers requests until the other side has enough; what cannot be read or written ends it too.
fn answer(mut stream: std::net::TcpStream) {
    let Ok(reader) = stream.try_clone() else {
        return;
    };
    let mut lines = BufReader::new(reader).lines();
    loop {
        let request: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        let Some(first) = request.first() else {
            return;
        };
        let body = if first.to_ascii_lowercase().contains("metrics") {
            format!("{A_METRIC} 1\n")
        } else {
            // Enough to be worth compressing.
            format!("{}\n{}\n", request.join("\n"), ".".repeat(2000))
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}
