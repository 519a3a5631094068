//! What can happen to one write, and which write it happens to.

use std::fmt;

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    /// The operator dies before it is sent.
    CrashBefore,
    /// It is committed, and the operator dies before it hears so.
    CrashAfter,
    /// The API server refuses it with this code; nothing is committed.
    Refused(u16),
    /// It is committed, and a gateway answers 504.
    GatewayTimeout,
    /// It is committed, and the connection is reset.
    Reset,
    /// It is not committed and never answered, until the call's deadline.
    Hang,
}

impl Fault {
    /// Every fault.
    pub(crate) const ALL: [Self; 11] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Refused(409),
        Self::Refused(429),
        Self::Refused(500),
        Self::Refused(503),
        Self::Refused(403),
        Self::Refused(422),
        Self::GatewayTimeout,
        Self::Reset,
        Self::Hang,
    ];

    /// The two crashes.
    pub(crate) const CRASHES: [Self; 2] = [Self::CrashBefore, Self::CrashAfter];

    /// Whether the operator dies of it.
    pub(crate) fn is_crash(self) -> bool {
        Self::CRASHES.contains(&self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CrashBefore => f.write_str("crash-before"),
            Self::CrashAfter => f.write_str("crash-after"),
            Self::Refused(code) => write!(f, "{code}"),
            Self::GatewayTimeout => f.write_str("504-after-commit"),
            Self::Reset => f.write_str("reset-after-commit"),
            Self::Hang => f.write_str("hang"),
        }
    }
}

/// One write of a run: what is written to, how, and the how-manieth time since the operator started. Children are
/// applied at once and in any order, so a running number would not name the same write twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Write {
    /// `post`, `patch` or `delete`.
    pub(crate) verb: String,
    /// Plural and name, with `*` for the name of the stack.
    pub(crate) object: String,
    /// From 1.
    pub(crate) nth: u32,
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, object, nth } = self;
        write!(f, "{verb}:{object}:{nth}")
    }
}

/// A fault at a write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Planned {
    pub(crate) write: Write,
    pub(crate) fault: Fault,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.write, self.fault)
    }
}
