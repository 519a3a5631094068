//! How a run over one stack ended, for `status` to tell. Data only.

use crate::apply::{Applied, Failure};
use crate::conditions::unmarked;
use crate::desired::Part;
use crate::kept::Loss;
use crate::observed::Observed;
use crate::paused::Paused;
use crate::plan::Work;
use crate::validate::{Stack, Violation};

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// The stored object is no TpStack: it could not even be read.
    Undecodable(String),
    /// The spec breaks rules that admission would refuse today.
    Invalid(Vec<Violation>),
    /// No rights in this namespace.
    NotGranted,
    /// Data or its key is gone: nothing was written but the owners of kept objects, some of which may have been refused.
    Lost(Loss, Vec<Failure>),
    /// The spec says to leave everything as it is: nothing was written.
    Paused(Paused),
    /// The cluster could not be read.
    Unread(String),
    /// The namespace is being deleted: nothing can be made in it any more, and all of it goes.
    Terminating,
    /// Children were written.
    Worked(Box<Worked>),
}

/// A run that wrote children, or tried to.
#[derive(Debug)]
pub struct Worked {
    /// The validated spec.
    pub stack: Stack,
    /// What was read before.
    pub observed: Observed,
    /// What was to be done.
    pub work: Work,
    /// What the API server made of it.
    pub applied: Applied,
    /// Volumes and credentials that could not be made.
    pub not_created: Vec<Failure>,
}

impl Outcome {
    /// Whether another look is due soon: something was refused or is waited for.
    pub fn is_unfinished(&self) -> bool {
        match self {
            Self::Worked(worked) => {
                let work = &worked.work;
                !worked.refusals().is_empty()
                    || !work.waits.is_empty()
                    || unmarked(worked)
                    || work.waits_for_removal()
            }
            Self::Unread(_) => true,
            Self::Lost(_, refused) => !refused.is_empty(),
            Self::Undecodable(_)
            | Self::Invalid(_)
            | Self::NotGranted
            | Self::Terminating
            | Self::Paused(_) => false,
        }
    }

    /// Whether it may be that something is gone: a volume, rights, an object that was just looked at. In a namespace that
    /// is being deleted everything goes.
    pub fn misses_something(&self) -> bool {
        match self {
            Self::NotGranted | Self::Lost(..) => true,
            Self::Worked(worked) => {
                let mut writes = worked.not_created.iter().chain(&worked.applied.failures);
                writes.any(Failure::is_refusal)
            }
            Self::Undecodable(_)
            | Self::Invalid(_)
            | Self::Unread(_)
            | Self::Paused(_)
            | Self::Terminating => false,
        }
    }

    /// The word for metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Undecodable(_) => "undecodable",
            Self::Invalid(_) => "invalid",
            Self::NotGranted => "not_granted",
            Self::Lost(..) => "lost",
            Self::Paused(_) => "paused",
            Self::Unread(_) => "unread",
            Self::Terminating => "terminating",
            Self::Worked(worked) if !worked.refusals().is_empty() => "refused",
            Self::Worked(worked) if !worked.work.conflicts.is_empty() => "conflict",
            Self::Worked(worked) if !worked.work.missing.is_empty() => "missing",
            Self::Worked(worked) if !worked.work.waits.is_empty() => "waiting",
            Self::Worked(_) => "applied",
        }
    }
}

impl Worked {
    /// Everything that was refused: the part, and the API server's words.
    pub fn refusals(&self) -> Vec<(Part, String)> {
        let writes = self.not_created.iter().chain(&self.applied.failures);
        let mut refusals = self.work.forbidden.clone();
        refusals.dedup();
        refusals.extend(writes.map(|failure| (failure.part, failure.message())));
        refusals
    }
}
