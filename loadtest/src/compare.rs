//! Two targets in one run: windows that take turns, so that what the machine does meanwhile meets
//! both alike.

use std::str::FromStr;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::measured::Measured;
use crate::schedule::{Load, Schedule, Shape};
use crate::session::{Outcome, Session};
use crate::stats::{self, Interval};
use crate::targets::{Role, parse_url};

/// The other servers; those not named are the first target's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Against {
    text: String,
    urls: Vec<(Role, String)>,
}

impl FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut urls = Vec::new();
        for part in text.split(',') {
            let needed =
                || format!("compare is {text:?}, ROLE=URL is needed: recovery=http://HOST:PORT");
            let (role, url) = part.split_once('=').ok_or_else(needed)?;
            let role = Role::named(role.trim()).ok_or_else(needed)?;
            urls.push((role, parse_url(url.trim())?));
        }
        Ok(Self {
            text: text.to_owned(),
            urls,
        })
    }
}

impl Against {
    pub(crate) fn url(&self, role: Role) -> Option<&str> {
        let mut urls = self.urls.iter();
        urls.find(|(of, _)| *of == role)
            .map(|(_, url)| url.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// How a figure of the second target stands to that of the first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) metric: &'static str,
    /// Of all windows together.
    pub(crate) a: f64,
    pub(crate) b: f64,
    /// B / A, the geometric mean over pairs of windows, with its 95 % interval.
    pub(crate) ratio: Interval,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) a: Outcome,
    pub(crate) b: Outcome,
    pub(crate) pairs: usize,
    pub(crate) ratios: Vec<Ratio>,
}

type Figure = (&'static str, fn(&Measured) -> f64);

const FIGURES: [Figure; 5] = [
    ("p50_ms", |m| m.latency().percentile_ms(50.0)),
    ("p90_ms", |m| m.latency().percentile_ms(90.0)),
    ("p99_ms", |m| m.latency().percentile_ms(99.0)),
    ("mean_ms", |m| m.latency().mean_ms()),
    ("rate_got", Measured::rate_got),
];
/// Fewer pairs say nothing about their spread.
const FEWEST_PAIRS: u32 = 4;
/// Slices of joined windows stay whole when a window is a whole number of these.
const SLICE: Duration = Duration::from_millis(500);
/// What each window sends before it measures, as a part of it.
const WARMUP: u32 = 5;

/// Runs both in turns, A B B A, each for about the duration of the load.
pub(crate) fn run(
    runtime: &Runtime,
    a: &mut Session,
    b: &mut Session,
    load: &Load,
    window: Duration,
) -> Comparison {
    let window = SLICE * u32::try_from(window.as_millis().div_ceil(SLICE.as_millis())).unwrap_or(1);
    let wanted = load.duration.as_millis().div_ceil(window.as_millis());
    let pairs = u32::try_from(wanted).unwrap_or(u32::MAX).max(FEWEST_PAIRS);
    let mut windows = Vec::new();
    for pair in 0..pairs {
        let part = Load {
            warmup: window / WARMUP,
            duration: window,
            seed: load.seed.wrapping_add(u64::from(pair)),
            ..*load
        };
        let schedule = Schedule::new(&part);
        let (first, second) = if pair % 2 == 0 {
            let first = a.run(runtime, &schedule);
            (first, b.run(runtime, &schedule))
        } else {
            let first = b.run(runtime, &schedule);
            (a.run(runtime, &schedule), first)
        };
        windows.push((first, second));
    }
    let ratios = FIGURES.iter().filter_map(|figure| ratio(figure, &windows));
    let mut ratios: Vec<Ratio> = ratios.collect();
    let count = windows.len();
    let (a, b): (Vec<_>, Vec<_>) = windows.into_iter().unzip();
    let (a, b) = (joined(a), joined(b));
    for ratio in &mut ratios {
        let of = FIGURES.iter().find(|(name, _)| *name == ratio.metric);
        if let Some((_, figure)) = of {
            ratio.a = figure(&a.measured);
            ratio.b = figure(&b.measured);
        }
    }
    Comparison {
        a,
        b,
        pairs: count,
        ratios,
    }
}

/// Nothing where a window has nothing to compare.
fn ratio((metric, figure): &Figure, windows: &[(Outcome, Outcome)]) -> Option<Ratio> {
    let logs = windows.iter().map(|(a, b)| {
        let (a, b) = (figure(&a.measured), figure(&b.measured));
        (a > 0.0 && b > 0.0).then(|| (b / a).ln())
    });
    let logs: Vec<f64> = logs.collect::<Option<_>>()?;
    Some(Ratio {
        metric,
        a: 0.0,
        b: 0.0,
        ratio: stats::independent(&logs)?.interval().exp(),
    })
}

fn joined(windows: Vec<Outcome>) -> Outcome {
    let mut all: Option<Outcome> = None;
    for window in windows {
        match &mut all {
            None => all = Some(window),
            Some(all) => {
                all.measured.append(&window.measured);
                all.invalid_because = all.invalid_because.take().or(window.invalid_because);
            }
        }
    }
    all.unwrap_or_else(|| Outcome {
        measured: Measured::new(Duration::ZERO, SLICE, 0.0),
        invalid_because: Some("no window was run".to_owned()),
        fault: None,
    })
}

/// Windows are constant or Poisson: a ramp would give each window another rate.
pub(crate) fn comparable(shape: Shape) -> bool {
    match shape {
        Shape::Constant | Shape::Poisson => true,
        Shape::Ramp | Shape::Step(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::{Answer, Timing};
    use crate::server_timing::ServerTiming;

    fn window(latency_us: u64) -> Outcome {
        let mut measured = Measured::new(Duration::ZERO, Duration::from_secs(1), 100.0);
        for request in 0..100 {
            let intended = Duration::from_millis(10 * request);
            let answer = Answer {
                operation: "test",
                failure: None,
                degraded: false,
                generation: String::new(),
                timing: ServerTiming::Unsaid,
            };
            let timing = Timing {
                request,
                intended,
                sent: intended,
                done: intended + Duration::from_micros(latency_us),
            };
            measured.record(&timing, answer);
        }
        Outcome {
            measured,
            invalid_because: None,
            fault: None,
        }
    }

    #[test]
    fn the_ratio_is_that_of_neighbours_and_its_interval_that_of_the_pairs() {
        // The machine gets slower and slower, which both meet alike.
        let pair = |n: u64| (window(1_000 * n), window(1_500 * n + 10 * (n % 2)));
        let windows: Vec<_> = (1..=8).map(pair).collect();
        let ratio = ratio(&FIGURES[0], &windows).unwrap().ratio;
        assert!((ratio.middle - 1.5).abs() < 0.01, "{ratio:?}");
        assert!(ratio.low > 1.49 && ratio.high < 1.51, "{ratio:?}");
    }

    #[test]
    fn windows_join_to_one_measurement() {
        let all = joined(vec![window(1_000), window(3_000)]);
        assert_eq!(all.measured.requests(), 200);
        assert_eq!(all.measured.duration(), Duration::from_secs(2));
        assert_eq!(all.measured.slices().len(), 4);
        assert!((all.measured.latency().percentile_ms(99.0) - 3.0).abs() < 0.01);
    }

    #[test]
    fn the_other_target_names_the_roles_that_differ() {
        let against: Against = "candidates=http://a:1,recovery=http://b:2/"
            .parse()
            .unwrap();
        assert_eq!(against.url(Role::Recovery), Some("http://b:2"));
        assert_eq!(against.url(Role::Features), None);
        for bad in ["", "http://a:1", "shop=http://a:1", "recovery=a:1"] {
            assert!(bad.parse::<Against>().is_err(), "{bad}");
        }
    }
}
