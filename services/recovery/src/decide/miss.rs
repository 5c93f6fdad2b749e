//! Why another role gave no answer, in the words that `degraded` carries.

use std::fmt;
use std::time::Duration;

use kit::NotHeld;
use kit::breaker::Trouble;
use tonic::{Code, Status};

use super::notes::Reason;

/// What went wrong with a call to another role.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Miss {
    /// Not asked: it has not answered for so long.
    Open(Duration),
    /// Not asked: so much time was left, and such a call takes so much.
    Unaffordable { left: Duration, takes: Duration },
    /// No answer within the stage's share of the deadline.
    Late(Duration),
    /// Nothing listens there, or what it needs is gone.
    Unreachable(String),
    /// It has more to do than it can.
    Overloaded,
    /// It refused, in its own words.
    Refused(String),
    /// It does not hold the generation asked for, but these.
    NotHeld(NotHeld),
    /// It answered from another generation.
    Generation(String),
    /// Its answer does not fit the question.
    Odd(String),
}

impl Miss {
    /// Its kind, for metrics.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Open(_) => Reason::Open,
            Self::Unaffordable { .. } => Reason::Unaffordable,
            Self::Late(_) => Reason::Late,
            Self::Unreachable(_) => Reason::Unreachable,
            Self::Overloaded => Reason::Overloaded,
            Self::Refused(_) => Reason::Refused,
            Self::NotHeld(_) | Self::Generation(_) => Reason::OtherGeneration,
            Self::Odd(_) => Reason::OddAnswer,
        }
    }

    /// The generations that the other role holds, when it does not hold the one asked for.
    pub(crate) fn held(&self) -> Option<&[String]> {
        if let Self::NotHeld(refused) = self {
            Some(&refused.held)
        } else {
            None
        }
    }

    fn of(status: &Status) -> Self {
        if let Some(refused) = NotHeld::of(status) {
            return Self::NotHeld(refused);
        }
        match status.code() {
            Code::Unavailable => Self::Unreachable(status.message().to_owned()),
            Code::ResourceExhausted => Self::Overloaded,
            Code::Ok
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
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

impl From<Trouble> for Miss {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Open(away) => Self::Open(away),
            Trouble::Unaffordable { left, takes } => Self::Unaffordable { left, takes },
            Trouble::Late(given) => Self::Late(given),
            Trouble::Answered(status) => Self::of(&status),
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(away) => write!(f, "breaker open since {:.1} s", away.as_secs_f64()),
            Self::Unaffordable { left, takes } => {
                let (left, takes) = (left.as_micros(), takes.as_micros());
                write!(f, "not asked, {left} µs were left and it takes {takes} µs")
            }
            Self::Late(given) => write!(f, "no answer within {} ms", given.as_millis()),
            Self::Unreachable(said) => write!(f, "cannot be reached ({said})"),
            Self::Overloaded => f.write_str("overloaded"),
            Self::Refused(message) => write!(f, "refused ({message})"),
            Self::NotHeld(refused) => write!(f, "{refused}"),
            Self::Generation(other) => write!(f, "answered from generation {other}"),
            Self::Odd(what) => write!(f, "answered oddly ({what})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_and_death_are_told_apart() {
        let miss = |status| Miss::from(Trouble::Answered(status));
        let overloaded = miss(Status::resource_exhausted("overloaded: 16 calls"));
        assert_eq!(
            (overloaded.reason(), overloaded.to_string()),
            (Reason::Overloaded, "overloaded".to_owned())
        );
        let dead = miss(Status::unavailable("the redis store is unavailable"));
        assert_eq!(dead.reason(), Reason::Unreachable);
        assert!(dead.to_string().contains("the redis store"), "{dead}");
        let open = Miss::from(Trouble::Open(Duration::from_millis(3_210)));
        assert_eq!(open.to_string(), "breaker open since 3.2 s");
    }
}
