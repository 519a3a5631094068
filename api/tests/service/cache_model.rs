//! Whatever happens to Redis and on the way to it, in whatever order: a process tells what Redis holds, or asks the
//! database. The model is Redis itself, asked over a connection that no fault touches.

use crate::{
    figures::tell,
    proxy::Fault,
    replicas::{RULES, Replicas, USER},
};
use proptest::{
    prelude::{Just, Strategy, prop_oneof},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

/// Processes that share the Redis.
const REPLICAS: usize = 2;
/// Runs of so many steps each.
const CASES: u32 = 40;
const STEPS: usize = 260;
/// When a process must tell the truth again after a change: twice the lease of a copy that cannot be told of it.
const BOUND: Duration = Duration::from_secs(1);
/// When a process must use Redis again after the end of a fault: promised are 2 seconds, the rest is for the machine.
const RETURN_BOUND: Duration = Duration::from_secs(10);

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    /// A client asks a process.
    Ask(usize),
    /// Somebody else changes the key, with a value of its own if it is one.
    Set(Life),
    Delete,
    Flush,
    Expire(u16),
    Persist,
    Poison(usize),
    /// Time passes, in milliseconds.
    Pass(u8),
    /// Redis closes every connection but the test's.
    Kill,
    /// Redis does nothing for so many milliseconds.
    Pause(u16),
    /// The way to Redis fails for a process, and is mended.
    Break(usize, Fault),
    Mend(usize),
    /// The processes' user loses rights, and gets them back.
    Forbid(usize),
    Allow,
}

#[derive(Clone, Copy, Debug)]
enum Life {
    Forever,
    Milliseconds(u16),
}

const POISONS: [&[&str]; 4] = [
    &["LPUSH", "data_cache", "a list"],
    &["HSET", "data_cache", "a", "hash"],
    &["SET", "data_cache", ""],
    &["SETBIT", "data_cache", "0", "1"],
];
const FORBIDDEN: [&str; 5] = ["-get", "-set", "-client", "-pttl", "-eval"];

fn step() -> impl Strategy<Value = Step> {
    let replica = 0..REPLICAS;
    let life = prop_oneof![
        Just(Life::Forever),
        (1..200_u16).prop_map(Life::Milliseconds)
    ];
    let fault = prop_oneof![
        Just(Fault::Hang),
        Just(Fault::HalfOpen),
        Just(Fault::Reset),
        Just(Fault::Refuse),
        (1..200_usize).prop_map(|after| Fault::Cut { after }),
    ];
    prop_oneof![
        500 => replica.clone().prop_map(Step::Ask),
        150 => life.prop_map(Step::Set),
        70 => Just(Step::Delete),
        30 => Just(Step::Flush),
        70 => (1..100_u16).prop_map(Step::Expire),
        20 => Just(Step::Persist),
        30 => (0..POISONS.len()).prop_map(Step::Poison),
        50 => (1..10_u8).prop_map(Step::Pass),
        8 => Just(Step::Kill),
        4 => (1..400_u16).prop_map(Step::Pause),
        8 => (replica.clone(), fault).prop_map(|(replica, fault)| Step::Break(replica, fault)),
        24 => replica.prop_map(Step::Mend),
        4 => (0..FORBIDDEN.len()).prop_map(Step::Forbid),
        10 => Just(Step::Allow),
    ]
}

/// The processes and what is wrong with them now.
struct World {
    replicas: Replicas,
    broken: [bool; REPLICAS],
    values: u64,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    steps: usize,
    faults: usize,
    answers: usize,
    slowest: Duration,
    slowest_return: Duration,
}

impl World {
    async fn take(&mut self, step: &Step) -> Result<(), String> {
        self.tally.steps += 1;
        let replicas = &mut self.replicas;
        match step {
            Step::Ask(replica) => return self.check(*replica).await,
            Step::Set(life) => {
                self.values += 1;
                let value = format!("value {}", self.values);
                let mut words = vec!["SET", "data_cache", &value];
                let milliseconds;
                if let Life::Milliseconds(life) = life {
                    milliseconds = life.to_string();
                    words.extend(["PX", &milliseconds]);
                }
                replicas.run::<()>(&words).await;
            }
            Step::Delete => replicas.run::<()>(&["DEL", "data_cache"]).await,
            Step::Flush => replicas.run::<()>(&["FLUSHALL"]).await,
            Step::Expire(life) => {
                let life = life.to_string();
                replicas.run::<()>(&["PEXPIRE", "data_cache", &life]).await;
            }
            Step::Persist => replicas.run::<()>(&["PERSIST", "data_cache"]).await,
            Step::Poison(which) => {
                replicas.run::<()>(&["DEL", "data_cache"]).await;
                replicas.run::<()>(POISONS[*which]).await;
            }
            // The one thing that cannot be waited for is time itself.
            Step::Pass(life) => tokio::time::sleep(Duration::from_millis((*life).into())).await,
            Step::Kill => {
                self.tally.faults += 1;
                replicas.run::<i64>(&["CLIENT", "KILL", "USER", USER]).await;
            }
            Step::Pause(life) => {
                self.tally.faults += 1;
                replicas
                    .run::<()>(&["CLIENT", "PAUSE", &life.to_string()])
                    .await;
            }
            Step::Break(replica, fault) => {
                self.tally.faults += 1;
                self.broken[*replica] = true;
                replicas.proxies[*replica].set(*fault).await;
            }
            Step::Mend(replica) if self.broken[*replica] => return self.mend(*replica).await,
            Step::Mend(_) => return Ok(()),
            Step::Forbid(which) => {
                self.tally.faults += 1;
                replicas
                    .run::<()>(&["ACL", "SETUSER", USER, FORBIDDEN[*which]])
                    .await;
            }
            Step::Allow => self.allow().await,
        }
        for replica in 0..REPLICAS {
            self.check(replica).await?;
        }
        Ok(())
    }

