//! The few kinds of failure that a service answers with, and the one table to gRPC codes.

use tonic::Status;

use crate::status::bad_request;

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
    /// Something that the server needs cannot be reached now. Try again.
    #[error("{0}")]
    Unavailable(String),
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
            Problem::Unavailable(message) => Self::unavailable(message),
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
    use tonic::Code;

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
            (Problem::Deadline(said()), Code::DeadlineExceeded),
            (Problem::Internal(said()), Code::Internal),
        ];
        for (problem, code) in table {
            let status = Status::from(problem.clone());
            assert_eq!(status.code(), code, "{problem:?}");
            assert!(status.message().contains("what happened"), "{problem:?}");
        }
    }
}
