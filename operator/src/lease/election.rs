//! Takes part in the election: looks at the Lease again and again, and writes it. [io: the only writer of the Lease]
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one file that writes the Lease"
)]

use std::time::{Duration, Instant};

use anyhow::Context;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, PostParams};
use tokio_util::sync::CancellationToken;

use super::{Candidate, Decision, NAME, Timing, decide, held, released};
use crate::fence::Fence;
use crate::supervision::Pulse;

/// Pause before the next look when somebody else wrote first.
const AFTER_A_RACE: Duration = Duration::from_millis(200);

/// One candidate.
pub struct Election {
    api: Api<Lease>,
    identity: String,
    timing: Timing,
    fence: Fence,
    pulse: Pulse,
    /// The record as last seen, and since when it is so.
    seen: Option<(Option<LeaseSpec>, Instant)>,
    /// While we lead: when the last successful renewal was sent.
    renewed: Option<Instant>,
}

/// What a look at the Lease led to.
enum Step {
    Held,
    Look(Duration),
    Lost(&'static str),
}

/// What others do while this candidate takes part.
pub struct Signals {
    /// Set when somebody else is seen to lead.
    pub standby: CancellationToken,
    /// Set when this candidate leads.
    pub leading: CancellationToken,
    /// Asks it to give the Lease back and to end.
    pub release: CancellationToken,
}

impl Election {
    /// Takes part under this identity, in the operator's own namespace. `client` must not be behind `fence`, which this
    /// opens for as long as it leads.
    pub fn new(
        client: Client,
        namespace: &str,
        identity: String,
        timing: Timing,
        fence: Fence,
        pulse: Pulse,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            identity,
            timing,
            fence,
            pulse,
            seen: None,
            renewed: None,
        }
    }

    /// Waits until it leads, then keeps leading. Ends well only when it was asked to release the Lease; a leader that
    /// has lost it, or cannot tell in time that it has not, ends with an error.
    pub async fn run(mut self, signals: Signals) -> anyhow::Result<()> {
        let mut last_error = String::new();
        loop {
            let deadline = self.deadline();
            let step = tokio::select! {
                biased;
                // A renewal that hangs ends here too. By then the fence has shut itself.
                () = until(deadline) => Ok(Ok(Step::Lost("the Lease could not be renewed in time"))),
                () = signals.release.cancelled() => {
                    self.release().await;
                    return Ok(());
                }
                step = tokio::time::timeout(self.timing.try_limit(), self.step()) => step,
            };
            self.pulse.beat();
            let pause = match step {
                Ok(Ok(Step::Held)) => {
                    if !signals.leading.is_cancelled() {
                        tracing::info!(identity = self.identity, "leading");
                        signals.leading.cancel();
                    }
                    last_error.clear();
                    self.timing.retry_period
                }
                Ok(Ok(Step::Look(pause))) => {
                    signals.standby.cancel();
                    last_error.clear();
                    pause
                }
                Ok(Ok(Step::Lost(why))) => {
                    self.fence.close();
                    anyhow::bail!("not the leader any more: {why}");
                }
                Ok(Err(error)) => {
                    report(&mut last_error, error.to_string());
                    self.timing.retry_period
                }
                Err(_) => {
                    report(&mut last_error, "no answer in time".to_owned());
                    self.timing.retry_period
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = until(self.deadline()) => {}
                () = signals.release.cancelled() => {}
            }
        }
    }

    /// When it stops leading unless it renews before.
    fn deadline(&self) -> Option<Instant> {
        self.renewed
            .map(|renewed| renewed + self.timing.renew_deadline)
    }

    async fn step(&mut self) -> Result<Step, kube::Error> {
        let lease = self.api.get_opt(NAME).await?;
        let spec = lease
            .as_ref()
            .map(|lease| lease.spec.clone().unwrap_or_default());
        let now = Instant::now();
        let since = match &self.seen {
            Some((seen, since)) if *seen == spec => *since,
            _ => {
                self.seen = Some((spec.clone(), now));
                now
            }
        };
        let me = Candidate {
            identity: &self.identity,
            unchanged: now.duration_since(since),
            leading: self.renewed.map(|renewed| now.duration_since(renewed)),
        };
        match decide(spec.as_ref(), &me, &self.timing) {
            Decision::Wait(pause) => Ok(Step::Look(pause)),
            Decision::Lost(why) => Ok(Step::Lost(why)),
            Decision::Create | Decision::Take | Decision::Renew => {
                let record = held(
                    spec.as_ref(),
                    &self.identity,
                    &self.timing,
                    jiff::Timestamp::now(),
                );
                self.write(lease, record).await
            }
        }
    }

    /// Writes our record. Two candidates cannot both succeed: one makes the Lease, and one replaces the version that
    /// both have seen; the other looks again.
    async fn write(
        &mut self,
        lease: Option<Lease>,
        record: LeaseSpec,
    ) -> Result<Step, kube::Error> {
        // The time counts from here, not from the answer: whoever waits for us may have seen the record at once.
        let sent = Instant::now();
        let params = PostParams::default();
        let written = if let Some(lease) = lease {
            let lease = Lease {
                spec: Some(record),
                ..lease
            };
            self.api.replace(NAME, &params, &lease).await
        } else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(NAME.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(record),
            };
            self.api.create(&params, &lease).await
        };
        match written {
            Ok(written) => {
                self.seen = Some((written.spec, sent));
                self.renewed = Some(sent);
                self.fence.open_until(sent + self.timing.renew_deadline);
                Ok(Step::Held)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Step::Look(AFTER_A_RACE)),
            Err(error) => Err(error),
        }
    }

    /// Gives the Lease back. Whoever asks has nothing under way any more; if this fails, others wait out its time.
    async fn release(&mut self) {
        self.fence.close();
        if self.renewed.take().is_none() {
            return;
        }
        // A renewal that was under way may come in between, once.
        let give_back = async {
            match self.empty().await {
                Err(kube::Error::Api(status)) if status.code == 409 => self.empty().await,
                other => other,
            }
        };
        match tokio::time::timeout(self.timing.try_limit(), give_back).await {
            Ok(Ok(())) => tracing::info!("gave the Lease back"),
            Ok(Err(error)) => tracing::warn!(%error, "failed to give the Lease back"),
            Err(_) => tracing::warn!("failed to give the Lease back in time"),
        }
    }

    async fn empty(&self) -> Result<(), kube::Error> {
        let Some(lease) = self.api.get_opt(NAME).await? else {
            return Ok(());
        };
        let spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return Ok(());
        }
        let lease = Lease {
            spec: Some(released(&spec, jiff::Timestamp::now())),
            ..lease
        };
        self.api
            .replace(NAME, &PostParams::default(), &lease)
            .await
            .map(drop)
    }
}

/// A name that no other process has: the pod's, or the machine's user's choice, and eight random digits.
pub fn identity(pod_name: &str) -> anyhow::Result<String> {
    let mut random = [0_u8; 4];
    getrandom::fill(&mut random).context("failed to draw an identity")?;
    Ok(format!("{pod_name}_{:08x}", u32::from_be_bytes(random)))
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// An outage is told once, not every other second.
fn report(last: &mut String, error: String) {
    if *last == error {
        tracing::debug!(error, "the Lease could not be looked at or written");
    } else {
        tracing::warn!(
            error,
            "the Lease could not be looked at or written; trying again"
        );
        *last = error;
    }
}

#[cfg(test)]
mod tests;
