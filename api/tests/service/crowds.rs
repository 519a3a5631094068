//! Too many clients: they send half of something and wait.

mod dawdlers;

use crate::{
    api::{Api, PATIENCE},
    figures,
};
use dawdlers::Dawdler;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Clients that dawdle.
const CROWD: usize = 2000;
/// For a machine that is busy with other tests; what was measured is told.
const MARGIN: Duration = Duration::from_secs(5);

/// How long half-sent things may stay, with the settings as they come.
const BOUND: Duration = Duration::from_secs(15);

/// Opens the crowd's connections; each task ends when its connection does, and tells how long that took.
async fn gather(api: &Api, kinds: &[Dawdler]) -> JoinSet<(Duration, Dawdler)> {
    let mut crowd = JoinSet::new();
    for kind in kinds.iter().copied() {
        // One by one: who is not accepted at once waits for a second before it knocks again.
        let stream = Dawdler::connect(api.address).await;
        let stream = stream.unwrap_or_else(|error| {
            panic!(
                "connection {} of {CROWD}: {error} (is `ulimit -n` too low?)",
                crowd.len()
            )
        });
        let started = Instant::now();
        crowd.spawn(async move {
            kind.dawdle(stream).await;
            (started.elapsed(), kind)
        });
    }
    crowd
}

/// When the last of the crowd was hung up, or how many are left when patience ends.
async fn hung_up(
    mut crowd: JoinSet<(Duration, Dawdler)>,
    kinds: &[Dawdler],
) -> Result<(Duration, Dawdler), String> {
    let deadline = Instant::now() + PATIENCE;
    let mut latest = (Duration::ZERO, Dawdler::Silent);
    let mut left = Dawdler::KINDS.map(|kind| (kind, 0));
    for kind in kinds.iter().copied() {
        count(&mut left, kind, 1);
    }
    loop {
        match tokio::time::timeout_at(deadline.into(), crowd.join_next()).await {
            Ok(Some(ended)) => {
                let (took, kind) = ended.unwrap();
                if took > latest.0 {
                    latest = (took, kind);
                }
                count(&mut left, kind, -1);
            }
            Ok(None) => return Ok(latest),
            Err(_) => return Err(format!("still there: {left:?}")),
        }
    }
}

fn count(left: &mut [(Dawdler, i32)], kind: Dawdler, change: i32) {
    let of_kind = left.iter_mut().find(|(of, _)| *of == kind);
    of_kind.expect("every kind is listed").1 += change;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_half_sent_connections_are_hung_up_soon_and_hold_nobody_up() {
    let api = Api::start(&[]).await;
    let is_half_sent = |kind: &Dawdler| *kind != Dawdler::Deaf;
    let kinds: Vec<_> = Dawdler::crowd().filter(is_half_sent).take(CROWD).collect();
    let mut crowd = std::pin::pin!(hung_up(gather(&api, &kinds).await, &kinds));
    let mut waits = Vec::new();
    // One ordinary client after the other, for as long as the crowd is there.
    let (latest, kind) = loop {
        tokio::select! {
            biased;
            ended = &mut crowd => break ended.unwrap(),
            answer = api.get("/health") => {
                assert_eq!(answer.status, 200, "{answer:?}");
                waits.push(answer.took);
            }
        }
    };
    assert!(latest <= BOUND, "{kind:?} stayed {latest:?}");
    waits.sort_unstable();
    let slowest = *waits.last().expect("somebody asked meanwhile");
    assert!(slowest < MARGIN, "an ordinary client waited {slowest:?}");
    figures::tell(
        "slow clients",
        &format!(
            "{CROWD} half-sent connections, the last hung up after {:.1} s ({kind:?}); {} ordinary requests meanwhile, \
             median {:?}, slowest {slowest:?}",
            latest.as_secs_f64(),
            waits.len(),
            waits[waits.len() / 2],
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_half_sent_connections_do_not_hold_up_a_stop() {
    let mut api = Api::start(&[
        ("HEADER_TIMEOUT_SECONDS", "300"),
        ("DRAIN_DELAY_SECONDS", "0"),
        ("DRAIN_TIMEOUT_SECONDS", "3"),
    ])
    .await;
    let kinds: Vec<_> = Dawdler::crowd().take(CROWD).collect();
    let crowd = gather(&api, &kinds).await;
    api.until("/health", "all are accepted", |answer| answer.status == 200)
        .await;
    let started = Instant::now();
    api.signal("TERM");
    assert_eq!(api.end().await.code(), Some(0));
    let took = started.elapsed();
    assert!(took < Duration::from_secs(3) + MARGIN, "{took:?}");
    hung_up(crowd, &kinds).await.unwrap();
    figures::tell(
        "stop beside slow clients",
        &format!(
            "{CROWD} half-sent connections, exit after {:.1} s (drain bound 3 s)",
            took.as_secs_f64()
        ),
    );
}
