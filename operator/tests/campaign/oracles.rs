//! What has to hold after every case, by the numbers of the test programme. [reads what was seen; decides]
//!
//! O1 end state, O2 creations and deletions, O3 quiescence (by `Lane::settle`), O4 foreign objects, O5 secrets, O6
//! credentials, O7 owners, O8 honest status, O9 rights, O11 requests, O12 no panic.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail, ensure};
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    canaries,
    fault::Write,
    lane::{Lane, Rest},
    snapshot::{Snapshot, State, difference, text},
};

/// Requests of one run at most: three looks (a list of each kind, the names that were not among them, the data of variables),
/// everything made and applied, and the status.
const MOST_REQUESTS: usize = 150;

/// How the same goes without a fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reference {
    /// Its writes, in their order.
    pub(crate) writes: Vec<Write>,
    pub(crate) state: State,
    pub(crate) created: BTreeMap<String, u32>,
    pub(crate) deleted: BTreeMap<String, u32>,
    pub(crate) runs: usize,
    pub(crate) requests: usize,
}

impl Reference {
    pub(crate) fn new(rest: &Rest, state: State) -> Self {
        Self {
            writes: rest.seen.writes.clone(),
            state,
            created: rest.seen.created.clone(),
            deleted: rest.seen.deleted.clone(),
            runs: rest.runs,
            requests: rest.seen.requests,
        }
    }
}

/// All oracles over one case that came to rest, against the same without a fault.
pub(crate) async fn check(lane: &mut Lane, rest: &Rest, reference: &Reference) -> Result<()> {
    check_with(lane, rest, reference, &reference.state, true).await
}

/// As `check`, against another end state.
pub(crate) async fn check_with(
    lane: &mut Lane,
    rest: &Rest,
    reference: &Reference,
    state: &State,
    across: bool,
) -> Result<()> {
    let now = lane.snapshot().await?;
    always(lane, rest, &now)?;
    counts(rest, reference)?;
    equals(&now, state, across)
}

/// O1: the end state is the expected one.
pub(crate) fn equals(now: &Snapshot, state: &State, across: bool) -> Result<()> {
    match difference(state, &now.state(across)) {
        None => Ok(()),
        Some(difference) => bail!("O1: the end state differs:\n{difference}"),
    }
}

/// O2: nothing is made or deleted more often than without a fault.
pub(crate) fn counts(rest: &Rest, reference: &Reference) -> Result<()> {
    for (what, found, most) in [
        ("created", &rest.seen.created, &reference.created),
        ("deleted", &rest.seen.deleted, &reference.deleted),
    ] {
        for (object, times) in found {
            let most = most.get(object).copied().unwrap_or_default();
            ensure!(
                *times <= most,
                "O2: {object} was {what} {times} times, {most} without a fault"
            );
        }
    }
    Ok(())
}

/// Everything that holds whatever was asked for.
pub(crate) fn always(lane: &mut Lane, rest: &Rest, now: &Snapshot) -> Result<()> {
    if let Some(breach) = rest.seen.breaches.first() {
        return Err(anyhow!(breach.clone()));
    }
    if let Some(harm) = canaries::harm(lane, now) {
        bail!("O4: {harm}");
    }
    kept(lane, rest, now)?;
    secrets(lane, now)?;
    owners(now)?;
    honest(now)?;
    ensure!(
        rest.seen.requests <= MOST_REQUESTS * rest.runs,
        "O11: {} requests in {} runs",
        rest.seen.requests,
        rest.runs
    );
    Ok(())
}

/// O2 and O6 for what is kept: made once, never another object, never other values.
fn kept(lane: &mut Lane, rest: &Rest, now: &Snapshot) -> Result<()> {
    let is_kept =
        |id: &str| id.starts_with("secrets/") || id.starts_with("persistentvolumeclaims/");
    for (object, times) in &rest.seen.created {
        ensure!(
            !is_kept(object) || *times <= 1,
            "O2: {object} was made {times} times"
        );
    }
    for (id, object) in now.children.iter().filter(|(id, _)| is_kept(id)) {
        let uid = text(object, "/metadata/uid");
        let first = lane.kept.entry(id.clone()).or_insert_with(|| uid.clone());
        ensure!(*first == uid, "O2: {id} is another object than before");
        if id.starts_with("secrets/") {
            let values = format!("{:x}", Sha256::digest(object["data"].to_string()));
            let first = lane
                .credentials
                .entry(id.clone())
                .or_insert_with(|| values.clone());
            ensure!(*first == values, "O6: the values of {id} have changed");
            drawn(lane, id, object)?;
        }
    }
    if now.owner.is_some() {
        let gone = lane.kept.keys().find(|id| !now.children.contains_key(*id));
        ensure!(gone.is_none(), "O2: {gone:?} is gone");
    }
    Ok(())
}

