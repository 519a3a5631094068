//! The values labels may take. Each label is an enum or comes from a fixed list, whatever clients send.

use axum::http::{Method as HttpMethod, StatusCode};

/// Declares an enum whose variants are a label's values.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them; the position of each is its number.
            pub const ALL: [Self; [$($value),+].len()] = [$(Self::$variant,)+];

            /// The label's value.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)+
                }
            }
        }
    };
}

label! {
    /// How a cache lookup ended.
    CacheResult {
        /// The value was there.
        Hit = "hit",
        /// It was not.
        Miss = "miss",
        /// The cache could not say, which counts as a miss.
        Error = "error",
    }
}

label! {
    /// Which copy a lookup was decided by.
    CacheLevel {
        /// The one in this process.
        Memory = "memory",
        /// The one in Redis.
        Redis = "redis",
    }
}

label! {
    /// What a circuit breaker does. Its number is its value in `app_breaker_state`.
    BreakerState {
        /// Calls pass.
        Closed = "closed",
        /// One call a second passes, to see.
        HalfOpen = "half-open",
        /// Calls fail at once.
        Open = "open",
    }
}

label! {
    /// Why the server ended a connection that its client kept open.
    CutReason {
        /// The head of a request did not come in time.
        Head = "head",
        /// The client did not read what it was sent.
        Write = "write",
        /// A request did not end in time.
        Request = "request",
        /// The server stops, and its last moment came.
        Drain = "drain",
    }
}

label! {
    /// A request's method. A client may invent methods; they share one value.
    Method {
        /// GET
        Get = "GET",
        /// HEAD
        Head = "HEAD",
        /// POST
        Post = "POST",
        /// PUT
        Put = "PUT",
        /// PATCH
        Patch = "PATCH",
        /// DELETE
        Delete = "DELETE",
        /// OPTIONS
        Options = "OPTIONS",
        /// Anything else.
        Other = "other",
    }
}

impl From<&HttpMethod> for Method {
    fn from(method: &HttpMethod) -> Self {
        match *method {
            HttpMethod::GET => Self::Get,
            HttpMethod::HEAD => Self::Head,
            HttpMethod::POST => Self::Post,
            HttpMethod::PUT => Self::Put,
            HttpMethod::PATCH => Self::Patch,
            HttpMethod::DELETE => Self::Delete,
            HttpMethod::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }
}

/// How a request ended, as one of a fixed list: the codes this API answers, classes for what it does not, and
/// `cancelled` for a client that went away first, so that nobody saw a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(u8);

/// Declares the codes that have a label of their own.
macro_rules! outcomes {
    ($($code:literal = $label:literal,)+) => {
        const CODES: &[u16] = &[$($code),+];
        const LABELS: [&str; 6 + CODES.len()] = ["cancelled", "1xx", "2xx", "3xx", "4xx", "5xx", $($label),+];
    };
}

outcomes! {
    200 = "200", 201 = "201", 204 = "204", 303 = "303", 304 = "304",
    400 = "400", 401 = "401", 403 = "403", 404 = "404", 405 = "405", 406 = "406", 408 = "408", 409 = "409",
    412 = "412", 413 = "413", 414 = "414", 415 = "415", 422 = "422", 428 = "428", 429 = "429", 431 = "431",
    500 = "500", 503 = "503", 504 = "504",
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = LABELS.len();
    /// Nobody saw an answer.
    pub const CANCELLED: Self = Self(0);

    /// Its place among all outcomes.
    pub const fn number(self) -> usize {
        self.0 as usize
    }

    /// The label's value of the outcome with this number.
    pub fn label(number: usize) -> &'static str {
        LABELS.get(number).copied().unwrap_or("other")
    }
}

impl From<StatusCode> for Outcome {
    fn from(status: StatusCode) -> Self {
        let code = status.as_u16();
        // Short, sorted and in one cache line: cheaper than any table.
        let number = match CODES.iter().position(|known| *known == code) {
            Some(position) => 6 + position,
            None => usize::from(code / 100).clamp(1, 5),
        };
        Self(u8::try_from(number).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_its_own_label_or_that_of_its_class() {
        for (code, label) in [
            (200, "200"),
            (504, "504"),
            (100, "1xx"),
            (299, "2xx"),
            (418, "4xx"),
            (599, "5xx"),
            (999, "5xx"),
        ] {
            let outcome = Outcome::from(StatusCode::from_u16(code).unwrap());
            assert_eq!(Outcome::label(outcome.number()), label, "{code}");
        }
        assert_eq!(Outcome::label(Outcome::CANCELLED.number()), "cancelled");
    }

    #[test]
    fn codes_and_their_labels_are_the_same() {
        for (code, label) in CODES.iter().zip(LABELS.iter().skip(6)) {
            assert_eq!(code.to_string(), *label);
        }
    }

    #[test]
    fn an_invented_method_makes_no_series_of_its_own() {
        assert_eq!(Method::from(&HttpMethod::GET).label(), "GET");
        let invented = HttpMethod::from_bytes(b"BREW").unwrap();
        assert_eq!(Method::from(&invented).label(), "other");
        assert_eq!(Method::from(&HttpMethod::TRACE).label(), "other");
    }
}
