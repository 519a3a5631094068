//! What is asked of the peers, how often and how fast: the same of each.

use crate::peers::Peer;

/// A kind of request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scenario {
    /// `/health`, which asks nobody.
    Health,
    /// `/api/data` while the answer is cached.
    Cached,
    /// `/api/data` when it is not: the driver deletes the key before each request.
    Miss,
    /// `/metrics`, after the traffic of the others.
    Metrics,
}

/// Connections of the closed and the open loop. Misses come one at a time: several at once on one key would be one miss
/// and some waiting.
pub(crate) const CONNECTIONS: usize = 16;

impl Scenario {
    /// In the order in which each server meets them.
    pub(crate) const ALL: [Self; 4] = [Self::Health, Self::Cached, Self::Miss, Self::Metrics];

    /// The floor has one answer only, which is compared with the two that ask nobody else.
    pub(crate) fn is_for(self, peer: Peer) -> bool {
        peer != Peer::Floor || matches!(self, Self::Health | Self::Cached)
    }

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::Cached => "/api/data, cached",
            Self::Miss => "/api/data, missed",
            Self::Metrics => "/metrics",
        }
    }

    /// The path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::Cached | Self::Miss => "/api/data",
            Self::Metrics => "/metrics",
        }
    }

    /// What the body has to hold.
    pub(crate) fn expected(self, peer: Peer) -> &'static str {
        match self {
            _ if peer == Peer::Floor => r#"{"status":"healthy"}"#,
            Self::Health => r#"{"status":"healthy"}"#,
            Self::Cached => r#""source":"cache""#,
            Self::Miss => r#""source":"database""#,
            Self::Metrics => "app_requests_total{",
        }
    }

    /// How many requests warm the peer up: enough for a compiler at run time to have done its work.
    pub(crate) fn warm_up(self, peer: Peer) -> u32 {
        self.requests(peer) / 10
    }

    /// How many requests the CPU time is taken over: one to three seconds' worth, or what happens now and then would be
    /// too large a part of it.
    pub(crate) fn requests(self, peer: Peer) -> u32 {
        match (self, peer) {
            (Self::Health | Self::Cached, Peer::Express) => 30_000,
            (Self::Health | Self::Cached, Peer::Floor | Peer::Ours) => 300_000,
            (Self::Miss, _) | (Self::Metrics, Peer::Express) => 4_000,
            (Self::Metrics, Peer::Floor | Peer::Ours) => 100_000,
        }
    }

    /// Requests a second of the open loop: what the slowest peer bears with ease.
    pub(crate) fn rate(self) -> u32 {
        match self {
            Self::Health | Self::Cached => 2_000,
            Self::Miss | Self::Metrics => 200,
        }
    }
}
