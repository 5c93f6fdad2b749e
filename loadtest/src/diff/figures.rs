//! The figures of two entries, each judged by its own noise.

use super::{Change, Word};
use crate::report::{Entry, Point};
use crate::stats::{self, Interval};

/// A value of a slice.
type OfSlice = fn(&Point) -> Option<f64>;

struct Figure {
    name: &'static str,
    of: fn(&Entry) -> Option<f64>,
    slice: OfSlice,
    more_is_worse: bool,
}

const FIGURES: [Figure; 4] = [
    Figure {
        name: "p50_ms",
        of: |entry| entry.latency_ms.p50,
        slice: |point| point.latency_ms.p50,
        more_is_worse: true,
    },
    Figure {
        name: "p90_ms",
        of: |entry| entry.latency_ms.p90,
        slice: |point| point.latency_ms.p90,
        more_is_worse: true,
    },
    Figure {
        name: "p99_ms",
        of: |entry| entry.latency_ms.p99,
        slice: |point| point.latency_ms.p99,
        more_is_worse: true,
    },
    Figure {
        name: "rate_got",
        of: |entry| Some(entry.rate.got),
        slice: |point| Some(point.got),
        more_is_worse: false,
    },
];

/// Fewer slices say nothing about their scatter.
const FEWEST_SLICES: usize = 5;
/// A search ends with bounds 4 % apart and backs off by 5 %: two of them agree to this.
const SEARCH: f64 = 0.10;
/// Spreads of a difference of shares beyond which it is no chance: 1 of 400, as there are many.
const SPREADS: f64 = 3.0;

pub(super) fn of(old: &Entry, new: &Entry, threshold: f64) -> Vec<Change> {
    let measured = FIGURES.iter().filter_map(|f| f.change(old, new, threshold));
    let mut changes: Vec<Change> = measured.collect();
    changes.push(share(old, new, "error_share", |e| {
        share_of(e.errors, e.requests)
    }));
    changes.push(share(old, new, "degraded_share", |e| e.degraded_share));
    if let (Some(a), Some(b)) = (&old.find_max, &new.find_max) {
        let noise = threshold.max(SEARCH);
        let ratio = (a.rate > 0.0).then(|| b.rate / a.rate);
        changes.push(Change {
            before: a.rate,
            after: b.rate,
            ratio,
            verdict: ratio.map_or(Word::Unknown, |ratio| fallen(ratio, noise)),
            ..blank(old, "find_max_rate")
        });
    }
    changes
}

fn fallen(ratio: f64, noise: f64) -> Word {
    if ratio < 1.0 - noise {
        Word::Worse
    } else if ratio > 1.0 / (1.0 - noise) {
        Word::Better
    } else {
        Word::Same
    }
}

fn blank(entry: &Entry, metric: &str) -> Change {
    Change {
        scenario: entry.scenario.clone(),
        metric: metric.to_owned(),
        before: 0.0,
        after: 0.0,
        ratio: None,
        low: None,
        high: None,
        verdict: Word::Unknown,
    }
}

impl Figure {
    fn change(&self, old: &Entry, new: &Entry, threshold: f64) -> Option<Change> {
        let (before, after) = ((self.of)(old)?, (self.of)(new)?);
        let interval = self.interval(old, new);
        Some(Change {
            before,
            after,
            ratio: interval.map(|ratio| rounded(ratio.middle)),
            low: interval.map(|ratio| rounded(ratio.low)),
            high: interval.map(|ratio| rounded(ratio.high)),
            verdict: interval.map_or(Word::Unknown, |ratio| self.judge(ratio, threshold)),
            ..blank(old, self.name)
        })
    }

    fn interval(&self, old: &Entry, new: &Entry) -> Option<Interval> {
        let logs = |entry: &Entry| -> Option<stats::Sample> {
            let slices = entry.series.iter().filter_map(self.slice);
            let logs: Vec<f64> = slices.filter(|v| *v > 0.0).map(f64::ln).collect();
            (logs.len() >= FEWEST_SLICES).then(|| stats::in_time(&logs))?
        };
        Some(logs(old)?.to(logs(new)?).exp())
    }

