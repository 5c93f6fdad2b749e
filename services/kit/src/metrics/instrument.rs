//! The things that count. Each is a few atomics: counting takes no lock and allocates nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::declaration::{Kind, Unit};

/// What an instrument reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Buckets(Buckets),
}

/// A histogram as it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// Upper bounds, growing.
    pub bounds: &'static [f64],
    /// Observations up to each bound and above the one before; the last is of those above all.
    pub counts: Vec<u64>,
    /// Of all observations.
    pub sum: f64,
}

impl Buckets {
    /// All observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Something that counts, made from its declaration.
pub trait Instrument: Clone + Send + Sync + std::fmt::Debug + 'static {
    /// At 0.
    fn new(kind: Kind, unit: Unit) -> Self;
    /// What it reads now.
    fn read(&self) -> Reading;
    /// Whether it has counted anything.
    fn is_used(&self) -> bool;
}

/// Only grows. Cloning shares the count.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `more` more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Instrument for Counter {
    fn new(_: Kind, _: Unit) -> Self {
        Self::default()
    }

    fn read(&self) -> Reading {
        Reading::Number(float(self.get()))
    }

    fn is_used(&self) -> bool {
        self.get() > 0
    }
}

/// Goes up and down. Cloning shares the value.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// One more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// From now on `value`.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Instrument for Gauge {
    fn new(_: Kind, _: Unit) -> Self {
        Self::default()
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the text format's numbers are floats"
    )]
    fn read(&self) -> Reading {
        Reading::Number(self.get() as f64)
    }

    fn is_used(&self) -> bool {
        self.get() != 0
    }
}

/// Counts observations in buckets. Cloning shares the counts.
///
/// A scrape reads the buckets one after the other while others count, so it may see an observation
/// in a bucket and not yet in the sum. It never sees a count go back.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: &'static [f64],
    /// The bounds in nanoseconds, or in whole counts.
    steps: Box<[u64]>,
    /// Steps in one unit: 10⁹ for seconds.
    steps_in_unit: f64,
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

const NANOSECONDS: f64 = 1e9;

impl Histogram {
    /// Counts a time.
    pub fn observe(&self, time: Duration) {
        self.observe_steps(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a time in milliseconds; what lies in the future counts as no time.
    pub fn observe_ms(&self, ms: i64) {
        let ms = u64::try_from(ms).unwrap_or_default();
        self.observe_steps(ms.saturating_mul(1_000_000));
    }

    /// Counts a number, for histograms of counts.
    pub fn observe_count(&self, number: u64) {
        self.observe_steps(number);
    }

    fn observe_steps(&self, steps: u64) {
        let at = self.0.steps.partition_point(|bound| *bound < steps);
        if let Some(count) = self.0.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.0.sum.fetch_add(steps, Ordering::Relaxed);
    }
}

impl Instrument for Histogram {
    /// Without buckets when `kind` is not a histogram's.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounds are declared: positive, and far below 2^64 steps"
    )]
    fn new(kind: Kind, unit: Unit) -> Self {
        let bounds = match kind {
            Kind::Histogram(bounds) => bounds,
            Kind::Counter | Kind::Gauge | Kind::Info => &[],
        };
        let steps_in_unit = match unit {
            Unit::Seconds => NANOSECONDS,
            Unit::Count | Unit::Bytes => 1.0,
        };
        let steps = bounds.iter().map(|bound| (bound * steps_in_unit).round());
        Self(Arc::new(Inner {
            bounds,
            steps: steps.map(|bound| bound as u64).collect(),
            steps_in_unit,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }))
    }

    fn read(&self) -> Reading {
        let counts = self.0.counts.iter();
        Reading::Buckets(Buckets {
            bounds: self.0.bounds,
            counts: counts.map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: float(self.0.sum.load(Ordering::Relaxed)) / self.0.steps_in_unit,
        })
    }

    fn is_used(&self) -> bool {
        let mut counts = self.0.counts.iter();
        counts.any(|count| count.load(Ordering::Relaxed) > 0)
    }
}

/// A count as the text format takes it.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "the text format's numbers are floats; counts below 2^53 are exact"
)]
pub fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::declaration::{COUNTS, LATENCY};
    use super::*;

    fn buckets(histogram: &Histogram) -> Buckets {
        match histogram.read() {
            Reading::Buckets(buckets) => buckets,
            Reading::Number(number) => panic!("{number} is no histogram"),
        }
    }

    #[test]
    fn an_observation_on_a_bound_belongs_below_it() {
        let times = Histogram::new(Kind::Histogram(&LATENCY), Unit::Seconds);
        times.observe(Duration::from_micros(50));
        times.observe(Duration::from_nanos(50_001));
        times.observe(Duration::from_secs(3));
        let read = buckets(&times);
        assert_eq!((read.counts[0], read.counts[1]), (1, 1));
        assert_eq!(read.counts.last(), Some(&1), "above every bound");
        assert!((read.sum - 3.000_100_001).abs() < 1e-12);
        assert_eq!(read.count(), 3);
    }

    #[test]
    fn counts_are_whole_numbers() {
        let lists = Histogram::new(Kind::Histogram(&COUNTS), Unit::Count);
        for number in [0, 1, 3, 2_000] {
            lists.observe_count(number);
        }
        let read = buckets(&lists);
        assert_eq!(read.counts[..4], [1, 1, 0, 1]);
        assert!((read.sum - 2_004.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_lies_in_the_future_has_no_age() {
        let ages = Histogram::new(Kind::Histogram(&LATENCY), Unit::Seconds);
        ages.observe_ms(-5);
        ages.observe_ms(2);
        assert!((buckets(&ages).sum - 0.002).abs() < f64::EPSILON);
        assert_eq!(buckets(&ages).counts[0], 1);
    }
}
