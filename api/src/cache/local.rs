//! The first level: copies in this process of what Redis has, each good while Redis vouches for it.
//!
//! A key has one place, and shares it with few others or none: a copy is found without a lock and without searching, and
//! their number is bounded. One that is no longer good is not looked for and removed; it is not given out.

use super::Value;
use crate::redis::{Stamp, Tracking};
use arc_swap::ArcSwapOption;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A copy does not live longer, whatever Redis says is left.
const LONGEST_LIFE: Duration = Duration::from_mins(1);

pub(super) struct Local {
    tracking: Arc<Tracking>,
    places: Box<[ArcSwapOption<Copy>]>,
}

struct Copy {
    key: String,
    value: Arc<Value>,
    stamp: Stamp,
    until: Instant,
}

/// The right to keep a copy of what is read from now on.
#[derive(Clone, Copy)]
pub(super) struct Intent {
    stamp: Stamp,
    asked: Instant,
}

impl Local {
    pub(super) fn new(tracking: Arc<Tracking>) -> Self {
        let places = (0..tracking.places())
            .map(|_| ArcSwapOption::empty())
            .collect();
        Self { tracking, places }
    }

    /// The copy, if it is good at this moment.
    pub(super) fn get(&self, key: &str, now: Instant) -> Option<Arc<Value>> {
        let copy = self.places.get(self.tracking.place(key.as_bytes()))?.load();
        let copy = copy.as_ref()?;
        let good = copy.key == key && now < copy.until && self.tracking.is_good(copy.stamp, now);
        good.then(|| Arc::clone(&copy.value))
    }

    /// To be had before Redis is asked. `None` while it tells of no changes.
    pub(super) fn intend(&self, key: &str) -> Option<Intent> {
        let asked = Instant::now();
        let stamp = self.tracking.stamp(self.tracking.place(key.as_bytes()))?;
        Some(Intent { stamp, asked })
    }

    /// Keeps what Redis answered. `left` is what it said is left of the value's life, counted from the question since
    /// nobody knows when in between it was answered; `None`: for ever. If the value changed meanwhile, the stamp is not
    /// good any more, and neither is the copy.
    pub(super) fn keep(
        &self,
        intent: Intent,
        key: &str,
        value: Arc<Value>,
        left: Option<Duration>,
    ) {
        let Some(place) = self.places.get(self.tracking.place(key.as_bytes())) else {
            return;
        };
        place.store(Some(Arc::new(Copy {
            key: key.to_owned(),
            value,
            stamp: intent.stamp,
            until: intent.asked + left.unwrap_or(LONGEST_LIFE).min(LONGEST_LIFE),
        })));
    }
}
