//! The slowest requests of a run, each with where its own time went.
//!
//! Percentiles per stage would not do: the slowest tenth of a stage is of other requests than the
//! slowest tenth of the whole.

use std::time::Duration;

use crate::server_timing::ServerTiming;

/// A request that took long.
#[derive(Clone, Debug)]
pub(crate) struct SlowRequest {
    pub(crate) request: u64,
    pub(crate) operation: &'static str,
    /// Its intended start, from the end of the warm-up.
    pub(crate) at: Duration,
    /// From the intended start.
    pub(crate) latency: Duration,
    /// Actual send less intended start.
    pub(crate) lag: Duration,
    pub(crate) timing: ServerTiming,
    /// Its code, when it failed.
    pub(crate) error: Option<String>,
}

/// The few that took longest, slowest first; of equals the earliest.
#[derive(Clone, Debug)]
pub(crate) struct Slowest {
    keep: usize,
    requests: Vec<SlowRequest>,
}

impl Slowest {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            keep,
            requests: Vec::new(),
        }
    }

    /// Whether one of this latency would be kept: most are told apart here, for a comparison.
    pub(crate) fn wants(&self, latency: Duration) -> bool {
        if self.requests.len() < self.keep {
            return true;
        }
        self.requests.last().is_some_and(|l| latency > l.latency)
    }

    pub(crate) fn add(&mut self, request: SlowRequest) {
        let place = self
            .requests
            .partition_point(|kept| kept.latency >= request.latency);
        self.requests.insert(place, request);
        self.requests.truncate(self.keep);
    }

    pub(crate) fn requests(&self) -> &[SlowRequest] {
        &self.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_slowest_in_order_and_of_equals_the_earliest() {
        let mut slowest = Slowest::new(3);
        for (request, millis) in [(1, 5), (2, 9), (3, 1), (4, 9), (5, 7), (6, 2)] {
            let latency = Duration::from_millis(millis);
            if slowest.wants(latency) {
                slowest.add(SlowRequest {
                    request,
                    operation: "test",
                    at: Duration::ZERO,
                    latency,
                    lag: Duration::ZERO,
                    timing: ServerTiming::Unsaid,
                    error: None,
                });
            }
        }
        let kept: Vec<u64> = slowest.requests().iter().map(|r| r.request).collect();
        assert_eq!(kept, [2, 4, 5]);
        assert!(!slowest.wants(Duration::from_millis(7)));
        assert!(!Slowest::new(0).wants(Duration::from_secs(1)));
    }
}
