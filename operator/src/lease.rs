//! Leader election by a Lease: what is to be done about it. [pure]
//!
//! Nothing that is right depends on it: two operators at once are held apart by UIDs, versions and field managers, as one
//! operator and its own restarted self are. The Lease spares the cluster the double work.
//!
//! The rules are those of Kubernetes' own components. Whether a holder is gone is told by how long its record has not
//! changed as seen from here, never by comparing clocks. (The time is the process's own, which stands while the machine
//! sleeps: one more reason for the first sentence.)

use std::time::Duration;

use clap::Args;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

pub mod election;

/// Name of the Lease, in the operator's own namespace; `charts/tpstack` allows this one alone.
pub const NAME: &str = "tpstack-operator";

/// How long things take. Each is shorter than the one before.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long others wait for a leader that says nothing, such as 15s; whole seconds
    #[arg(long = "lease-duration", env = "TPSTACK_LEASE_DURATION", default_value = "15s", value_name = "DURATION", value_parser = crate::settings::duration)]
    pub duration: Duration,
    /// How long a leader that cannot renew goes on, such as 10s
    #[arg(long = "lease-renew-deadline", env = "TPSTACK_LEASE_RENEW_DEADLINE", default_value = "10s", value_name = "DURATION", value_parser = crate::settings::duration)]
    pub renew_deadline: Duration,
    /// Pause between two looks at the Lease, such as 2s
    #[arg(long = "lease-retry-period", env = "TPSTACK_LEASE_RETRY_PERIOD", default_value = "2s", value_name = "DURATION", value_parser = crate::settings::duration)]
    pub retry_period: Duration,
}

impl Timing {
    /// Whether a leader always stops before another may begin, and has more than one try to renew.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.duration.subsec_nanos() != 0 {
            return Err("--lease-duration must be whole seconds");
        }
        if self.renew_deadline >= self.duration {
            return Err("--lease-renew-deadline must be shorter than --lease-duration");
        }
        if self.retry_period.saturating_mul(2) > self.renew_deadline {
            return Err("--lease-retry-period must be at most half of --lease-renew-deadline");
        }
        Ok(())
    }

    /// How long one look at the Lease may take: a try that hangs must leave time for another.
    pub fn try_limit(&self) -> Duration {
        self.renew_deadline / 2
    }
}

/// What this process knows by itself.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name; no other process has it.
    pub identity: &'a str,
    /// For how long the record has been what it is, as seen from here.
    pub unchanged: Duration,
    /// While it leads: the time since its last successful renewal was sent.
    pub leading: Option<Duration>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Make the Lease, which makes us the leader.
    Create,
    /// Write our name over one that is gone.
    Take,
    /// Write that we are there.
    Renew,
    /// Somebody else leads: look again after this time.
    Wait(Duration),
    /// We led, and may not any more.
    Lost(&'static str),
}

/// Decides about the Lease that was seen; `None` if there is none.
pub fn decide(seen: Option<&LeaseSpec>, me: &Candidate<'_>, timing: &Timing) -> Decision {
    if me.leading.is_some_and(|age| age >= timing.renew_deadline) {
        return Decision::Lost("the Lease could not be renewed in time");
    }
    let Some(seen) = seen else {
        return Decision::Create;
    };
    let holder = seen.holder_identity.as_deref().unwrap_or_default();
    if holder.is_empty() {
        return Decision::Take;
    }
    if holder == me.identity {
        return Decision::Renew;
    }
    if me.leading.is_some() {
        return Decision::Lost("somebody else holds the Lease");
    }
    // What the holder promised, not what we would have.
    let promised = seen
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(timing.duration, Duration::from_secs);
    match promised.checked_sub(me.unchanged) {
        None | Some(Duration::ZERO) => Decision::Take,
        Some(left) => Decision::Wait(left.min(timing.retry_period)),
    }
}

/// The record that says that we lead; `seen` is the one it replaces. Fields that we do not know of stay.
pub fn held(
    seen: Option<&LeaseSpec>,
    identity: &str,
    timing: &Timing,
    now: jiff::Timestamp,
) -> LeaseSpec {
    let old = seen.cloned().unwrap_or_default();
    let ours = old.holder_identity.as_deref() == Some(identity);
    let renewed = MicroTime(later(now, old.renew_time.as_ref()));
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(i32::try_from(timing.duration.as_secs()).unwrap_or(i32::MAX)),
        acquire_time: old
            .acquire_time
            .clone()
            .filter(|_| ours)
            .or(Some(renewed.clone())),
        renew_time: Some(renewed),
        lease_transitions: Some(match (seen, ours) {
            (None, _) => 0,
            (_, true) => old.lease_transitions.unwrap_or_default(),
            (_, false) => old.lease_transitions.unwrap_or_default().saturating_add(1),
        }),
        ..old
    }
}

/// The record that says that nobody leads: the next one need not wait.
pub fn released(seen: &LeaseSpec, now: jiff::Timestamp) -> LeaseSpec {
    let renewed = MicroTime(later(now, seen.renew_time.as_ref()));
    LeaseSpec {
        holder_identity: None,
        lease_duration_seconds: Some(1),
        renew_time: Some(renewed),
        ..seen.clone()
    }
}

/// A renewal is told by its change: with a clock that stands or was set back, too, it must differ from the last one.
fn later(now: jiff::Timestamp, last: Option<&MicroTime>) -> jiff::Timestamp {
    let step = jiff::SignedDuration::from_micros(1);
    let next = last.and_then(|MicroTime(last)| last.checked_add(step).ok());
    next.map_or(now, |next| next.max(now))
}

#[cfg(test)]
mod tests;
