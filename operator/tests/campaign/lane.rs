//! One stack in one namespace, the operator that works on it, its user and its world. Cases run on lanes, one after the
//! other; several lanes run side by side.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use futures::FutureExt;
use kube::{Client, core::DeserializeGuard};
use operator::{context::Context, crd::TpStack, reconcile};
use serde_json::{Value, json};

use crate::{
    audit::Scope,
    bench::Bench,
    canaries,
    fault::Planned,
    harness::kinds,
    snapshot::{self, Snapshot, collection},
    user,
    wire::{Seen, Wire},
    world::World,
};

/// More runs than that, and it does not converge.
const MOST_RUNS: usize = 60;
/// Longest time until a stack has settled, unless a case says otherwise.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longest time until the garbage collector has been: it looks for new kinds, ours among them, every half minute.
const COLLECTION: Duration = Duration::from_secs(90);

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// One stack and all around it.
pub(crate) struct Lane {
    pub(crate) bench: Arc<Bench>,
    pub(crate) namespace: String,
    pub(crate) stack: String,
    pub(crate) wire: Arc<Wire>,
    pub(crate) world: World,
    /// Longest time until the stack has settled.
    pub(crate) patience: Duration,
    /// Whether other stacks live in this namespace.
    pub(crate) shared: bool,
    client: Client,
    context: Arc<Context>,
    /// Hashes of what each Secret holds, by name, since it was made.
    pub(crate) credentials: BTreeMap<String, String>,
    /// UIDs of kept objects, by `plural/name`, since they were made.
    pub(crate) kept: BTreeMap<String, String>,
    /// Canaries as they were made: UID and version.
    pub(crate) canaries: BTreeMap<String, (String, String)>,
}

/// How one run of the operator ended.
#[derive(Debug)]
pub(crate) enum End {
    Done,
    Again(reconcile::Error),
    Died,
}

/// How it came to rest.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    pub(crate) runs: usize,
    pub(crate) seen: Seen,
}

