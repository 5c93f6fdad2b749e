//! Times in buckets that grow with them, written by all threads and read once a window.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Buckets for each doubling, as a power of two.
const FINENESS: u32 = 2;
/// Up to 2^24 µs, which is 16 s.
const BUCKETS: usize = 100;

/// A histogram from 1 µs to 16 s whose buckets are at most a quarter of their lower end wide.
#[derive(Debug)]
pub(super) struct Histogram([AtomicU32; BUCKETS]);

/// What a histogram held.
#[derive(Debug)]
pub(super) struct Counts([u32; BUCKETS]);

impl Histogram {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }

    pub(super) fn record(&self, time: Duration) {
        if let Some(bucket) = self.0.get(bucket(time)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reads and empties it. What is recorded meanwhile goes to this reading or to the next.
    pub(super) fn take(&self) -> Counts {
        Counts(std::array::from_fn(|at| {
            self.0
                .get(at)
                .map_or(0, |bucket| bucket.swap(0, Ordering::Relaxed))
        }))
    }
}

impl Counts {
    pub(super) fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The lower end of the bucket in which `percent` of the times have been counted; zero for an
    /// empty histogram.
    pub(super) fn percentile(&self, percent: u32) -> Duration {
        let rank = u64::from(self.total()) * u64::from(percent);
        let mut below = 0_u64;
        for (at, count) in self.0.iter().enumerate() {
            below += u64::from(*count);
            if *count > 0 && below * 100 >= rank {
                return lower_end(at);
            }
        }
        Duration::ZERO
    }
}

fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    if micros < 1 << FINENESS {
        return usize::try_from(micros).unwrap_or(0);
    }
    let doublings = micros.ilog2();
    let within = (micros >> (doublings - FINENESS)) & ((1 << FINENESS) - 1);
    let at = (u64::from(doublings) << FINENESS) + within;
    usize::try_from(at).map_or(BUCKETS - 1, |at| at.min(BUCKETS - 1))
}

fn lower_end(bucket: usize) -> Duration {
    let at = u64::try_from(bucket).unwrap_or(0);
    let (doublings, within) = (at >> FINENESS, at & ((1 << FINENESS) - 1));
    let micros = match doublings.checked_sub(u64::from(FINENESS)) {
        Some(shift) => ((1 << FINENESS) + within) << shift,
        None => at,
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lies_in_its_bucket_to_within_a_quarter() {
        for micros in (0..2_000).chain([5_000, 77_777, 1_000_000, 15_999_999]) {
            let time = Duration::from_micros(micros);
            let low = lower_end(bucket(time));
            assert!(low <= time, "{micros} µs is in the bucket from {low:?}");
            assert!(
                time <= low + low / 4,
                "{micros} µs is in the bucket from {low:?}"
            );
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_those_of_the_times_and_reading_empties() {
        let histogram = Histogram::new();
        for ms in 1..=100 {
            histogram.record(Duration::from_millis(ms));
        }
        let counts = histogram.take();
        assert_eq!(counts.total(), 100);
        for percent in [10, 50, 99] {
            let exact = Duration::from_millis(u64::from(percent));
            let found = counts.percentile(percent);
            assert!(
                found <= exact && exact <= found + found / 4,
                "{percent}: {found:?}"
            );
        }
        assert_eq!(histogram.take().total(), 0);
        assert_eq!(histogram.take().percentile(50), Duration::ZERO);
    }
}