/// O6: what is stored was sent when the Secret was made, and not put there later.
fn drawn(lane: &Lane, id: &str, object: &Value) -> Result<()> {
    let secret: Secret = serde_json::from_value(object.clone())?;
    let known = lane.wire.passwords();
    for (key, value) in secret.data.into_iter().flatten() {
        let text = String::from_utf8_lossy(&value.0);
        let words = text.split(|c: char| !c.is_ascii_hexdigit());
        for word in words.filter(|word| word.len() == 64) {
            // A Redis ACL holds the digest of the password beside it.
            let is_digest = known
                .iter()
                .any(|password| format!("{:x}", Sha256::digest(password)) == word);
            ensure!(
                known.contains(word) || is_digest,
                "O6: {key} of {id} was not drawn by the creation of the Secret"
            );
        }
    }
    Ok(())
}

/// O5: no password is anywhere but in a Secret.
fn secrets(lane: &Lane, now: &Snapshot) -> Result<()> {
    let passwords = lane.wire.passwords();
    let others = now
        .children
        .iter()
        .filter(|(id, _)| !id.starts_with("secrets/"))
        .map(|(id, object)| (id.as_str(), object));
    let owner = now.owner.as_ref().map(|owner| ("the TpStack", owner));
    for (id, object) in others.chain(owner) {
        let text = object.to_string();
        let leak = passwords.iter().any(|password| text.contains(password));
        ensure!(!leak, "O5: a password stands in {id}");
    }
    Ok(())
}

/// O7: one controller, the stack by its UID; none on what is kept under `Retain`.
fn owners(now: &Snapshot) -> Result<()> {
    let Some(stack) = &now.owner else {
        return Ok(());
    };
    let uid = text(stack, "/metadata/uid");
    let retains = stack["spec"]["deletionPolicy"] == "Retain";
    for (id, object) in &now.children {
        let owners = object["metadata"]["ownerReferences"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let is_kept = id.starts_with("secrets/") || id.starts_with("persistentvolumeclaims/");
        if is_kept && retains {
            ensure!(owners.is_empty(), "O7: {id} is kept and has an owner");
            continue;
        }
        let ours = owners.len() == 1
            && owners
                .iter()
                .all(|owner| text(owner, "/uid") == uid && owner["controller"] == true);
        ensure!(ours, "O7: {id} has not the one owner it should: {owners:?}");
    }
    Ok(())
}

/// O8: what is told is told of the present generation.
fn honest(now: &Snapshot) -> Result<()> {
    let Some(stack) = &now.owner else {
        return Ok(());
    };
    let (told, real) = (
        &stack["status"]["observedGeneration"],
        &stack["metadata"]["generation"],
    );
    ensure!(
        told == real,
        "O8: the status is of generation {told}, and {real} is the present one"
    );
    Ok(())
}

/// Status and reason of a condition.
pub(crate) fn condition(now: &Snapshot, name: &str) -> (String, String, String) {
    let conditions = now
        .owner
        .as_ref()
        .and_then(|owner| owner["status"]["conditions"].as_array());
    let mut conditions = conditions.into_iter().flatten();
    let found = conditions.find(|condition| condition["type"] == name);
    let field = |key: &str| found.map_or_else(String::new, |found| text(found, &format!("/{key}")));
    (field("status"), field("reason"), field("message"))
}

impl Reference {
    /// The same for a volume that grows from this size, not from one.
    pub(crate) fn grown(&self, from: u32) -> Self {
        fn grow(value: &mut Value, to: &str) {
            match value {
                Value::String(text) if text == "2Gi" => to.clone_into(text),
                Value::Array(items) => items.iter_mut().for_each(|item| grow(item, to)),
                Value::Object(fields) => fields.values_mut().for_each(|field| grow(field, to)),
                _ => {}
            }
        }
        let mut grown = self.clone();
        let to = format!("{}Gi", from + 1);
        for object in grown.state.values_mut() {
            grow(object, &to);
        }
        grown
    }
}
