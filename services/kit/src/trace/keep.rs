//! Which requests are kept: a fixed share of all, and every one that went wrong.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tonic::Code;

use super::context::TraceId;

/// Requests that are kept each second because they went wrong; beyond that a trouble tells the same
/// story again and again, at a time when nobody has cycles to spare.
const A_SECOND: f64 = 200.0;
const AT_ONCE: f64 = 1_000.0;

/// Why a request was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// By the share, or because the caller said so.
    Sampled,
    /// Answered with a fault of ours, or given up on.
    Failed,
    /// Answered from a fallback.
    Degraded,
    /// Took longer than the threshold.
    Slow,
    /// The caller kept its part after all.
    Asked,
}

impl Why {
    pub(super) const ALL: [Self; 5] = [
        Self::Sampled,
        Self::Failed,
        Self::Degraded,
        Self::Slow,
        Self::Asked,
    ];
    /// In the order of their numbers.
    pub(super) const NAMES: [&str; 5] = ["sampled", "failed", "degraded", "slow", "asked"];

    pub(super) fn as_str(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or_default()
    }
}

/// The share of traces that are recorded from their beginning. The same trace id gets the same
/// answer everywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Compared with the low 63 bits of the trace id, which are random.
    below: u64,
}

impl Share {
    pub(super) fn new(ratio: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a float becomes the nearest integer in range"
        )]
        let below = (ratio.clamp(0.0, 1.0) * (1u64 << 63) as f64) as u64;
        Self { below }
    }

    pub(super) fn holds(self, id: TraceId) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
        let low = id.get() as u64 >> 1;
        low < self.below
    }
}

/// Whether a code says that the server failed, or that its caller waited in vain. What a caller did
/// wrong, and what was refused for want of room, is no failure of the request's own.
pub(super) fn is_failure(code: Code) -> bool {
    match code {
        Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => false,
    }
}

/// A bounded number of requests a second, saved up while few come.
#[derive(Debug)]
pub(super) struct Allowance {
    left: Mutex<(f64, Instant)>,
}

impl Allowance {
    pub(super) fn new() -> Self {
        Self {
            left: Mutex::new((AT_ONCE, Instant::now())),
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let Ok(mut left) = self.left.lock() else {
            return false;
        };
        let (had, since) = *left;
        let passed: Duration = now.saturating_duration_since(since);
        let have = (had + passed.as_secs_f64() * A_SECOND).min(AT_ONCE);
        let taken = have >= 1.0;
        *left = (if taken { have - 1.0 } else { have }, since.max(now));
        taken
    }
}

/// What became of requests and spans, for metrics.
#[derive(Debug, Default)]
pub(super) struct Counts {
    kept: [AtomicU64; Why::ALL.len()],
    pub(super) exported: AtomicU64,
    pub(super) dropped: [AtomicU64; Lost::ALL.len()],
}

/// Why a kept span did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// More went wrong than is kept each second.
    Limit,
    /// The queue was full: the receiver is slow or gone.
    Queue,
    /// The receiver did not take them.
    Receiver,
    /// One request had more than are recorded.
    Length,
}

impl Lost {
    pub(super) const ALL: [Self; 4] = [Self::Limit, Self::Queue, Self::Receiver, Self::Length];
    /// In the order of their numbers.
    pub(super) const NAMES: [&str; 4] = ["limit", "queue", "receiver", "length"];

    pub(super) fn as_str(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or_default()
    }
}

impl Counts {
    pub(super) fn keep(&self, why: Why) {
        if let Some(count) = self.kept.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn kept(&self, why: Why) -> u64 {
        let count = self.kept.get(why as usize);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(super) fn lose(&self, why: Lost, spans: usize) {
        if let Some(count) = self.dropped.get(why as usize) {
            let spans = u64::try_from(spans).unwrap_or(u64::MAX);
            count.fetch_add(spans, Ordering::Relaxed);
        }
    }

    pub(super) fn lost(&self, why: Lost) -> u64 {
        let count = self.dropped.get(why as usize);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_share_of_random_traces_is_the_ratio() {
        let share = Share::new(0.01);
        let kept = (0..200_000)
            .filter(|_| share.holds(TraceId::random()))
            .count();
        assert!((1_700..2_300).contains(&kept), "{kept} of 200,000 at 1 %");
    }

    proptest! {
        #[test]
        fn a_trace_kept_at_a_ratio_is_kept_at_every_higher_one(a in 0.0..=1.0f64, b in 0.0..=1.0f64) {
            let id = TraceId::random();
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(!Share::new(low).holds(id) || Share::new(high).holds(id));
            prop_assert!(Share::new(1.0).holds(id) && !Share::new(0.0).holds(id));
        }
    }

    #[test]
    fn an_allowance_bounds_a_flood_and_fills_up_again() {
        let allowance = Allowance::new();
        let start = Instant::now();
        let at_once = (0..5_000).filter(|_| allowance.take(start)).count();
        assert!((1_000..=1_001).contains(&at_once), "{at_once}");
        let later = start + Duration::from_secs(2);
        let then = (0..5_000).filter(|_| allowance.take(later)).count();
        assert!((399..=401).contains(&then), "{then}");
    }

    #[test]
    fn what_a_caller_did_wrong_keeps_nothing() {
        assert!(!is_failure(Code::InvalidArgument) && !is_failure(Code::ResourceExhausted));
        assert!(is_failure(Code::Internal) && is_failure(Code::DeadlineExceeded));
    }
}
