//! Durations counted in an `HdrHistogram`, to three digits.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A histogram in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Timings(Histogram<u64>);

/// What is longer counts as this long, so that one mistake cannot make a histogram huge.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// One bar: durations up to `to_ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) from_ms: f64,
    pub(crate) to_ms: f64,
    pub(crate) count: u64,
}

impl Timings {
    pub(crate) fn new() -> Self {
        Self::with_digits(3)
    }

    /// Two digits, for the many histograms of a run's slices.
    pub(crate) fn coarse() -> Self {
        Self::with_digits(2)
    }

    #[expect(clippy::expect_used, reason = "one to five digits are always allowed")]
    fn with_digits(digits: u8) -> Self {
        let mut histogram = Histogram::new(digits).expect("one to five digits");
        histogram.auto(true);
        Self(histogram)
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.min(LONGEST).as_micros()).unwrap_or(u64::MAX);
        // It grows by itself, and the longest fits: nothing is refused.
        let _ = self.0.record(micros);
    }

    /// Adds what another counted.
    pub(crate) fn add(&mut self, other: &Self) {
        // It grows by itself: nothing is refused.
        let _ = self.0.add(&other.0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        millis(self.0.value_at_percentile(percent))
    }

    pub(crate) fn mean_ms(&self) -> f64 {
        self.0.mean() / 1_000.0
    }

    pub(crate) fn max_ms(&self) -> f64 {
        millis(self.0.max())
    }

    /// Bars whose edges grow by the same factor, for a log axis; from the first to the last that
    /// has something in it.
    pub(crate) fn bars(&self, per_decade: u32) -> Vec<Bar> {
        if self.is_empty() {
            return Vec::new();
        }
        let factor = 10_f64.powf(1.0 / f64::from(per_decade));
        let lowest = millis(self.0.min().max(1));
        let steps = (lowest.log10() * f64::from(per_decade)).floor();
        let mut from_ms = 10_f64.powf(steps / f64::from(per_decade));
        let mut bars = Vec::new();
        let mut before = 0;
        while before < self.count() {
            let to_ms = from_ms * factor;
            let up_to = self.count_up_to(to_ms);
            bars.push(Bar {
                from_ms,
                to_ms,
                count: up_to - before,
            });
            before = up_to;
            from_ms = to_ms;
        }
        bars
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of microseconds; the cast saturates"
    )]
    fn count_up_to(&self, ms: f64) -> u64 {
        let micros = (ms * 1_000.0).floor() as u64;
        let counted = self.0.iter_recorded();
        counted
            .take_while(|step| step.value_iterated_to() <= micros)
            .map(|step| step.count_since_last_iteration())
            .sum()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a run fit a double"
)]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_hold_everything_once_and_edges_grow_evenly() {
        let mut timings = Timings::new();
        for micros in [0, 3, 900, 1_100, 25_000, 2_000_000] {
            timings.record(Duration::from_micros(micros));
        }
        let bars = timings.bars(10);
        assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), 6);
        let bar = bars
            .iter()
            .find(|bar| bar.from_ms < 25.0 && bar.to_ms > 25.0)
            .unwrap();
        assert_eq!(bar.count, 1);
        let factor = bars[7].to_ms / bars[7].from_ms;
        assert!((factor - 10_f64.powf(0.1)).abs() < 1e-9, "{factor}");
        assert!(Timings::new().bars(10).is_empty());
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let mut timings = Timings::new();
        for micros in 1..=100_000 {
            timings.record(Duration::from_micros(micros));
        }
        assert!((timings.percentile_ms(99.0) - 99.0).abs() < 0.1);
        assert!((timings.percentile_ms(50.0) - 50.0).abs() < 0.05);
        assert!((timings.mean_ms() - 50.0).abs() < 0.05);
    }
}
