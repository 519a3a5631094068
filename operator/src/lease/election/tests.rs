//! The election against a server of a few lines: one Lease, versions, and answers that can be withheld.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Method, Request, Response, StatusCode};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::client::Body;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::{NAME, Timing, held};
use super::{Election, Signals};
use crate::fence::Fence;
use crate::supervision::Pulses;

const TIMING: Timing = Timing {
    duration: Duration::from_secs(3),
    renew_deadline: Duration::from_millis(1500),
    retry_period: Duration::from_millis(50),
};
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Server {
    lease: Option<Lease>,
    version: u64,
    mute: bool,
}

impl Server {
    fn answer(&mut self, method: &Method, body: &[u8]) -> (StatusCode, serde_json::Value) {
        let refused = |code: StatusCode| {
            let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                "code": code.as_u16(), "reason": if code == StatusCode::NOT_FOUND { "NotFound" } else { "Conflict" }});
            (code, status)
        };
        let sent = || serde_json::from_slice::<Lease>(body).unwrap();
        let version = |lease: &Option<Lease>| lease.as_ref()?.metadata.resource_version.clone();
        match *method {
            Method::GET if self.lease.is_none() => return refused(StatusCode::NOT_FOUND),
            Method::GET => {}
            Method::POST if self.lease.is_some() => return refused(StatusCode::CONFLICT),
            Method::PUT if sent().metadata.resource_version != version(&self.lease) => {
                return refused(StatusCode::CONFLICT);
            }
            _ => self.store(sent()),
        }
        (StatusCode::OK, serde_json::to_value(&self.lease).unwrap())
    }

    fn store(&mut self, mut lease: Lease) {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease);
    }
}

/// What a test holds of one candidate.
struct Candidate {
    fence: Fence,
    leading: CancellationToken,
    release: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

fn candidate(server: &Arc<Mutex<Server>>, name: &str) -> Candidate {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            if server.lock().unwrap().mute {
                std::future::pending::<()>().await;
            }
            let (code, answer) = server.lock().unwrap().answer(&parts.method, &body);
            let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
            *response.status_mut() = code;
            Ok::<_, kube::Error>(response)
        }
    });
    let (fence, leading, release) = (
        Fence::shut(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let election = Election::new(
        Client::new(service, "home"),
        "home",
        name.to_owned(),
        TIMING,
        fence.clone(),
        Pulses::default().expect("lease", PATIENCE),
    );
    let signals = Signals {
        standby: CancellationToken::new(),
        leading: leading.clone(),
        release: release.clone(),
    };
    Candidate {
        fence,
        leading,
        release,
        task: tokio::spawn(election.run(signals)),
    }
}

fn holder(server: &Arc<Mutex<Server>>) -> Option<String> {
    let server = server.lock().unwrap();
    server
        .lease
        .as_ref()?
        .spec
        .as_ref()?
        .holder_identity
        .clone()
}

#[tokio::test]
async fn of_many_that_begin_at_once_one_leads_and_the_next_when_it_lets_go() {
    let server = Arc::new(Mutex::new(Server::default()));
    let mut all: Vec<Candidate> = (0..5)
        .map(|number| candidate(&server, &number.to_string()))
        .collect();
    for left in (1..=5).rev() {
        let leads =
            futures::future::select_all(all.iter().map(|one| Box::pin(one.leading.cancelled())));
        let ((), index, _) = tokio::time::timeout(PATIENCE, leads).await.unwrap();
        let leaders = all.iter().filter(|one| one.fence.is_open(Instant::now()));
        assert_eq!(leaders.count(), 1, "{left} candidates");
        let leader = all.swap_remove(index);
        leader.release.cancel();
        tokio::time::timeout(PATIENCE, leader.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(!leader.fence.is_open(Instant::now()));
    }
    assert_eq!(holder(&server), None);
}

#[tokio::test]
async fn a_leader_that_gets_no_answer_ends_with_its_fence_shut_and_in_time() {
    let server = Arc::new(Mutex::new(Server::default()));
    let one = candidate(&server, "one");
    tokio::time::timeout(PATIENCE, one.leading.cancelled())
        .await
        .unwrap();
    server.lock().unwrap().mute = true;
    let mute = Instant::now();
    let ended = tokio::time::timeout(PATIENCE, one.task)
        .await
        .unwrap()
        .unwrap();
    assert!(ended.unwrap_err().to_string().contains("in time"));
    assert!(mute.elapsed() < TIMING.duration, "{:?}", mute.elapsed());
    assert!(!one.fence.is_open(Instant::now()));
    assert_eq!(
        holder(&server).as_deref(),
        Some("one"),
        "it cannot have said so"
    );
}

#[tokio::test]
async fn a_leader_that_sees_another_in_its_place_ends_at_once() {
    let server = Arc::new(Mutex::new(Server::default()));
    let one = candidate(&server, "one");
    tokio::time::timeout(PATIENCE, one.leading.cancelled())
        .await
        .unwrap();
    {
        let mut server = server.lock().unwrap();
        let mut lease = server.lease.clone().unwrap();
        lease.spec = Some(held(
            lease.spec.as_ref(),
            "other",
            &TIMING,
            jiff::Timestamp::now(),
        ));
        server.store(lease);
    }
    let ended = tokio::time::timeout(PATIENCE, one.task)
        .await
        .unwrap()
        .unwrap();
    assert!(ended.unwrap_err().to_string().contains("somebody else"));
    assert!(!one.fence.is_open(Instant::now()));
    assert_eq!(holder(&server).as_deref(), Some("other"));
    assert_eq!(
        server
            .lock()
            .unwrap()
            .lease
            .as_ref()
            .unwrap()
            .metadata
            .name
            .as_deref(),
        Some(NAME)
    );
}
