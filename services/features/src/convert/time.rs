//! Timestamps as the domain's milliseconds.

use feature_store::Millis;
use kit::{Clock, Violations, timestamp};
use prost_types::Timestamp;

/// A time from 1970 to 9999, or what is wrong with it.
pub(crate) fn decode(timestamp: &Timestamp) -> Result<Millis, String> {
    timestamp::decode(timestamp).map(Millis)
}

pub(crate) fn encode(at: Millis) -> Timestamp {
    timestamp::encode(at.0)
}

/// The time that a request names, or the clock's.
pub(crate) fn given_or_now(
    violations: &mut Violations,
    field: &str,
    given: Option<&Timestamp>,
    clock: &Clock,
) -> Millis {
    Millis(timestamp::given_or_now(violations, field, given, clock))
}
