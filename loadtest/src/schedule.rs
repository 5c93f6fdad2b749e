//! The arrival schedule, made before the run: when each request is to leave, whatever the server
//! does.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::random::Random;

/// How requests arrive over the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Evenly spaced.
    Constant,
    /// Independent arrivals: exponential gaps.
    Poisson,
    /// From a tenth of the rate up to the rate, linearly.
    Ramp,
    /// This many equal steps up to the rate.
    Step(u32),
}

/// How requests arrive: by a shape, or as a file's events did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Shape(Shape),
    Replay(PathBuf),
}

/// What a schedule is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) shape: Shape,
    /// Requests a second: the mean of constant and Poisson, the highest of ramp and step.
    pub(crate) rate: f64,
    /// Sent first, at the rate the shape starts with, and not measured.
    pub(crate) warmup: Duration,
    /// Measured.
    pub(crate) duration: Duration,
    pub(crate) seed: u64,
}

/// Offsets from the start of the run, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    offsets: Vec<Duration>,
    warmup: Duration,
    duration: Duration,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "arrival is {0:?}, allowed are constant, poisson, ramp, step, step:N with N from 2 to 100, and replay:FILE"
)]
pub(crate) struct UnknownShape(String);

const RAMP_STARTS_AT: f64 = 0.1;
const STEPS: u32 = 5;
/// Sums of gaps miss the end by less: no request more than the rate asks for.
const ROUNDING: f64 = 1e-6;

impl FromStr for Shape {
    type Err = UnknownShape;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let steps = || match text.strip_prefix("step:")?.parse() {
            Ok(steps @ 2..=100) => Some(Self::Step(steps)),
            Ok(_) | Err(_) => None,
        };
        match text {
            "constant" => Ok(Self::Constant),
            "poisson" => Ok(Self::Poisson),
            "ramp" => Ok(Self::Ramp),
            "step" => Ok(Self::Step(STEPS)),
            _ => steps().ok_or_else(|| UnknownShape(text.to_owned())),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Poisson => f.write_str("poisson"),
            Self::Ramp => f.write_str("ramp"),
            Self::Step(steps) => write!(f, "step:{steps}"),
        }
    }
}

impl FromStr for Arrival {
    type Err = UnknownShape;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("replay:") {
            Some("") => Err(UnknownShape(text.to_owned())),
            Some(file) => Ok(Self::Replay(PathBuf::from(file))),
            None => text.parse().map(Self::Shape),
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(shape) => shape.fmt(f),
            Self::Replay(file) => write!(f, "replay:{}", file.display()),
        }
    }
}

impl Shape {
    /// Share of the full rate at this share of the measured time.
    fn level(self, at: f64) -> f64 {
        match self {
            Self::Constant | Self::Poisson => 1.0,
            Self::Ramp => RAMP_STARTS_AT + (1.0 - RAMP_STARTS_AT) * at,
            Self::Step(steps) => {
                let steps = f64::from(steps);
                ((at * steps).floor() + 1.0).min(steps) / steps
            }
        }
    }
}

impl Schedule {
    /// Spaces requests so that each covers the same area under the rate: the next one leaves when
    /// the expected number of arrivals has grown by one gap.
    pub(crate) fn new(load: &Load) -> Self {
        let end = (load.warmup + load.duration).as_secs_f64() - ROUNDING;
        let mut random = Random::new(load.seed);
        let mut offsets = Vec::new();
        let mut at = 0.0;
        while at < end {
            offsets.push(Duration::from_secs_f64(at));
            let gap = match load.shape {
                Shape::Poisson => random.exponential(),
                Shape::Constant | Shape::Ramp | Shape::Step(_) => 1.0,
            };
            at += step(load, at, gap);
        }
        Self {
            offsets,
            warmup: load.warmup,
            duration: load.duration,
        }
    }

    /// The times of a file, as far as warm-up and measured time last: both end with the file.
    pub(crate) fn replay(offsets: Vec<Duration>, warmup: Duration, duration: Duration) -> Self {
        let last = offsets.last().copied().unwrap_or_default();
        let measured = last.saturating_sub(warmup).max(Duration::from_millis(1));
        let duration = duration.min(measured);
        let within = offsets.into_iter().take_while(|at| *at < warmup + duration);
        Self {
            offsets: within.collect(),
            warmup,
            duration,
        }
    }

    pub(crate) fn warmup(&self) -> Duration {
        self.warmup
    }

    pub(crate) fn duration(&self) -> Duration {
        self.duration
    }

    pub(crate) fn offsets(&self) -> &[Duration] {
        &self.offsets
    }

    /// Requests a second over the measured time, as scheduled.
    #[expect(clippy::cast_precision_loss, reason = "a count of requests in memory")]
    pub(crate) fn rate(&self) -> f64 {
        let measured = self.offsets.iter().filter(|at| **at >= self.warmup).count();
        measured as f64 / self.duration.as_secs_f64()
    }
}

