//! The few kinds of failure that a service answers with, and the one table to gRPC codes.

use std::time::Duration;

use tonic::{Code, Status};

use crate::admission::hinted;
use crate::pin::NotHeld;
use crate::status::bad_request;

/// When to try again what cannot be done now: a breaker lets a probe through about that soon.
const RETRY: Duration = Duration::from_millis(250);

/// Why a request was not answered. Each role maps its own errors to one of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The request breaks the contract, as (field, description). Sending it again cannot help.
    #[error("invalid request")]
    Invalid(Vec<(String, String)>),
    /// What was asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The same name was used for something else before.
    #[error("{0}")]
    Conflict(String),
    /// The server is in a state in which it cannot do this, whoever asks.
    #[error("{0}")]
    Precondition(String),
    /// The generation that the request pins is not held; the detail says which are.
    #[error("{0}")]
    NotHeld(NotHeld),
    /// Something that the server needs cannot be reached now. Try again.
    #[error("{0}")]
    Unavailable(String),
    /// Something that the server needs has more to do than it can. Try again, a little later.
    #[error("{0}")]
    Overloaded(String),
    /// The caller's time ran out.
    #[error("{0}")]
    Deadline(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Invalid(violations) => bad_request(violations),
            Problem::NotFound(message) => Self::not_found(message),
            Problem::Conflict(message) => Self::already_exists(message),
            Problem::Precondition(message) => Self::failed_precondition(message),
            Problem::NotHeld(refused) => refused.into(),
            Problem::Unavailable(message) => hinted(Code::Unavailable, message, RETRY),
            Problem::Overloaded(message) => hinted(Code::ResourceExhausted, message, RETRY),
            Problem::Deadline(message) => Self::deadline_exceeded(message),
            Problem::Internal(message) => {
                tracing::error!(message, "failed to answer a request");
                Self::internal(message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn each_kind_has_its_own_code() {
        let said = || "what happened".to_owned();
        let table = [
            (
                Problem::Invalid(vec![("k".into(), said())]),
                Code::InvalidArgument,
            ),
            (Problem::NotFound(said()), Code::NotFound),
            (Problem::Conflict(said()), Code::AlreadyExists),
            (Problem::Precondition(said()), Code::FailedPrecondition),
            (Problem::Unavailable(said()), Code::Unavailable),
            (Problem::Overloaded(said()), Code::ResourceExhausted),
            (Problem::Deadline(said()), Code::DeadlineExceeded),
            (Problem::Internal(said()), Code::Internal),
        ];
        for (problem, code) in table {
            let status = Status::from(problem.clone());
            assert_eq!(status.code(), code, "{problem:?}");
            assert!(status.message().contains("what happened"), "{problem:?}");
        }
    }

    #[test]
    fn what_passes_by_itself_says_when_to_try_again() {
        for problem in [Problem::Unavailable, Problem::Overloaded] {
            let status = Status::from(problem("what happened".to_owned()));
            let hint = status.get_details_retry_info().unwrap();
            assert_eq!(hint.retry_delay, Some(RETRY));
        }
        let status = Status::from(Problem::Deadline("what happened".to_owned()));
        assert!(status.get_details_retry_info().is_none());
    }
}