    /// The process tells what Redis holds, if need be after the bound; and from then on nothing older.
    async fn check(&mut self, replica: usize) -> Result<(), String> {
        self.tally.answers += 2;
        let (truth, took) = self.replicas.true_within(replica, BOUND).await?;
        self.tally.slowest = self.tally.slowest.max(took);
        let Err(lie) = self.replicas.ask(replica).await else {
            return Ok(());
        };
        if lie.told == truth {
            // It was true a moment ago, so its life ended just now: a change like any other.
            let (_, took) = self.replicas.true_within(replica, BOUND).await?;
            self.tally.slowest = self.tally.slowest.max(took);
            return Ok(());
        }
        // Redis may have held it for a moment, between two changes: then it is not told twice.
        match self.replicas.ask(replica).await {
            Err(again) => Err(format!(
                "replica {replica} went back from {truth:?} to {lie}, {again}"
            )),
            Ok(_) => Ok(()),
        }
    }

    /// Without the fault the process uses Redis again, soon.
    async fn mend(&mut self, replica: usize) -> Result<(), String> {
        self.replicas.proxies[replica].heal().await;
        self.broken[replica] = false;
        self.allow().await;
        self.values += 1;
        let value = format!("value {}", self.values);
        let started = Instant::now();
        loop {
            // Set anew each time: what the process sent before the fault may arrive only now.
            self.replicas
                .run::<()>(&["SET", "data_cache", &value])
                .await;
            if self.replicas.ask(replica).await == Ok(value.clone()) {
                break;
            }
            if started.elapsed() > RETURN_BOUND {
                return Err(format!(
                    "replica {replica} does not use Redis again\nlog: {:#?}",
                    self.replicas.apis[replica].log()
                ));
            }
        }
        self.tally.slowest_return = self.tally.slowest_return.max(started.elapsed());
        Ok(())
    }

    async fn allow(&mut self) {
        let rules = [&["ACL", "SETUSER", USER][..], &RULES].concat();
        self.replicas.run::<()>(&rules).await;
    }

    /// As it was in the beginning.
    async fn restore(&mut self) -> Result<(), String> {
        self.replicas.run::<()>(&["FLUSHALL"]).await;
        for replica in 0..REPLICAS {
            self.mend(replica).await?;
        }
        Ok(())
    }
}

/// `TPSTACK_SEED`, or one of this run's own: 64 hexadecimal digits.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    match std::env::var("TPSTACK_SEED") {
        Ok(text) => {
            for (byte, digits) in seed.iter_mut().zip(text.as_bytes().chunks(2)) {
                let digits = std::str::from_utf8(digits).unwrap();
                *byte = u8::from_str_radix(digits, 16).expect("TPSTACK_SEED is hexadecimal");
            }
        }
        Err(_) => getrandom::fill(&mut seed).unwrap(),
    }
    seed
}

#[test]
fn copies_are_never_older_than_the_last_change_whatever_fails() {
    let seed = seed();
    let shown = seed.map(|byte| format!("{byte:02x}")).concat();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let replicas = runtime.block_on(Replicas::start(REPLICAS, &[]));
    let world = RefCell::new(World {
        replicas,
        broken: [false; REPLICAS],
        values: 0,
        tally: Tally::default(),
    });
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        // Time is part of the story: a shorter one seldom fails again.
        max_shrink_iters: 0,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let stories = proptest::collection::vec(step(), STEPS);
    let outcome = TestRunner::new_with_rng(config, random).run(&stories, |story| {
        let mut world = world.borrow_mut();
        let played = runtime.block_on(async {
            world.restore().await?;
            for step in &story {
                world
                    .take(step)
                    .await
                    .map_err(|error| format!("{step:?}: {error}"))?;
            }
            Ok(())
        });
        played.map_err(|error: String| TestCaseError::fail(error))
    });
    let tally = &world.borrow().tally;
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, _) | TestError::Abort(why)) => {
            panic!("TPSTACK_SEED={shown}: after {} steps: {why}", tally.steps)
        }
    }
    assert!(tally.steps >= 10_000, "{} steps", tally.steps);
    tell(
        "cache model",
        &format!(
            "{} steps, {} faults, {} answers of {REPLICAS} processes, none stale or wrong; true again after {:.0?}, \
             Redis in use again after {:.0?} at the latest; seed {shown}",
            tally.steps, tally.faults, tally.answers, tally.slowest, tally.slowest_return
        ),
    );
}
