//! Decides what may be done with a store's volume and credentials: the one place where data could be lost. [pure]
//!
//! A volume and its credentials are made once. Once data was written under them they carry the mark `initialized` and
//! name each other's UID; from then on nothing here makes a new one unless the loss was accepted by the lost UID.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::desired::metadata::{
    ACCEPT_DATA_LOSS, CREDENTIALS_UID, Component, INITIALIZED, POSTGRES_MAJOR, VOLUME_UID,
};
use crate::kind::{Kind, ObjectId};
use crate::observed::{Observed, Ownership};
use crate::validate::Stack;

/// A store that keeps something: which objects, under which rules.
#[derive(Clone, Debug)]
pub struct Store<'a> {
    /// Postgres or Redis.
    pub component: Component,
    /// Whether the spec asks for a volume.
    pub wants_volume: bool,
    /// Major version that must match the volume's, if the store has one.
    pub major: Option<&'a str>,
    /// UID of the volume that the status remembers.
    pub remembered: Option<&'a str>,
    /// UID of the lost volume whose data was given up.
    pub accepted: Option<&'a str>,
}

/// What may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Something was never made: make it, then look again.
    Create {
        /// Whether the volume is to be made.
        volume: bool,
        /// Whether the credentials are to be made.
        credentials: bool,
    },
    /// Both are there and belong together.
    Keep(Pair),
    /// Something is on its way out: look again shortly.
    Wait(String),
    /// A name is taken by somebody else's object: this store is left alone.
    Conflict(ObjectId),
    /// Data or its key is gone or does not match: nothing is written until somebody acts.
    Lost(Loss),
}

/// A volume and its credentials that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// UID of the volume; `None` when the store has none.
    pub volume_uid: Option<String>,
    /// UID of the credentials.
    pub credentials_uid: String,
    /// Whether data was written under them.
    pub initialized: bool,
}

/// What is lost, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Reason of the condition Stalled.
    pub reason: &'static str,
    /// What happened and the commands that go on from here.
    pub message: String,
}

/// Decides for one store.
pub fn decide(stack: &Stack, store: &Store<'_>, observed: &Observed) -> Verdict {
    let volume_id = ObjectId::new(
        Kind::PersistentVolumeClaim,
        store.component.volume_name(&stack.name),
    );
    let secret_id = ObjectId::new(Kind::Secret, store.component.credentials_name(&stack.name));
    let workload = store.component.name(&stack.name);
    let say = Words {
        namespace: &stack.namespace,
        stack: &stack.name,
        volume: &volume_id.name,
        secret: &secret_id.name,
        workload: &workload,
    };
    for id in [&volume_id, &secret_id] {
        match observed.ownership(id, &stack.name, &stack.uid) {
            Ownership::Foreign if store.wants_volume || id.kind == Kind::Secret => {
                return Verdict::Conflict(id.clone());
            }
            Ownership::Orphan => {
                return Verdict::Wait(format!(
                    "{id} still belongs to a TpStack of this name that was deleted; waiting for its removal"
                ));
            }
            Ownership::Absent | Ownership::Ours | Ownership::Foreign => {}
        }
    }
    let secret = observed.object(&secret_id);
    if !store.wants_volume {
        return match secret {
            Some(secret) => Verdict::Keep(Pair {
                credentials_uid: uid(secret),
                ..Pair::default()
            }),
            // Without a volume nothing depends on the old password: pods restart with the new one.
            None => Verdict::Create {
                volume: false,
                credentials: true,
            },
        };
    }
    match (observed.object(&volume_id), secret) {
        (Some(volume), _) if volume.deletion_timestamp.is_some() => deleting(store, volume, &say),
        (None, secret) => {
            let lost = secret
                .filter(|s| marked(s))
                .and_then(|s| annotation(s, VOLUME_UID))
                .or(store.remembered);
            match lost {
                Some(lost) if store.accepted != Some(lost) => Verdict::Lost(say.volume_lost(lost)),
                _ => Verdict::Create {
                    volume: true,
                    credentials: secret.is_none(),
                },
            }
        }
        // The status may know of data that could not be marked: it was written while the stack was paused.
        (Some(volume), None)
            if marked(volume) || store.remembered == Some(uid(volume).as_str()) =>
        {
            Verdict::Lost(say.credentials_lost(volume))
        }
        (Some(_), None) => Verdict::Create {
            volume: false,
            credentials: true,
        },
        (Some(volume), Some(secret)) => both(store, volume, secret, &say),
    }
}

fn deleting(store: &Store<'_>, volume: &ObjectMeta, say: &Words<'_>) -> Verdict {
    if marked(volume) && store.accepted != Some(&uid(volume)) {
        Verdict::Lost(say.volume_deleting(volume))
    } else {
        Verdict::Wait(format!(
            "PersistentVolumeClaim {} is being deleted; waiting for its removal",
            say.volume
        ))
    }
}

fn both(store: &Store<'_>, volume: &ObjectMeta, secret: &ObjectMeta, say: &Words<'_>) -> Verdict {
    let pair = |initialized| {
        Verdict::Keep(Pair {
            volume_uid: Some(uid(volume)),
            credentials_uid: uid(secret),
            initialized,
        })
    };
    let names_volume = annotation(secret, VOLUME_UID);
    if !marked(volume) {
        return match names_volume {
            // The secret opens data on another volume: this one replaced it, which only its loss explains.
            Some(lost) if marked(secret) && lost != uid(volume) && store.accepted != Some(lost) => {
                Verdict::Lost(say.mismatch(volume, secret))
            }
            Some(same) if marked(secret) && same == uid(volume) => pair(true),
            _ => pair(false),
        };
    }
    let mutual = names_volume == Some(&uid(volume))
        && annotation(volume, CREDENTIALS_UID) == Some(&uid(secret));
    if !mutual {
        return Verdict::Lost(say.mismatch(volume, secret));
    }
    match (store.major, annotation(volume, POSTGRES_MAJOR)) {
        (Some(wanted), Some(found)) if wanted != found => {
            Verdict::Lost(say.other_major(wanted, found))
        }
        _ => pair(true),
    }
}

