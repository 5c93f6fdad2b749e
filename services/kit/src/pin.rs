//! Asking for one generation, and being told that it is not held.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// `reason` of the `google.rpc.ErrorInfo` that a refusal carries.
pub const REASON: &str = "GENERATION_NOT_HELD";
const DOMAIN: &str = "cartwright.v1";
const ASKED: &str = "asked";
const HELD: &str = "held";

/// The generation that a request pins is not held here; these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotHeld {
    /// The generation asked for.
    pub asked: String,
    /// Ids of those held, the live one first.
    pub held: Vec<String>,
}

impl NotHeld {
    /// Reads a refusal of another server; `None` when the status is about something else.
    #[must_use]
    pub fn of(status: &Status) -> Option<Self> {
        if status.code() != Code::FailedPrecondition {
            return None;
        }
        let info = status.get_details_error_info()?;
        if info.reason != REASON || info.domain != DOMAIN {
            return None;
        }
        let held = info.metadata.get(HELD)?.split(',');
        Some(Self {
            asked: info.metadata.get(ASKED).cloned().unwrap_or_default(),
            held: held
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl fmt::Display for NotHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held.join(", ");
        write!(f, "generation {:?} is not held; held: {held}", self.asked)
    }
}

impl From<NotHeld> for Status {
    fn from(refused: NotHeld) -> Self {
        let message = refused.to_string();
        let metadata = [
            (ASKED.to_owned(), refused.asked),
            (HELD.to_owned(), refused.held.join(",")),
        ];
        let details = ErrorDetails::with_error_info(REASON, DOMAIN, metadata);
        Self::with_error_details(Code::FailedPrecondition, message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_survives_the_wire() {
        let refused = NotHeld {
            asked: "c".to_owned(),
            held: vec!["a".to_owned(), "b".to_owned()],
        };
        let status = Status::from(refused.clone());
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains("held: a, b"), "{status:?}");
        assert_eq!(NotHeld::of(&status), Some(refused));
    }

    #[test]
    fn another_refusal_is_not_taken_for_one() {
        assert_eq!(NotHeld::of(&Status::failed_precondition("no store")), None);
        assert_eq!(NotHeld::of(&Status::not_found("c")), None);
    }
}