/// The seconds in which `gap` arrivals are expected, from `at` on.
fn step(load: &Load, at: f64, gap: f64) -> f64 {
    let rate_at = |at: f64| {
        let measured = (at - load.warmup.as_secs_f64()).max(0.0);
        let share = measured / load.duration.as_secs_f64();
        load.rate * load.shape.level(share.min(1.0))
    };
    // The rate in the middle of the gap, since it may change on the way.
    gap / rate_at(at + gap / rate_at(at) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(shape: Shape) -> Load {
        Load {
            shape,
            rate: 1_000.0,
            warmup: Duration::from_secs(1),
            duration: Duration::from_secs(10),
            seed: 42,
        }
    }

    fn gaps(schedule: &Schedule) -> Vec<f64> {
        let pairs = schedule.offsets.windows(2);
        pairs.map(|p| (p[1] - p[0]).as_secs_f64()).collect()
    }

    fn between(schedule: &Schedule, from_ms: u64, to_ms: u64) -> usize {
        let window = Duration::from_millis(from_ms)..Duration::from_millis(to_ms);
        let offsets = schedule.offsets.iter();
        offsets.filter(|at| window.contains(at)).count()
    }

    #[test]
    fn constant_arrivals_are_a_thousandth_of_a_second_apart() {
        let schedule = Schedule::new(&load(Shape::Constant));
        assert_eq!(schedule.offsets.len(), 11_000);
        assert!(
            (schedule.rate() - 1_000.0).abs() < 0.5,
            "{}",
            schedule.rate()
        );
        assert!(gaps(&schedule).iter().all(|gap| (gap - 0.001).abs() < 1e-8));
    }

    #[test]
    fn no_rate_sends_one_request_too_many() {
        for rate in [1.0, 3.0, 7.0, 30.0, 333.0, 3_000.0] {
            let constant = load(Shape::Constant);
            let schedule = Schedule::new(&Load { rate, ..constant });
            let got = schedule.rate();
            assert!((got - rate).abs() < 1e-9, "{got} instead of {rate}");
        }
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        let schedule = Schedule::new(&load(Shape::Poisson));
        let gaps = gaps(&schedule);
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / n;
        assert!((mean * 1_000.0 - 1.0).abs() < 0.04, "mean gap {mean}");
        let spread = variance.sqrt() / mean;
        assert!(
            (spread - 1.0).abs() < 0.05,
            "coefficient of variation {spread}"
        );
        let longer = gaps.iter().filter(|gap| **gap > mean).count() as f64 / n;
        assert!(
            (longer - (-1.0_f64).exp()).abs() < 0.02,
            "{longer} exceed the mean"
        );
    }

    #[test]
    fn a_seed_makes_the_schedule_and_another_seed_another() {
        let with = |seed| {
            Schedule::new(&Load {
                seed,
                ..load(Shape::Poisson)
            })
        };
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
    }

    #[test]
    fn a_ramp_climbs_evenly_from_a_tenth_to_the_whole_rate() {
        let schedule = Schedule::new(&load(Shape::Ramp));
        // The mean of a ramp from 100 to 1,000 a second is 550.
        assert!((schedule.rate() - 550.0).abs() < 3.0, "{}", schedule.rate());
        let first = between(&schedule, 1_000, 2_000);
        let last = between(&schedule, 10_000, 11_000);
        assert!((140..=150).contains(&first), "{first} in the first second");
        assert!((950..=960).contains(&last), "{last} in the last second");
        assert_eq!(
            between(&schedule, 0, 1_000),
            100,
            "warm-up at the first rate"
        );
    }

    #[test]
    fn steps_hold_their_rate_and_then_jump() {
        let schedule = Schedule::new(&load(Shape::Step(5)));
        for (from, expected) in [(1_000, 400), (3_000, 800), (5_000, 1_200), (9_000, 2_000)] {
            let got = between(&schedule, from, from + 2_000);
            assert!(got.abs_diff(expected) <= 2, "{got} from {from} ms");
        }
    }

    #[test]
    fn a_replay_ends_with_its_file_or_with_the_time_asked_for() {
        let seconds = |n| Duration::from_secs(n);
        let offsets: Vec<_> = (0..=10).map(seconds).collect();
        let whole = Schedule::replay(offsets.clone(), seconds(2), seconds(60));
        assert_eq!((whole.offsets.len(), whole.duration), (10, seconds(8)));
        let cut = Schedule::replay(offsets, seconds(2), seconds(3));
        assert_eq!((cut.offsets.len(), cut.duration), (5, seconds(3)));
        assert!((cut.rate() - 1.0).abs() < 1e-9, "{}", cut.rate());
    }

    #[test]
    fn shapes_are_read_as_they_are_written() {
        for text in ["constant", "poisson", "ramp", "step:7"] {
            assert_eq!(text.parse::<Shape>().unwrap().to_string(), text);
        }
        assert_eq!("step".parse(), Ok(Shape::Step(5)));
        let replay: Arrival = "replay:a/b.csv".parse().unwrap();
        assert_eq!(replay.to_string(), "replay:a/b.csv");
        assert!("replay:".parse::<Arrival>().is_err());
        for text in ["", "step:1", "step:x", "burst"] {
            let error = text.parse::<Shape>().unwrap_err().to_string();
            assert!(error.contains("allowed are constant, poisson"), "{error}");
        }
    }
}
