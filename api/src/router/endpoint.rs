//! The one list of endpoints. Metrics take their `endpoint` label from it, so it bounds how many series there can be;
//! a path that is not in it is answered 404 before any handler is looked for.

use matchit::Router as Matcher;
use std::sync::LazyLock;

/// Declares the endpoints: a variant and a path each, in the order in which metrics show them.
macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $path:literal,)+) => {
        /// What a request is counted as.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Endpoint {
            $($(#[$doc])* $name,)+
            /// Any other path: they share one label, so that strangers cannot make series.
            Unmatched,
        }

        impl Endpoint {
            /// All of them; the position of each is its number.
            pub const ALL: [Self; 1 + [$($path),+].len()] = [$(Self::$name,)+ Self::Unmatched];

            /// The path as the router wants it, and as the label.
            pub const fn path(self) -> &'static str {
                match self {
                    $(Self::$name => $path,)+
                    Self::Unmatched => "unmatched",
                }
            }
        }
    };
}

endpoints! {
    /// The landing page.
    Landing = "/",
    /// Liveness.
    Health = "/health",
    /// Readiness.
    Readiness = "/health/ready",
    /// The course's data.
    Data = "/api/data",
    /// The visitor's session.
    Session = "/api/session",
    /// All items.
    Items = "/api/items",
    /// One item.
    Item = "/api/items/{id}",
    /// The scrape.
    Metrics = "/metrics",
    /// The description of all this.
    OpenApi = "/openapi.json",
    /// The same for people.
    Docs = "/docs",
}

impl Endpoint {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The endpoint a request's path belongs to.
    pub fn of(path: &str) -> Self {
        static MATCHER: LazyLock<Matcher<Endpoint>> = LazyLock::new(|| {
            let mut matcher = Matcher::new();
            for endpoint in Endpoint::ALL {
                if endpoint != Endpoint::Unmatched {
                    matcher
                        .insert(endpoint.path(), endpoint)
                        .expect("the paths are constants that do not contradict each other");
                }
            }
            matcher
        });
        MATCHER
            .at(path)
            .map_or(Self::Unmatched, |matched| *matched.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_its_own_endpoint_and_no_other_is_one() {
        for (number, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint as usize, number);
            // A parameter's place is taken by any segment, its own name too.
            assert_eq!(Endpoint::of(endpoint.path()), endpoint);
        }
        for path in ["", "*", "//", "/health/", "/Health", "/api", "/metrics/x"] {
            assert_eq!(Endpoint::of(path), Endpoint::Unmatched, "{path}");
        }
    }
}
