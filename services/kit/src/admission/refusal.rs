//! RESOURCE_EXHAUSTED with a hint when to try again.

use std::time::Duration;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The header of gRPC's retry design (A6) by which a server says how long to wait, in ms.
pub const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Why a call was refused: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// What is left of its deadline is less than such a call takes now.
    Deadline,
    /// No place, and the queue is full.
    Full,
    /// No place became free in the time that it could wait.
    Waited,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Deadline, Self::Full, Self::Waited];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Full => "full",
            Self::Waited => "waited",
        }
    }
}

/// A call that does not get in.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    /// What the call needs and has, or how many are before it.
    pub(super) why: String,
    pub(super) retry: Duration,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let ms = refusal.retry.as_millis();
        tracing::debug!(
            reason = refusal.reason.as_str(),
            why = refusal.why,
            "refused"
        );
        let message = format!("overloaded: {}; try again in {ms} ms", refusal.why);
        hinted(Code::ResourceExhausted, message, refusal.retry)
    }
}

/// A status that says when to try again: `google.rpc.RetryInfo` in its details, and the pushback
/// header of gRPC's retries.
#[must_use]
pub fn hinted(code: Code, message: impl Into<String>, retry: Duration) -> Status {
    let mut metadata = MetadataMap::new();
    let ms = u64::try_from(retry.as_millis()).unwrap_or(u64::MAX);
    metadata.insert(PUSHBACK, MetadataValue::from(ms));
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(retry));
    Status::with_error_details_and_metadata(code, message, details, metadata)
}

/// How long to stay away: longer the longer the overload lasts, and never the same twice, so that
/// those who were refused together do not come back together.
pub(super) fn stay_away(overloaded_for: Duration, number: u64) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(2);
    let middle = (SHORTEST + overloaded_for / 4).min(LONGEST);
    middle.mul_f64(0.5 + unit(number))
}

/// Evenly spread over 0 to 1, by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
pub(crate) fn unit(number: u64) -> f64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let top = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX);
    f64::from(top) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_when_to_come_back_in_both_ways() {
        let status = Status::from(Refusal {
            reason: Reason::Full,
            why: "64 calls are under way and 512 wait".to_owned(),
            retry: Duration::from_millis(150),
        });
        assert_eq!(status.code(), Code::ResourceExhausted);
        let info = status.get_details_retry_info().unwrap();
        assert_eq!(info.retry_delay, Some(Duration::from_millis(150)));
        assert_eq!(status.metadata().get(PUSHBACK).unwrap(), "150");
        assert_eq!(
            status.message(),
            "overloaded: 64 calls are under way and 512 wait; try again in 150 ms"
        );
    }

    #[test]
    fn those_refused_together_do_not_come_back_together() {
        let times: Vec<_> = (0..1_000)
            .map(|number| stay_away(Duration::ZERO, number).as_millis())
            .collect();
        assert!(times.iter().all(|ms| (50..=150).contains(ms)), "{times:?}");
        let early = times.iter().filter(|ms| **ms < 100).count();
        assert!(
            (400..600).contains(&early),
            "{early} of 1000 in the first half"
        );
        let longest = stay_away(Duration::from_secs(3_600), 7);
        assert!(longest >= Duration::from_secs(1) && longest <= Duration::from_secs(3));
    }
}
