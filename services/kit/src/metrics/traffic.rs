//! What callers of a role's own methods got: for whoever compares one time with another.

use std::time::Duration;

use super::instrument::{Instrument as _, Reading, float};
use super::requests::Method;
use tonic::Code;

/// Codes that say that the server, not the caller, is at fault. A refusal because of load is none:
/// it says nothing of the answers that were given.
const FAULTS: [Code; 5] = [
    Code::Unknown,
    Code::DeadlineExceeded,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
];

/// Counts of unary calls: since the start, or of a window between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Calls answered, in whatever way.
    pub calls: u64,
    /// Of them, those that failed by a fault of the server's.
    pub failed: u64,
    /// Of them, those answered from a fallback.
    pub degraded: u64,
    /// Calls by the bounds of [`super::declaration::LATENCY`]; the last are above all.
    times: Vec<u64>,
}

impl Traffic {
    /// Calls whose times are not known.
    #[must_use]
    pub fn counted(calls: u64, failed: u64, degraded: u64) -> Self {
        Self {
            calls,
            failed,
            degraded,
            times: Vec::new(),
        }
    }

    /// What these methods did so far.
    pub(super) fn of<'a>(methods: impl Iterator<Item = &'a Method>) -> Self {
        let mut sum = Self::default();
        for method in methods {
            let count = |code: Code| method.answered(code);
            sum.failed += FAULTS.into_iter().map(count).sum::<u64>();
            sum.degraded += method.degraded.get();
            if let Reading::Buckets(buckets) = method.duration.read() {
                sum.calls += buckets.count();
                sum.times.resize(buckets.counts.len(), 0);
                for (total, count) in sum.times.iter_mut().zip(buckets.counts) {
                    *total += count;
                }
            }
        }
        sum
    }

    /// What came after `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let earlier = before.times.iter().copied().chain(std::iter::repeat(0));
        Self {
            calls: self.calls.saturating_sub(before.calls),
            failed: self.failed.saturating_sub(before.failed),
            degraded: self.degraded.saturating_sub(before.degraded),
            times: (self.times.iter().zip(earlier))
                .map(|(now, before)| now.saturating_sub(before))
                .collect(),
        }
    }

    /// Counts these as well.
    pub fn add(&mut self, more: &Self) {
        self.calls += more.calls;
        self.failed += more.failed;
        self.degraded += more.degraded;
        let length = self.times.len().max(more.times.len());
        self.times.resize(length, 0);
        for (sum, more) in self.times.iter_mut().zip(&more.times) {
            *sum += more;
        }
    }

    /// Share of calls that failed, 0 to 1.
    #[must_use]
    pub fn failed_share(&self) -> f64 {
        share(self.failed, self.calls)
    }

    /// Share of calls answered from a fallback, 0 to 1.
    #[must_use]
    pub fn degraded_share(&self) -> f64 {
        share(self.degraded, self.calls)
    }

    /// 99 of 100 calls took at most this; within its bucket as if all lay evenly. `None` without
    /// calls, the highest bound for whatever lies above it.
    #[must_use]
    pub fn p99(&self) -> Option<Duration> {
        let all = float(self.times.iter().sum());
        let wanted = all * 0.99;
        let (mut below, mut low) = (0.0, 0.0);
        for (count, bound) in self.times.iter().zip(super::declaration::LATENCY) {
            let count = float(*count);
            if count > 0.0 && below + count >= wanted {
                let inside = (wanted - below) / count;
                return Some(Duration::from_secs_f64(low + (bound - low) * inside));
            }
            below += count;
            low = bound;
        }
        (all > 0.0).then(|| Duration::from_secs_f64(low))
    }
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        float(part) / float(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_what_came_after_its_beginning() {
        let before = Traffic {
            calls: 10,
            failed: 1,
            degraded: 2,
            times: vec![10, 0],
        };
        let now = Traffic {
            calls: 30,
            failed: 6,
            degraded: 2,
            times: vec![10, 20],
        };
        let window = now.since(&before);
        assert_eq!((window.calls, window.failed, window.degraded), (20, 5, 0));
        assert!((window.failed_share() - 0.25).abs() < 1e-9);
        assert!(window.degraded_share().abs() < 1e-9);
        assert_eq!(now.since(&Traffic::default()), now);
    }

    #[test]
    fn the_p99_lies_in_the_bucket_that_holds_it() {
        let bounds = super::super::declaration::LATENCY;
        let mut times = vec![0; bounds.len() + 1];
        assert_eq!(Traffic::default().p99(), None);
        times[2] = 98;
        times[4] = 2;
        let traffic = Traffic {
            times: times.clone(),
            ..Traffic::default()
        };
        let p99 = traffic.p99().unwrap().as_secs_f64();
        assert!(p99 > bounds[3] && p99 <= bounds[4], "{p99}");
        times[bounds.len()] = 1_000;
        let slow = Traffic {
            times,
            ..Traffic::default()
        };
        assert!((slow.p99().unwrap().as_secs_f64() - bounds[bounds.len() - 1]).abs() < 1e-9);
    }
}
