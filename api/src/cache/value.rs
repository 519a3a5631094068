//! A cached value, and its answer in the form in which it is sent: made once, however often it is sent.

use axum::body::Bytes;
use std::sync::OnceLock;

/// Text, and what a route made of it.
#[derive(Debug)]
pub struct Value {
    text: String,
    answer: OnceLock<Bytes>,
}

impl Value {
    pub(super) fn new(text: String) -> Self {
        Self {
            text,
            answer: OnceLock::new(),
        }
    }

    /// What was put into the cache.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What `make` made of it the first time. A key belongs to one route, so there is one `make` for each value.
    pub fn answer(&self, make: impl FnOnce(&str) -> Bytes) -> Bytes {
        self.answer.get_or_init(|| make(&self.text)).clone()
    }
}
