//! gRPC statuses as errors of a run.

use std::borrow::Cow;

use tonic::{Code, Status};

use crate::measured::Failure;

/// tonic's client reports its own timeout so, under the code CANCELLED.
const CLIENT_TIMEOUT: &str = "Timeout expired";

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let ours = status.code() == Code::Cancelled && status.message() == CLIENT_TIMEOUT;
        let code = if ours {
            Code::DeadlineExceeded
        } else {
            status.code()
        };
        Self {
            code: Cow::Borrowed(name(code)),
            detail: status.message().to_owned(),
            refused: code != Code::DeadlineExceeded,
        }
    }
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_timeout_counts_as_a_deadline_and_keeps_its_latency() {
        let failure = Failure::from(&Status::cancelled("Timeout expired"));
        assert_eq!(failure.code, "DEADLINE_EXCEEDED");
        assert!(!failure.refused);
    }

    #[test]
    fn a_refusal_keeps_its_code_and_its_words() {
        let failure = Failure::from(&Status::resource_exhausted("later"));
        assert_eq!(
            (failure.code.as_ref(), failure.detail.as_str()),
            ("RESOURCE_EXHAUSTED", "later")
        );
        assert!(failure.refused);
    }
}
