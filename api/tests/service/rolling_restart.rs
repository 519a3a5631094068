//! Two processes behind a load balancer that tries nothing twice, restarted one after the other under load: whatever is
//! lost on the way would be seen by a client.

use crate::{
    api::{Api, eventually, signal},
    figures,
    postgres::{self, Database},
    redis::{self, Redis},
    testbed::{free_port, variable},
};
use std::{
    fs,
    io::ErrorKind,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};

const REQUESTS: u64 = 100_000;
const RESTARTS: u32 = 6;
const CLIENTS: usize = 16;
const PATHS: [&str; 2] = ["/health", "/api/data"];

/// The load balancer with two servers behind it, killed when dropped.
struct Balancer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Balancer {
    /// It asks for readiness ten times a second, believes one answer, and hands every failure to the client.
    async fn start(servers: [u16; 2]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let file = folder.path().join("haproxy.cfg");
        let [first, second] = servers;
        let settings = format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n retries 0\n no option redispatch\n\
             frontend clients\n bind 127.0.0.1:{port}\n default_backend apis\n\
             backend apis\n balance roundrobin\n option httpchk GET /health/ready\n http-check expect status 200\n\
             \x20default-server check inter 100ms fall 1 rise 1\n\
             \x20server first 127.0.0.1:{first}\n server second 127.0.0.1:{second}\n"
        );
        fs::write(&file, settings).unwrap();
        let child = Command::new(variable("TESTBED_HAPROXY"))
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let balancer = Self {
            child,
            port,
            _folder: folder,
        };
        eventually("both servers are behind the load balancer", async || {
            let mut client = Client::connect(balancer.port)
                .await
                .map_err(|error| error.to_string())?;
            client.get("/health").await
        })
        .await;
        balancer
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        signal(self.child.id(), "KILL");
        _ = self.child.wait();
    }
}

/// One connection that is kept, cheap enough to make a hundred thousand requests beside the servers it asks.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Succeeds when the answer is a whole 200.
    async fn get(&mut self, path: &str) -> Result<(), String> {
        self.exchange(path)
            .await
            .unwrap_or_else(|error| Err(format!("{path}: {error}")))
    }

    async fn exchange(&mut self, path: &str) -> std::io::Result<Result<(), String>> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: api\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).await?;
        let (mut status, mut line, mut length) = (String::new(), String::new(), 0);
        if self.0.read_line(&mut status).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        loop {
            line.clear();
            self.0.read_line(&mut line).await?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        if status.starts_with("HTTP/1.1 200") && length > 0 {
            Ok(Ok(()))
        } else {
            Ok(Err(format!(
                "{path}: {} {}",
                status.trim_end(),
                String::from_utf8_lossy(&body)
            )))
        }
    }
}

/// What the clients saw so far.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    asked: AtomicU64,
}

/// Asks until it is told to stop; every failure, with a new connection after it.
async fn ask(port: u16, load: Arc<Load>) -> Vec<String> {
    let mut failures = Vec::new();
    'connections: loop {
        let mut client = match Client::connect(port).await {
            Ok(client) => client,
            Err(error) => {
                failures.push(format!("connect: {error}"));
                return failures;
            }
        };
        for path in PATHS.iter().cycle() {
            if load.stop.load(Ordering::Relaxed) {
                return failures;
            }
            load.asked.fetch_add(1, Ordering::Relaxed);
            if let Err(failure) = client.get(path).await {
                failures.push(failure);
                if failures.len() > 20 {
                    return failures;
                }
                continue 'connections;
            }
        }
    }
}

/// The load balancer sends it traffic: nobody else asks for `/health`.
async fn is_asked(api: &Api) {
    eventually("the restarted process gets its share", async || {
        let asked = api
            .metric(r#"app_requests_total{endpoint="/health",method="GET",status="200"}"#)
            .await;
        if asked > 0.0 {
            Ok(())
        } else {
            Err("no request yet".to_owned())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarting_one_process_after_the_other_under_load_loses_no_request() {
    let (database, redis) = (Database::create(), Redis::start().await);
    let (ports, redis_port) = ([free_port(), free_port()], redis.port.to_string());
    let start = async |port: u16| {
        let port = port.to_string();
        let settings = [
            ("PORT", port.as_str()),
            ("DB_PASSWORD", postgres::PASSWORD),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", &redis_port),
            ("REDIS_PASSWORD", redis::PASSWORD),
            // This is about restarts: a machine that is busy with other tests must not turn into a refusal.
            ("REDIS_TIMEOUT_MS", "10000"),
            ("DB_ACQUIRE_TIMEOUT_MS", "10000"),
            ("DB_CONNECT_TIMEOUT_MS", "10000"),
            ("DB_STATEMENT_TIMEOUT_MS", "10000"),
            ("DRAIN_DELAY_SECONDS", "1"),
        ];
        Api::start(&[&database.settings()[..], &settings].concat()).await
    };
    let mut apis = [start(ports[0]).await, start(ports[1]).await];
    for api in &apis {
        api.until("/health/ready", "the API is ready", |answer| {
            answer.status == 200
        })
        .await;
    }
    let balancer = Balancer::start(ports).await;
    let load = Arc::new(Load::default());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(balancer.port, Arc::clone(&load)));
    }
    for api in &apis {
        is_asked(api).await;
    }
    let mut restarts = 0;
    while restarts < RESTARTS || load.asked.load(Ordering::Relaxed) < REQUESTS {
        for (api, port) in apis.iter_mut().zip(ports) {
            api.signal("TERM");
            let ended = api.end().await;
            assert_eq!(ended.code(), Some(0), "{:#?}", api.log());
            *api = start(port).await;
            is_asked(api).await;
            restarts += 1;
        }
        assert!(clients.try_join_next().is_none(), "a client gave up");
    }
    load.stop.store(true, Ordering::Relaxed);
    let failures = clients.join_all().await.concat();
    let asked = load.asked.load(Ordering::Relaxed);
    assert!(
        failures.is_empty(),
        "{} of {asked} requests failed over {restarts} restarts: {failures:#?}",
        failures.len()
    );
    figures::tell(
        "rolling restart",
        &format!("{asked} requests over {restarts} restarts, 0 failed"),
    );
}