/// UID of the lost volume whose data the user gave up.
pub fn accepted_loss(
    annotations: Option<&std::collections::BTreeMap<String, String>>,
) -> Option<&str> {
    annotations?.get(ACCEPT_DATA_LOSS).map(String::as_str)
}

fn uid(metadata: &ObjectMeta) -> String {
    metadata.uid.clone().unwrap_or_default()
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

fn marked(metadata: &ObjectMeta) -> bool {
    annotation(metadata, INITIALIZED) == Some("true")
}

/// The messages: each says what happened and gives the exact commands that restore, or that accept the loss.
struct Words<'a> {
    namespace: &'a str,
    stack: &'a str,
    volume: &'a str,
    secret: &'a str,
    workload: &'a str,
}

impl Words<'_> {
    fn accept(&self, lost: &str) -> String {
        format!(
            "kubectl --namespace {} annotate tpstack {} --overwrite {ACCEPT_DATA_LOSS}={lost}",
            self.namespace, self.stack
        )
    }

    /// Ends the pod that still holds the volume: a claim in use is not deleted before. Neither command waits, since the
    /// next pod waits for the new volume.
    fn end_pod(&self) -> String {
        format!(
            "kubectl --namespace {} delete pod {}-0 --ignore-not-found --wait=false",
            self.namespace, self.workload
        )
    }

    fn pair_up(&self, volume: &ObjectMeta, secret: &ObjectMeta) -> String {
        let (namespace, volume_uid, secret_uid) = (self.namespace, uid(volume), uid(secret));
        format!(
            "kubectl --namespace {namespace} annotate pvc {} --overwrite {INITIALIZED}=true {CREDENTIALS_UID}={secret_uid} && \
             kubectl --namespace {namespace} annotate secret {} --overwrite {INITIALIZED}=true {VOLUME_UID}={volume_uid}",
            self.volume, self.secret
        )
    }

    fn volume_lost(&self, lost: &str) -> Loss {
        Loss {
            reason: "VolumeLost",
            message: format!(
                "PersistentVolumeClaim {} (UID {lost}), which holds data, is gone; nothing is started on an empty disk. \
                 To restore: bind a new claim of that name to the old volume, or to a restored one, and follow the next message. \
                 To give the data up and start empty: {}",
                self.volume,
                self.accept(lost)
            ),
        }
    }

    fn volume_deleting(&self, volume: &ObjectMeta) -> Loss {
        let lost = uid(volume);
        Loss {
            reason: "VolumeLost",
            message: format!(
                "PersistentVolumeClaim {} (UID {lost}), which holds data, is being deleted; it lasts until its last pod ends. \
                 Copy the data out now. To give the data up and start empty: {} && {}",
                self.volume,
                self.accept(&lost),
                self.end_pod()
            ),
        }
    }

    fn credentials_lost(&self, volume: &ObjectMeta) -> Loss {
        let Self {
            namespace,
            volume: claim,
            secret,
            ..
        } = self;
        let lost = uid(volume);
        Loss {
            reason: "CredentialsLost",
            message: format!(
                "Secret {secret}, which opens the data on PersistentVolumeClaim {claim}, is gone; a new password would not open it, \
                 so none is made. To restore: kubectl --namespace {namespace} apply -f <your copy of Secret {secret}>, and follow the next message. \
                 To give the data up and start empty: {} && kubectl --namespace {namespace} delete pvc {claim} --wait=false && {}",
                self.accept(&lost),
                self.end_pod()
            ),
        }
    }

    fn mismatch(&self, volume: &ObjectMeta, secret: &ObjectMeta) -> Loss {
        let gone = |named: Option<&str>, now: String| named.is_some_and(|named| named != now);
        // Two objects made anew from one backup name each other's former selves.
        let restored = if gone(annotation(volume, CREDENTIALS_UID), uid(secret))
            && gone(annotation(secret, VOLUME_UID), uid(volume))
        {
            " Each of them names one that is gone: so it is after a restore of the namespace by a backup tool, since restored objects get \
             new UIDs, and if both came from the same backup they belong together."
        } else {
            ""
        };
        Loss {
            reason: "RetainedDataMismatch",
            message: format!(
                "PersistentVolumeClaim {} (UID {}) and Secret {} (UID {}) do not name each other, so it is not known that this password \
                 opens this data.{restored} If they belong together: {}",
                self.volume,
                uid(volume),
                self.secret,
                uid(secret),
                self.pair_up(volume, secret)
            ),
        }
    }

    fn other_major(&self, wanted: &str, found: &str) -> Loss {
        Loss {
            reason: "RetainedDataMismatch",
            message: format!(
                "PersistentVolumeClaim {} holds data of Postgres {found}, and spec.postgres.version is {wanted}: a data directory cannot be \
                 opened by another major. Create the TpStack with version {found}, or under another name and move the data with pg_dump.",
                self.volume
            ),
        }
    }
}

#[cfg(test)]
mod tests;