impl Lane {
    /// A lane in a namespace of its own, with canaries.
    pub(crate) async fn new(bench: &Arc<Bench>) -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("lane-{}-{number}", bench.run);
        bench.namespace(&namespace).await?;
        let stack = format!("qz{}", letters(number));
        Self::inside(bench, namespace, stack, false).await
    }

    /// A lane for another stack of the same namespace.
    pub(crate) async fn beside(&self) -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let stack = format!("qz{}", letters(number));
        Self::inside(&self.bench, self.namespace.clone(), stack, true).await
    }

    /// A lane for a stack of that name.
    pub(crate) async fn inside(
        bench: &Arc<Bench>,
        namespace: String,
        stack: String,
        shared: bool,
    ) -> Result<Self> {
        let wire = Wire::new(bench.operator.clone());
        let client = wire.client(&namespace);
        let mut lane = Self {
            context: Arc::new(bench.context(client.clone())),
            world: World::new(bench.admin.clone(), namespace.clone()),
            canaries: BTreeMap::new(),
            credentials: BTreeMap::new(),
            kept: BTreeMap::new(),
            patience: PATIENCE,
            bench: Arc::clone(bench),
            namespace,
            stack,
            wire,
            shared,
            client,
        };
        lane.canaries = canaries::make(&lane).await?;
        lane.begin(Vec::new());
        Ok(lane)
    }

    pub(crate) fn admin(&self) -> &Client {
        &self.bench.admin
    }

    /// A case begins.
    pub(crate) fn begin(&self, planned: Vec<Planned>) {
        self.wire
            .begin(Scope::new(&self.namespace, &self.stack), planned);
    }

    /// The operator's process ends and another starts: nothing is remembered.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        // What it had sent arrives all the same.
        self.wire.quiet().await;
        self.context = Arc::new(self.bench.context(self.client.clone()));
        self.wire.restarted();
        Ok(())
    }

    /// A second operator on the same stack, over the same wire.
    pub(crate) fn rival(&self) -> Arc<Context> {
        Arc::new(self.bench.context(self.client.clone()))
    }

    /// One run of the operator.
    pub(crate) async fn run(&self) -> Result<End> {
        self.run_as(&self.context).await
    }

    /// One run of an operator with that memory.
    pub(crate) async fn run_as(&self, context: &Arc<Context>) -> Result<End> {
        self.wire.run_begins();
        let run = reconcile::reconcile(self.trigger()?, Arc::clone(context));
        let run = AssertUnwindSafe(run).catch_unwind();
        let end = tokio::select! {
            biased;
            () = self.wire.crash() => return Ok(End::Died),
            end = run => end,
        };
        // It may have been about to die of something that runs beside.
        match end {
            Ok(Ok(_)) => Ok(End::Done),
            Ok(Err(error)) => Ok(End::Again(error)),
            Err(_) => bail!("O12: the operator panicked"),
        }
    }

    /// What a watch would hand over: it says which stack, and no more.
    fn trigger(&self) -> Result<Arc<DeserializeGuard<TpStack>>> {
        let stack: TpStack = serde_json::from_value(json!({
            "apiVersion": kinds::TPSTACK.api_version(), "kind": "TpStack",
            "metadata": {"name": self.stack, "namespace": self.namespace}, "spec": {},
        }))?;
        Ok(Arc::new(DeserializeGuard(Ok(stack))))
    }

    /// Runs the operator and the world until neither changes anything: it is the controller's part, with its starting
    /// again after a crash. The last run is the proof that a settled stack costs no write.
    pub(crate) async fn settle(&mut self) -> Result<Rest> {
        let patience = self.patience;
        let deadline = Instant::now() + patience;
        let mut last = String::new();
        for runs in 1..=MOST_RUNS {
            let end = self.run().await?;
            self.wire.quiet().await;
            let died = matches!(end, End::Died);
            if died {
                self.restart().await?;
            }
            let changed = self.world.step(&self.wire).await?;
            let seen = self.wire.seen();
            match end {
                End::Done if !changed && seen.moved_in_run == 0 => {
                    return Ok(Rest { runs, seen });
                }
                End::Again(error) => {
                    last = format!("{error}");
                    if !changed && seen.moved_in_run == 0 {
                        // Something outside is waited for, such as the garbage collector.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
                End::Done | End::Died => {}
            }
            if Instant::now() > deadline {
                break;
            }
        }
        if let Some(breach) = self.wire.seen().breaches.into_iter().next() {
            bail!(breach);
        }
        let told = self.told().await?;
        bail!("O3: not settled after {MOST_RUNS} runs or {patience:?}; {last}; {told}")
    }

    /// What the status complains of.
    async fn told(&self) -> Result<String> {
        let stack = snapshot::get(self.admin(), &self.path()).await?;
        let conditions = stack
            .as_ref()
            .and_then(|stack| stack["status"]["conditions"].as_array());
        let told = conditions.into_iter().flatten().map(|condition| {
            let field = |key: &str| snapshot::text(condition, &format!("/{key}"));
            format!("{}={} {}", field("type"), field("status"), field("message"))
        });
        Ok(told.collect::<Vec<_>>().join("; "))
    }

    /// Runs until the operator has told the same twice, although something is wrong that somebody has to mend.
    pub(crate) async fn stuck(&mut self, runs: usize) -> Result<()> {
        for _ in 0..runs {
            let end = self.run().await?;
            self.wire.quiet().await;
            if matches!(end, End::Died) {
                self.restart().await?;
            }
            self.world.step(&self.wire).await?;
        }
        Ok(())
    }

    /// Everything of this stack.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        snapshot::take(self.admin(), &self.namespace, &self.stack, self.shared).await
    }

    /// The user makes the stack.
    pub(crate) async fn create(&self, spec: &Value) -> Result<()> {
        let body = json!({
            "apiVersion": kinds::TPSTACK.api_version(), "kind": "TpStack",
            "metadata": {"name": self.stack}, "spec": spec,
        });
        user::post(
            self.admin(),
            &collection(&kinds::TPSTACK, &self.namespace),
            &body,
        )
        .await?;
        Ok(())
    }

    /// The user gives the stack another spec: the whole of it, so that what the old one had by default goes.
    pub(crate) async fn change(&self, to: &Value) -> Result<()> {
        loop {
            let stack = snapshot::get(self.admin(), &self.path()).await?;
            let mut stack = stack.context("the stack is there")?;
            stack["spec"] = to.clone();
            match user::put(self.admin(), &self.path(), &stack).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(error).context("the user changes the spec"),
            }
        }
    }

    /// The user deletes the stack.
    pub(crate) async fn delete(&self) -> Result<()> {
        user::delete(self.admin(), &self.path()).await
    }

    /// Waits until the garbage collector has taken what belonged to stacks that are gone.
    pub(crate) async fn collected(&self) -> Result<()> {
        let deadline = Instant::now() + COLLECTION;
        loop {
            let now = self.snapshot().await?;
            let uid = now
                .owner
                .as_ref()
                .map(|owner| snapshot::text(owner, "/metadata/uid"));
            let left: Vec<&String> = now
                .children
                .iter()
                .filter(|(_, child)| {
                    let owners = child["metadata"]["ownerReferences"].as_array();
                    let mut owners = owners.into_iter().flatten();
                    owners.any(|owner| Some(snapshot::text(owner, "/uid")) != uid)
                        || child["metadata"].get("deletionTimestamp").is_some()
                })
                .map(|(id, _)| id)
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "O7: the garbage collector has left {left:?}"
            );
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// The path of the stack itself.
    pub(crate) fn path(&self) -> String {
        format!(
            "{}/{}",
            collection(&kinds::TPSTACK, &self.namespace),
            self.stack
        )
    }

    /// The path of a child.
    pub(crate) fn child_path(&self, kind: &kinds::Kind, suffix: &str) -> String {
        format!(
            "{}/{}{suffix}",
            collection(kind, &self.namespace),
            self.stack
        )
    }
}

/// A number in letters: `a` to `z`, then two of them. Always the same length, so that no name is the start of another.
fn letters(number: u64) -> String {
    let mut rest = number;
    let mut text = String::new();
    for _ in 0..4 {
        let digit = u8::try_from(rest % 26).unwrap_or_default();
        text.insert(0, char::from(b'a' + digit));
        rest /= 26;
    }
    text
}
