//! How the load went through a fault.

use std::time::Duration;

use super::Done;
use crate::measured::{Measured, Slice};

/// What became of the requests around a fault. Times are from the end of the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    /// Requests that got no answer inside their deadline, or a refusal.
    pub(crate) unanswered: u64,
    pub(crate) degraded: u64,
    /// From the fault's end to the first of two slices in a row that are as good as those before
    /// it; nothing when none was.
    pub(crate) recovered_after: Option<Duration>,
    pub(crate) failed: Option<String>,
}

/// What slices before the fault show of a healthy server.
#[derive(Clone, Copy, Debug)]
struct Healthy {
    p99_ms: f64,
    degraded: f64,
}

/// A slice is healthy again below this many times the highest p99 before the fault.
const AS_FAST: f64 = 2.0;
/// And when no more than this share of its requests is degraded beyond the share before.
const AS_WHOLE: f64 = 0.01;

impl Verdict {
    pub(crate) fn of(done: Done, measured: &Measured, warmup: Duration) -> Self {
        let began = done.began.saturating_sub(warmup);
        let ended = done.ended.saturating_sub(warmup);
        let from_fault = slices(measured).filter(|(at, _)| *at + measured.slice_length() > began);
        Self {
            began,
            ended,
            unanswered: measured.unanswered(),
            degraded: from_fault.map(|(_, slice)| slice.degraded).sum(),
            recovered_after: recovered(measured, began, ended),
            failed: done.failed,
        }
    }
}

fn slices(measured: &Measured) -> impl Iterator<Item = (Duration, &Slice)> {
    let length = measured.slice_length();
    (0..)
        .zip(measured.slices())
        .map(move |(n, slice)| (length * n, slice))
}

fn recovered(measured: &Measured, began: Duration, ended: Duration) -> Option<Duration> {
    let before = slices(measured).filter(|(at, _)| *at + measured.slice_length() <= began);
    let healthy = Healthy::of(before.map(|(_, slice)| slice))?;
    // The slice in which the fault ended belongs to the fault, as far as it went.
    let after = slices(measured).filter(|(at, _)| *at + measured.slice_length() > ended);
    let mut good_since = None;
    for (at, slice) in after {
        match (healthy.again(slice), good_since) {
            (true, Some(since)) => return Some(Duration::saturating_sub(since, ended)),
            (true, None) => good_since = Some(at),
            (false, _) => good_since = None,
        }
    }
    None
}

impl Healthy {
    fn of<'a>(before: impl Iterator<Item = &'a Slice>) -> Option<Self> {
        let share = |slice: &Slice| share(slice.degraded, slice.requests);
        before
            .map(|slice| Self {
                p99_ms: slice.latency.percentile_ms(99.0),
                degraded: share(slice),
            })
            .reduce(|a, b| Self {
                p99_ms: a.p99_ms.max(b.p99_ms),
                degraded: a.degraded.max(b.degraded),
            })
    }

    fn again(self, slice: &Slice) -> bool {
        slice.errors == 0
            && !slice.latency.is_empty()
            && slice.latency.percentile_ms(99.0) <= self.p99_ms * AS_FAST
            && share(slice.degraded, slice.requests) <= self.degraded + AS_WHOLE
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a slice")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::{Answer, Failure, Timing};
    use crate::server_timing::ServerTiming;

    /// Ten seconds of 100 requests a second; what each meets is told by its second.
    fn measured(latency_ms: impl Fn(u64) -> u64, degraded: impl Fn(u64) -> bool) -> Measured {
        let mut measured = Measured::new(Duration::ZERO, Duration::from_secs(10), 100.0);
        for request in 0..1_000 {
            let intended = Duration::from_millis(request * 10);
            let second = request / 100;
            let answer = Answer {
                operation: "Decide",
                failure: (request == 450).then(|| Failure {
                    code: "DEADLINE_EXCEEDED".into(),
                    detail: String::new(),
                    refused: false,
                }),
                degraded: degraded(second),
                generation: String::new(),
                timing: ServerTiming::Unsaid,
            };
            let timing = Timing {
                request,
                intended,
                sent: intended,
                done: intended + Duration::from_millis(latency_ms(second)),
            };
            measured.record(&timing, answer);
        }
        measured
    }

    fn verdict(measured: &Measured) -> Verdict {
        let second = Duration::from_secs(1);
        let done = Done {
            began: 3 * second,
            ended: 5 * second,
            failed: None,
        };
        Verdict::of(done, measured, Duration::ZERO)
    }

    #[test]
    fn recovery_is_the_time_from_the_end_of_the_fault_until_it_is_as_before() {
        let slow_until_7 = |second| if (3..7).contains(&second) { 100 } else { 5 };
        let got = verdict(&measured(slow_until_7, |second| (3..6).contains(&second)));
        assert_eq!(got.recovered_after, Some(Duration::from_secs(2)));
        assert_eq!((got.unanswered, got.degraded), (1, 300));
    }

    #[test]
    fn what_stays_degraded_or_slow_does_not_recover() {
        let degraded = verdict(&measured(|_| 5, |second| second >= 3));
        assert_eq!(degraded.recovered_after, None);
        let slow = verdict(&measured(|s| if s >= 3 { 11 } else { 5 }, |_| false));
        assert_eq!(slow.recovered_after, None);
        let quick = verdict(&measured(|_| 5, |_| false));
        assert_eq!(quick.recovered_after, Some(Duration::ZERO));
    }
}
