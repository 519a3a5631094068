//! Every endpoint: what it needs, how it is asked, what it may answer in which outage.

use super::Outage;

/// An operation of the API.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) method: &'static str,
    /// As the `OpenAPI` document says it.
    pub(super) path: &'static str,
    /// The status when all is well.
    pub(super) well: u16,
    needs: Needs,
}

/// What an endpoint cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// It answers whatever is away.
    Nothing,
    /// The database, once.
    FirstContact,
    /// A copy or the database.
    CopyOrDatabase,
    Database,
    Sessions,
}

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Well,
    Refusal,
    Either,
}

const fn endpoint(method: &'static str, path: &'static str, well: u16, needs: Needs) -> Endpoint {
    Endpoint {
        method,
        path,
        well,
        needs,
    }
}

pub(super) const ENDPOINTS: &[Endpoint] = &[
    endpoint("GET", "/", 200, Needs::Nothing),
    endpoint("GET", "/health", 200, Needs::Nothing),
    endpoint("GET", "/health/ready", 200, Needs::FirstContact),
    endpoint("GET", "/api/data", 200, Needs::CopyOrDatabase),
    endpoint("GET", "/api/items", 200, Needs::Database),
    endpoint("POST", "/api/items", 201, Needs::Database),
    endpoint("GET", "/api/items/{id}", 200, Needs::Database),
    endpoint("PUT", "/api/items/{id}", 200, Needs::Database),
    endpoint("DELETE", "/api/items/{id}", 204, Needs::Database),
    endpoint("POST", "/api/session", 201, Needs::Sessions),
    endpoint("GET", "/api/session", 200, Needs::Sessions),
    endpoint("DELETE", "/api/session", 204, Needs::Sessions),
    endpoint("GET", "/metrics", 200, Needs::Nothing),
    endpoint("GET", "/openapi.json", 200, Needs::Nothing),
    endpoint("GET", "/docs", 200, Needs::Nothing),
];

impl Endpoint {
    /// What may be answered during an outage. `copied` while what `/api/data` answers is in Redis.
    pub(super) fn allowed(&self, outage: Outage, copied: bool) -> Allowed {
        let without = |taken| match (taken, outage.is_total()) {
            (false, _) => Allowed::Well,
            (true, true) => Allowed::Refusal,
            (true, false) => Allowed::Either,
        };
        match self.needs {
            Needs::FirstContact if outage.manner == super::Manner::AtStart => {
                without(outage.takes_postgres())
            }
            Needs::Nothing | Needs::FirstContact => Allowed::Well,
            Needs::Database => without(outage.takes_postgres()),
            Needs::Sessions => without(outage.takes_redis()),
            Needs::CopyOrDatabase => match (outage.takes_postgres(), outage.takes_redis()) {
                (false, _) => Allowed::Well,
                (true, false) if copied => Allowed::Well,
                (true, false) => without(true),
                // The process's own copy lives until the loss of Redis is noticed.
                (true, true) => Allowed::Either,
            },
        }
    }

    /// Whether an answer may give or take a cookie.
    pub(super) fn may_set_cookie(&self) -> bool {
        self.needs == Needs::Sessions && self.method != "GET"
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
