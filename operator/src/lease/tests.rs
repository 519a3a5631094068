use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;

use super::{Candidate, Decision, Timing, decide, held, released};

const TIMING: Timing = Timing {
    duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry_period: Duration::from_secs(2),
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn now() -> jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn of(holder: &str) -> LeaseSpec {
    held(None, holder, &TIMING, now())
}

fn candidate(unchanged: u64) -> Candidate<'static> {
    Candidate {
        identity: "me",
        unchanged: seconds(unchanged),
        leading: None,
    }
}

fn leader(age: u64) -> Candidate<'static> {
    Candidate {
        leading: Some(seconds(age)),
        ..candidate(age)
    }
}

#[test]
fn what_is_not_there_is_made_and_what_nobody_holds_is_taken() {
    assert_eq!(decide(None, &candidate(0), &TIMING), Decision::Create);
    let free = released(&of("other"), now());
    assert_eq!(decide(Some(&free), &candidate(0), &TIMING), Decision::Take);
    assert_eq!(
        decide(Some(&of("")), &candidate(0), &TIMING),
        Decision::Take
    );
}

#[test]
fn a_holder_is_given_the_time_it_promised_counted_from_its_last_sign() {
    let other = of("other");
    for (unchanged, expected) in [
        (0, Decision::Wait(seconds(2))),
        (12, Decision::Wait(seconds(2))),
        (14, Decision::Wait(seconds(1))),
        (15, Decision::Take),
        (1000, Decision::Take),
    ] {
        assert_eq!(
            decide(Some(&other), &candidate(unchanged), &TIMING),
            expected,
            "{unchanged}"
        );
    }
    let slow = LeaseSpec {
        lease_duration_seconds: Some(60),
        ..other.clone()
    };
    assert_eq!(
        decide(Some(&slow), &candidate(59), &TIMING),
        Decision::Wait(seconds(1))
    );
    assert_eq!(decide(Some(&slow), &candidate(60), &TIMING), Decision::Take);
    let silent = LeaseSpec {
        lease_duration_seconds: None,
        ..other
    };
    assert_eq!(
        decide(Some(&silent), &candidate(14), &TIMING),
        Decision::Wait(seconds(1))
    );
}

#[test]
fn a_renewal_whose_answer_was_lost_is_ours_all_the_same() {
    assert_eq!(
        decide(Some(&of("me")), &candidate(0), &TIMING),
        Decision::Renew
    );
}

#[test]
fn a_leader_renews_until_its_deadline_and_not_a_moment_longer() {
    assert_eq!(
        decide(Some(&of("me")), &leader(9), &TIMING),
        Decision::Renew
    );
    assert!(matches!(
        decide(Some(&of("me")), &leader(10), &TIMING),
        Decision::Lost(_)
    ));
    assert!(matches!(
        decide(None, &leader(10), &TIMING),
        Decision::Lost(_)
    ));
}

#[test]
fn a_leader_that_sees_another_has_lost_however_old_the_other_is() {
    for age in [0, 9] {
        assert!(matches!(
            decide(Some(&of("other")), &leader(age), &TIMING),
            Decision::Lost(_)
        ));
    }
    // Somebody emptied or removed it: the write will tell whether another was quicker.
    assert_eq!(decide(Some(&of("")), &leader(1), &TIMING), Decision::Take);
    assert_eq!(decide(None, &leader(1), &TIMING), Decision::Create);
}

#[test]
fn the_record_keeps_its_beginning_while_its_holder_does() {
    let first = of("me");
    assert_eq!(first.lease_transitions, Some(0));
    let later = held(
        Some(&first),
        "me",
        &TIMING,
        now() + jiff::SignedDuration::from_secs(2),
    );
    assert_eq!(later.acquire_time, first.acquire_time);
    assert_ne!(later.renew_time, first.renew_time);
    assert_eq!(later.lease_transitions, Some(0));
    let taken = held(
        Some(&later),
        "other",
        &TIMING,
        now() + jiff::SignedDuration::from_secs(60),
    );
    assert_eq!(taken.lease_transitions, Some(1));
    assert_eq!(taken.acquire_time, taken.renew_time);
    assert_eq!(taken.lease_duration_seconds, Some(15));
    let free = released(&taken, now());
    assert_eq!(free.holder_identity, None);
    assert_eq!(
        held(Some(&free), "me", &TIMING, now()).lease_transitions,
        Some(2)
    );
}

#[test]
fn every_record_differs_from_the_last_one_even_if_the_clock_stands() {
    let first = of("me");
    let second = held(Some(&first), "me", &TIMING, now());
    assert_ne!(first, second);
    let past = now() - jiff::SignedDuration::from_hours(1);
    assert_ne!(second, held(Some(&second), "me", &TIMING, past));
}

#[test]
fn timings_that_would_let_two_lead_are_refused() {
    assert_eq!(TIMING.check(), Ok(()));
    for wrong in [
        Timing {
            renew_deadline: seconds(15),
            ..TIMING
        },
        Timing {
            retry_period: seconds(6),
            ..TIMING
        },
        Timing {
            duration: Duration::from_millis(15_500),
            ..TIMING
        },
    ] {
        assert!(wrong.check().is_err(), "{wrong:?}");
    }
}
