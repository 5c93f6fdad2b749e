//! Why another role gave no answer, in the words that `degraded` carries.

use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};

use super::notes::Reason;

/// What went wrong with a call to another role.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Miss {
    /// No answer within the stage's share of the deadline.
    Late(Duration),
    /// Nothing listens there.
    Unreachable,
    /// It refused, in its own words.
    Refused(String),
    /// It answered from another generation.
    Generation(String),
    /// Its answer does not fit the question.
    Odd(String),
}

impl Miss {
    pub(crate) fn of(status: &Status, given: Duration) -> Self {
        match status.code() {
            Code::DeadlineExceeded | Code::Cancelled => Self::Late(given),
            Code::Unavailable => Self::Unreachable,
            Code::Ok
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => Self::Refused(status.message().to_owned()),
        }
    }
}

impl Miss {
    /// Its kind, for metrics.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Late(_) => Reason::Late,
            Self::Unreachable => Reason::Unreachable,
            Self::Refused(_) => Reason::Refused,
            Self::Generation(_) => Reason::OtherGeneration,
            Self::Odd(_) => Reason::OddAnswer,
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(given) => write!(f, "no answer within {} ms", given.as_millis()),
            Self::Unreachable => f.write_str("cannot be reached"),
            Self::Refused(message) => write!(f, "refused ({message})"),
            Self::Generation(other) => write!(f, "answered from generation {other}"),
            Self::Odd(what) => write!(f, "answered oddly ({what})"),
        }
    }
}
