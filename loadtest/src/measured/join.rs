//! Empty measurements, and those of windows that follow each other as one.

use super::{Calls, Change, Errors, Measured, Slice};
use crate::slowest::SlowRequest;
use crate::timings::Timings;

impl Measured {
    /// Puts the measured time of another run after this one's.
    pub(crate) fn append(&mut self, other: &Self) {
        let whole = self.duration.as_nanos().div_ceil(self.slice.as_nanos());
        let whole = usize::try_from(whole).unwrap_or(self.slices.len());
        self.slices.resize_with(whole, Slice::new);
        self.slices.extend(other.slices.iter().cloned());
        self.latency.add(&other.latency);
        self.from_send.add(&other.from_send);
        self.lag.add(&other.lag);
        for (name, calls) in &other.operations {
            let own = self.operations.entry(name).or_insert_with(Calls::new);
            own.latency.add(&calls.latency);
            own.requests += calls.requests;
            own.errors += calls.errors;
        }
        for (code, errors) in &other.errors {
            let own = self.errors.entry(code.clone()).or_insert_with(|| Errors {
                count: 0,
                first: errors.first.clone(),
            });
            own.count += errors.count;
        }
        for (generation, count) in &other.generations {
            *self.generations.entry(generation.clone()).or_default() += count;
        }
        for slow in other.slowest.requests() {
            if self.slowest.wants(slow.latency) {
                let at = self.duration + slow.at;
                self.slowest.add(SlowRequest { at, ..slow.clone() });
            }
        }
        let before = self.duration;
        self.changes
            .extend(other.changes.iter().map(|change| Change {
                at: before + change.at,
                generation: change.generation.clone(),
            }));
        self.duration += other.duration;
        self.requests += other.requests;
        self.failed += other.failed;
        self.degraded += other.degraded;
        self.unsent += other.unsent;
        self.good_in_window += other.good_in_window;
        self.cost(other.cpu, other.sent);
    }
}

impl Slice {
    pub(super) fn new() -> Self {
        Self {
            latency: Timings::coarse(),
            good: 0,
            requests: 0,
            errors: 0,
            degraded: 0,
        }
    }
}

impl Calls {
    pub(super) fn new() -> Self {
        Self {
            latency: Timings::new(),
            requests: 0,
            errors: 0,
        }
    }
}