    fn judge(&self, ratio: Interval, threshold: f64) -> Word {
        let up = ratio.low > 1.0 && ratio.middle > 1.0 + threshold;
        let down = ratio.high < 1.0 && ratio.middle < 1.0 / (1.0 + threshold);
        match (up, down, self.more_is_worse) {
            (true, _, true) | (_, true, false) => Word::Worse,
            (true, _, false) | (_, true, true) => Word::Better,
            (false, false, _) => Word::Same,
        }
    }
}

/// Shares are of requests: how far two may be apart by chance follows from their number.
fn share(old: &Entry, new: &Entry, metric: &str, of: fn(&Entry) -> f64) -> Change {
    let (before, after) = (of(old), of(new));
    let (m, n) = (count(old.requests.max(1)), count(new.requests.max(1)));
    let pooled = (before * m + after * n) / (m + n);
    // A count of one more or less is no news either.
    let spread = (pooled * (1.0 - pooled) * (1.0 / m + 1.0 / n)).sqrt() + 1.0 / m.min(n);
    let verdict = if after - before > SPREADS * spread {
        Word::Worse
    } else if before - after > SPREADS * spread {
        Word::Better
    } else {
        Word::Same
    };
    Change {
        before,
        after,
        verdict,
        ..blank(old, metric)
    }
}

fn share_of(part: u64, whole: u64) -> f64 {
    count(part) / count(whole).max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
fn count(requests: u64) -> f64 {
    requests as f64
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Diff;
    use crate::random::Random;
    use crate::report::tests::entry;

    /// Forty slices that scatter by a tenth around a level.
    fn scattered(level: f64, seed: u64) -> Entry {
        let mut random = Random::new(seed);
        let mut entry = entry();
        let template = entry.series[0].clone();
        entry.series = (0..40)
            .map(|_| {
                let mut point = template.clone();
                let scatter = 1.0 + 0.2 * (random.unit() - 0.5);
                point.latency_ms.p99 = Some(10.0 * level * scatter);
                point
            })
            .collect();
        entry
    }

    fn verdict(before: &Entry, after: &Entry, metric: &str) -> Word {
        let changes = of(before, after, 0.05);
        let found = changes.into_iter().find(|change| change.metric == metric);
        found.unwrap().verdict
    }

    #[test]
    fn a_change_beyond_the_noise_is_named_and_one_inside_it_is_not() {
        let before = scattered(1.0, 1);
        assert_eq!(verdict(&before, &scattered(1.2, 2), "p99_ms"), Word::Worse);
        assert_eq!(verdict(&before, &scattered(0.8, 3), "p99_ms"), Word::Better);
        assert_eq!(verdict(&before, &scattered(1.01, 4), "p99_ms"), Word::Same);
        // Sure, but smaller than what anybody asked about.
        assert_eq!(verdict(&before, &scattered(1.04, 5), "p99_ms"), Word::Same);
    }

    #[test]
    fn the_same_server_is_seldom_called_worse() {
        let worse = (0..200).filter(|seed| {
            let (a, b) = (scattered(1.0, 2 * seed), scattered(1.0, 2 * seed + 1));
            verdict(&a, &b, "p99_ms") == Word::Worse
        });
        assert!(worse.count() <= 10);
    }

    #[test]
    fn too_few_slices_say_nothing() {
        let mut before = scattered(1.0, 1);
        before.series.truncate(4);
        assert_eq!(
            verdict(&before, &scattered(2.0, 2), "p99_ms"),
            Word::Unknown
        );
    }

    #[test]
    fn errors_and_a_lower_highest_rate_are_regressions() {
        let before = scattered(1.0, 1);
        let mut after = before.clone();
        after.errors = 20;
        assert_eq!(verdict(&before, &after, "error_share"), Word::Worse);
        after.errors = 2;
        assert_eq!(verdict(&before, &after, "error_share"), Word::Same);
        after.find_max.as_mut().unwrap().rate *= 0.8;
        assert_eq!(verdict(&before, &after, "find_max_rate"), Word::Worse);
        let diff = Diff::of(std::slice::from_ref(&before), &[after], 0.05);
        assert!(!diff.passes());
        assert!(
            Diff::of(
                std::slice::from_ref(&before),
                std::slice::from_ref(&before),
                0.05
            )
            .passes()
        );
    }

    #[test]
    fn a_run_that_is_not_valid_any_more_is_a_regression() {
        let before = scattered(1.0, 1);
        let mut after = before.clone();
        after.valid = false;
        assert!(!Diff::of(&[before], &[after], 0.05).passes());
    }
}
