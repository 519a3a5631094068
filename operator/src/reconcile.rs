//! One run over one stack: the steps in order, nothing else. It never learns why it was started, never waits for
//! anything to become ready, and tells the status after failure too.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::Api;
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::runtime::controller::Action;

use crate::apply::{self, Failure};
use crate::clients::CALL_DEADLINE;
use crate::context::Context;
use crate::crd::{Phase, TpStack};
use crate::desired::metadata::Component;
use crate::desired::{migrate, routes};
use crate::kind::{Kind, ObjectId};
use crate::observe::{self, observe};
use crate::observed::Observed;
use crate::outcome::{Outcome, Worked};
use crate::paused::Paused;
use crate::plan::{Creation, Plan, Work, plan, store_part};
use crate::status;
use crate::validate::{Stack, validate};
use crate::variables;

/// Longest time for one run; a hung API server must not hold a worker for ever.
const DEADLINE: Duration = Duration::from_mins(1);

/// How often kept objects may be made and looked at again within one run.
const ROUNDS: usize = 5;

/// Why a run is to be repeated soon.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The TpStack could not be read.
    #[error("failed to read the TpStack")]
    Read(#[source] kube::Error),
    /// The status could not be written.
    #[error("failed to write the status")]
    Status(#[source] kube::Error),
    /// Something was refused or is waited for; the status says what.
    #[error("unfinished: {0}")]
    Unfinished(&'static str),
    /// The run panicked.
    #[error("the run panicked")]
    Panicked,
    /// The run took too long.
    #[error("the run took too long")]
    Deadline,
}

/// Runs over one stack, and says when to look again.
///
/// `trigger` only says which: the TpStack itself is read anew. The watch's copy may be older than what the last run
/// wrote, and the status is the last memory of a volume whose claim and credentials are both gone.
pub async fn reconcile(
    trigger: Arc<DeserializeGuard<TpStack>>,
    ctx: Arc<Context>,
) -> Result<Action, Error> {
    let Ok(object) = tokio::time::timeout(CALL_DEADLINE, fresh(&trigger, &ctx)).await else {
        return Err(Error::Deadline);
    };
    let Some(object) = object? else {
        return Ok(Action::await_change());
    };
    let (metadata, stack) = match &object.0 {
        Ok(stack) => (&stack.metadata, Some(stack)),
        Err(invalid) => (&invalid.metadata, None),
    };
    if metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let started = std::time::Instant::now();
    let run = async {
        let outcome = match &object.0 {
            Ok(stack) => steps(stack, &ctx).await,
            Err(invalid) => Outcome::Undecodable(invalid.error.clone()),
        };
        let outcome = unless_closing(outcome, metadata, stack, &ctx).await;
        let told = status::write(
            &ctx.client,
            metadata,
            stack,
            &outcome,
            &ctx.settings.service_account,
            &ctx.events,
        )
        .await;
        (outcome, told)
    };
    let Ok((outcome, told)) = tokio::time::timeout(DEADLINE, run).await else {
        ctx.metrics.reconciled("deadline", started.elapsed());
        return Err(Error::Deadline);
    };
    ctx.metrics.reconciled(outcome.as_str(), started.elapsed());
    log(metadata, &outcome);
    told.map_err(Error::Status)?;
    if outcome.is_unfinished() {
        return Err(Error::Unfinished(outcome.as_str()));
    }
    ctx.settled(metadata);
    Ok(Action::requeue(match outcome {
        // Rights, somebody else's objects and restored ones come and go without an event: looked at again and again.
        Outcome::NotGranted | Outcome::Lost(..) => ctx.settings.discovery_interval,
        Outcome::Worked(worked)
            if !worked.work.conflicts.is_empty() || !worked.work.missing.is_empty() =>
        {
            ctx.settings.discovery_interval
        }
        _ => ctx.settings.resync_interval,
    }))
}

/// The TpStack as it is now; `None` if it is gone.
async fn fresh(
    trigger: &DeserializeGuard<TpStack>,
    ctx: &Context,
) -> Result<Option<DeserializeGuard<TpStack>>, Error> {
    let api: Api<DeserializeGuard<TpStack>> =
        Api::namespaced(ctx.client.clone(), &trigger.namespace().unwrap_or_default());
    match api.get(&trigger.name_any()).await {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(Error::Read(error)),
    }
}

async fn steps(raw: &TpStack, ctx: &Context) -> Outcome {
    let namespace = raw.metadata.namespace.as_deref().unwrap_or_default();
    match ctx.grants.granted(&ctx.client, namespace).await {
        Ok(true) => {}
        Ok(false) => return Outcome::NotGranted,
        Err(error) => {
            return Outcome::Unread(format!(
                "failed to ask for the rights in namespace {namespace}: {error}"
            ));
        }
    }
    let stack = match validate(raw) {
        Ok(stack) => stack,
        Err(violations) => return Outcome::Invalid(violations),
    };
    let mut not_created = Vec::new();
    let mut blocked = BTreeSet::new();
    for _ in 0..ROUNDS {
        let observed = match look(ctx, namespace, &stack).await {
            Ok(observed) => observed,
            // The grant may have been taken away between two reads.
            Err(error)
                if error.forbidden().is_some()
                    && matches!(ctx.grants.ask(&ctx.client, namespace).await, Ok(false)) =>
            {
                return Outcome::NotGranted;
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                return Outcome::Unread(format!("{error}: {}", cause.unwrap_or_default()));
            }
        };
        // Something forbidden may mean that the grant was taken away: asked again, and told by its name.
        if !observed.forbidden.is_empty()
            && matches!(ctx.grants.ask(&ctx.client, namespace).await, Ok(false))
        {
            return Outcome::NotGranted;
        }
        if stack.paused {
            return Outcome::Paused(Paused::look(raw, &stack, &observed));
        }
        let (work, loss) = match plan(raw, &stack, &ctx.settings.images, &observed, &blocked) {
            Plan::Create(creations) => {
                let refused = create(ctx, &stack, &creations).await;
                if refused.iter().any(|(_, failure)| failure.is_terminating()) {
                    return Outcome::Terminating;
                }
                blocked.extend(refused.iter().map(|(component, _)| *component));
                not_created.extend(refused.into_iter().map(|(_, failure)| failure));
                continue;
            }
            Plan::Stop(loss, objects) => (
                Work {
                    objects,
                    ..Work::default()
                },
                Some(loss),
            ),
            Plan::Apply(work) => (*work, None),
        };
        let applied = apply::apply(
            &ctx.client,
            &ctx.memory,
            &ctx.metrics,
            &stack,
            &observed,
            &work,
        )
        .await;
        if applied.failures.iter().any(Failure::is_terminating) {
            return Outcome::Terminating;
        }
        // Somebody wrote meanwhile: to a volume or a Secret, perhaps by our own advice, or the number of pods. It counts.
        if applied.failures.iter().any(Failure::is_outdated) {
            continue;
        }
        return match loss {
            Some(loss) => Outcome::Lost(loss, applied.failures),
            None => Outcome::Worked(Box::new(Worked {
                stack,
                observed,
                work,
                applied,
                not_created,
            })),
        };
    }
    Outcome::Unread("volumes, credentials or the Deployment changed at every look".to_owned())
}

/// All that is decided by, as it is now.
async fn look(ctx: &Context, namespace: &str, stack: &Stack) -> Result<Observed, observe::Error> {
    let migration = migrate::name(stack, &ctx.settings.images);
    let mut observed = observe(
        &ctx.client,
        namespace,
        &stack.name,
        migration.as_deref(),
        &stack.external.secrets(),
        &routes::asked_for(stack),
        ctx.capabilities(),
    )
    .await?;
    if !stack.paused {
        let sources = variables::sources(stack);
        observed.variables = observe::variables::read(&ctx.client, namespace, &sources).await?;
    }
    Ok(observed)
}

/// In a namespace that is being deleted grants and volumes vanish too: that is no loss to tell of. Asked before such a
/// loss is told for the first time.
async fn unless_closing(
    outcome: Outcome,
    metadata: &ObjectMeta,
    stack: Option<&TpStack>,
    ctx: &Context,
) -> Outcome {
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let was_told = stack
        .and_then(|stack| stack.status.as_ref())
        .is_some_and(|status| status.phase == Some(Phase::Stalled));
    if outcome.misses_something() && !was_told && ctx.events.is_namespace_closing(namespace).await {
        return Outcome::Terminating;
    }
    outcome
}

async fn create(ctx: &Context, stack: &Stack, creations: &[Creation]) -> Vec<(Component, Failure)> {
    let mut refused = Vec::new();
    for creation in creations {
        let component = creation.component();
        let id = match creation {
            Creation::Volume(..) => ObjectId::new(
                Kind::PersistentVolumeClaim,
                component.volume_name(&stack.name),
            ),
            Creation::Credentials(..) => {
                ObjectId::new(Kind::Secret, component.credentials_name(&stack.name))
            }
        };
        tracing::info!(namespace = stack.namespace, stack = stack.name, object = %id, "making what is made once");
        if let Err(error) = apply::create(&ctx.client, stack, creation).await {
            refused.push((
                component,
                Failure {
                    part: store_part(component),
                    id,
                    error,
                },
            ));
        }
    }
    refused
}

fn log(metadata: &ObjectMeta, outcome: &Outcome) {
    let (namespace, stack) = (metadata.namespace.as_deref(), metadata.name.as_deref());
    let outcome_name = outcome.as_str();
    match outcome {
        Outcome::Worked(worked) if worked.refusals().is_empty() => {
            tracing::debug!(namespace, stack, outcome = outcome_name, "reconciled");
        }
        Outcome::Worked(worked) => {
            let refused: Vec<String> = worked
                .refusals()
                .into_iter()
                .map(|(_, words)| words)
                .collect();
            let refused = refused.join("; ");
            tracing::warn!(
                namespace,
                stack,
                outcome = outcome_name,
                refused,
                "some children were refused"
            );
        }
        Outcome::Unread(error) => {
            tracing::warn!(namespace, stack, error, "the cluster could not be read");
        }
        Outcome::Lost(loss, _) => tracing::warn!(
            namespace,
            stack,
            reason = loss.reason,
            "stopped until somebody acts"
        ),
        Outcome::Terminating => {
            tracing::debug!(namespace, stack, "the namespace is being deleted");
        }
        Outcome::Undecodable(_)
        | Outcome::Invalid(_)
        | Outcome::NotGranted
        | Outcome::Paused(_) => {
            tracing::info!(namespace, stack, outcome = outcome_name, "not reconciled");
        }
    }
}
