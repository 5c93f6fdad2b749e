//! Searches the highest rate that holds: doubling, then bisection, then runs that confirm it.

use crate::measured::Measured;

/// What a rate has to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bar {
    /// p99 of the latency in milliseconds.
    pub(crate) p99_ms: f64,
}

/// One rate tried.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) wanted: f64,
    pub(crate) got: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// Why it does not hold; nothing when it does.
    pub(crate) why_not: Option<String>,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// 0 when no rate holds.
    pub(crate) rate: f64,
    pub(crate) bar: Bar,
    /// In the order tried.
    pub(crate) steps: Vec<Step>,
    /// Which of them stands for 70 % of the rate.
    pub(crate) relaxed: Option<usize>,
}

impl Found {
    /// The run at 70 % of the rate.
    pub(crate) fn relaxed(&self) -> Option<&Step> {
        self.steps.get(self.relaxed?)
    }
}

const ACHIEVED: f64 = 0.99;
/// A rate of which more requests fail does not hold, however fast they fail.
const ERRORS: f64 = 0.01;
const HIGHEST: f64 = 1_000_000.0;
const LOWEST: f64 = 1.0;
/// Bisection stops when the bounds are this close.
const CLOSE: f64 = 1.04;
const CONFIRMATIONS: usize = 2;
const BACK_OFF: f64 = 0.95;
const RELAXED: f64 = 0.7;
const RELAXED_RUNS: usize = 3;

impl Step {
    /// Judges a run at a rate.
    pub(crate) fn judge(measured: &Measured, invalid: Option<String>, bar: Bar) -> Self {
        let latency = measured.latency();
        let percentile = |p| (!latency.is_empty()).then(|| latency.percentile_ms(p));
        let step = Self {
            wanted: measured.rate_wanted(),
            got: measured.rate_got(),
            p50_ms: percentile(50.0),
            p99_ms: percentile(99.0),
            why_not: None,
        };
        // The window's edge may cut one answer off, which counts where there are few.
        let edge = 1.0 / measured.duration().as_secs_f64();
        let why_not = invalid.or_else(|| step.misses(measured.error_share(), edge, bar));
        Self { why_not, ..step }
    }

    fn misses(&self, error_share: Option<f64>, edge: f64, bar: Bar) -> Option<String> {
        let errors = error_share.unwrap_or(1.0);
        if errors >= ERRORS {
            return Some(format!("{:.1} % of the requests failed", errors * 100.0));
        }
        if self.got + edge < self.wanted * ACHIEVED {
            return Some(format!(
                "{:.1} % of the rate were achieved",
                self.got / self.wanted * 100.0
            ));
        }
        let p99 = self.p99_ms.unwrap_or(f64::INFINITY);
        (p99 >= bar.p99_ms).then(|| format!("p99 was {p99:.1} ms"))
    }

    pub(crate) fn holds(&self) -> bool {
        self.why_not.is_none()
    }
}

/// Searches from `start` on; `probe` runs one rate.
pub(crate) fn search(start: f64, bar: Bar, probe: impl FnMut(f64) -> Step) -> Found {
    let mut search = Search {
        probe,
        steps: Vec::new(),
    };
    let (low, high) = search.bracket(start);
    let best = search.bisect(low, high);
    let rate = search.confirm(best);
    let relaxed = (rate > 0.0).then(|| search.typical(rate * RELAXED));
    Found {
        rate,
        bar,
        steps: search.steps,
        relaxed: relaxed.flatten(),
    }
}

struct Search<P> {
    probe: P,
    steps: Vec<Step>,
}

impl<P: FnMut(f64) -> Step> Search<P> {
    fn at(&mut self, rate: f64) -> Step {
        let step = (self.probe)(rate);
        self.steps.push(step.clone());
        step
    }

    fn holds(&mut self, rate: f64) -> bool {
        self.at(rate).holds()
    }

    /// At once or when it is tried again: one stall of the machine ends no search.
    fn holds_in_two(&mut self, rate: f64) -> bool {
        self.holds(rate) || self.holds(rate)
    }

    /// A rate that holds (0 when none does) and one that does not.
    fn bracket(&mut self, start: f64) -> (f64, f64) {
        let mut rate = start;
        if self.holds_in_two(rate) {
            while rate < HIGHEST {
                if !self.holds_in_two(rate * 2.0) {
                    return (rate, rate * 2.0);
                }
                rate *= 2.0;
            }
            return (rate, rate);
        }
        while rate > LOWEST {
            if self.holds(rate / 2.0) {
                return (rate / 2.0, rate);
            }
            rate /= 2.0;
        }
        (0.0, 0.0)
    }

    fn bisect(&mut self, mut low: f64, mut high: f64) -> f64 {
        while low > 0.0 && high / low > CLOSE {
            let middle = f64::midpoint(low, high).round();
            if middle <= low || middle >= high {
                break;
            }
            if self.holds(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The search rests on one run a rate, and luck passes one. The rate is given back only when
    /// it holds again and again; else a lower one has to.
    fn confirm(&mut self, best: f64) -> f64 {
        let mut rate = best;
        while rate >= LOWEST {
            if (0..CONFIRMATIONS).all(|_| self.holds(rate)) {
                return rate;
            }
            rate *= BACK_OFF;
        }
        0.0
    }

    /// Runs a rate a few times and says which run is the middle one by its p99. A stall of the
    /// machine of a hundredth of a single run would be its figure.
    fn typical(&mut self, rate: f64) -> Option<usize> {
        let first = self.steps.len();
        for _ in 0..RELAXED_RUNS {
            self.at(rate);
        }
        let p99 = |step: &Step| step.p99_ms.unwrap_or(f64::INFINITY);
        let mut runs: Vec<_> = self.steps.iter().enumerate().skip(first).collect();
        runs.sort_by(|(_, a), (_, b)| p99(a).total_cmp(&p99(b)));
        runs.get(RELAXED_RUNS / 2).map(|(place, _)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAR: Bar = Bar { p99_ms: 25.0 };

    /// A server that holds up to `capacity`, but for the tries that `unlucky` names.
    fn server(capacity: f64, unlucky: &'static [usize]) -> impl FnMut(f64) -> Step {
        let mut tries = 0;
        move |rate| {
            tries += 1;
            let holds = rate <= capacity && !unlucky.contains(&tries);
            Step {
                wanted: rate,
                got: rate.min(capacity),
                p50_ms: Some(1.0),
                p99_ms: Some(if holds { 5.0 } else { 500.0 }),
                why_not: (!holds).then(|| "too slow".to_owned()),
            }
        }
    }

    #[test]
    fn a_rate_holds_when_achieved_fast_enough_and_without_errors() {
        let step = |got: f64, p99: f64| Step {
            wanted: 1_000.0,
            got,
            p50_ms: Some(1.0),
            p99_ms: Some(p99),
            why_not: None,
        };
        let misses = |step: Step, errors| step.misses(errors, 0.2, BAR).unwrap_or_default();
        assert_eq!(misses(step(990.0, 24.9), Some(0.009)), "");
        assert_eq!(
            misses(step(989.0, 1.0), Some(0.0)),
            "98.9 % of the rate were achieved"
        );
        assert_eq!(misses(step(1_000.0, 25.0), Some(0.0)), "p99 was 25.0 ms");
        assert_eq!(
            misses(step(1_000.0, 1.0), Some(0.01)),
            "1.0 % of the requests failed"
        );
        assert_eq!(
            misses(step(0.0, 1.0), None),
            "100.0 % of the requests failed"
        );
    }

    #[test]
    fn finds_the_capacity_within_four_percent_from_below() {
        for (start, capacity) in [(100.0, 2_900.0), (100.0, 100.0), (5_000.0, 40.0)] {
            let found = search(start, BAR, server(capacity, &[]));
            assert!(found.rate <= capacity, "{}", found.rate);
            assert!(
                found.rate * CLOSE >= capacity,
                "{} of {capacity}",
                found.rate
            );
        }
    }

    #[test]
    fn confirms_before_it_believes_and_measures_at_seventy_percent() {
        let found = search(100.0, BAR, server(1_000.0, &[]));
        let at_best = found
            .steps
            .iter()
            .filter(|s| (s.wanted - found.rate).abs() < 1e-9)
            .count();
        assert!(at_best >= CONFIRMATIONS, "{at_best}");
        let relaxed = found.relaxed().unwrap();
        assert!((relaxed.wanted - 0.7 * found.rate).abs() < 1e-9);
    }

    #[test]
    fn a_rate_that_held_once_by_luck_is_lowered() {
        let sure = search(100.0, BAR, server(800.0, &[]));
        // Doubling takes six tries and bisection five; the twelfth is the first confirmation.
        let unlucky = search(100.0, BAR, server(800.0, &[12]));
        assert!(
            (unlucky.rate - sure.rate * BACK_OFF).abs() < 1e-6,
            "{} {}",
            unlucky.rate,
            sure.rate
        );
    }

    #[test]
    fn one_stall_on_the_way_up_ends_no_search() {
        let sure = search(100.0, BAR, server(800.0, &[]));
        for stalled in [&[1], &[2], &[3], &[4]] {
            let found = search(100.0, BAR, server(800.0, stalled));
            assert!((found.rate - sure.rate).abs() < 1e-6, "{}", found.rate);
        }
    }

    #[test]
    fn one_stall_at_seventy_percent_is_not_its_figure() {
        let sure = search(100.0, BAR, server(800.0, &[]));
        let last = sure.steps.len();
        for stalled in last - RELAXED_RUNS..last {
            let mut tries = 0;
            let mut server = server(800.0, &[]);
            let found = search(100.0, BAR, |rate| {
                tries += 1;
                let p99_ms = (tries == stalled + 1).then_some(900.0);
                let step = server(rate);
                Step {
                    p99_ms: p99_ms.or(step.p99_ms),
                    ..step
                }
            });
            let relaxed = found.relaxed().unwrap();
            assert_eq!(relaxed.p99_ms, Some(5.0), "the run {stalled} stalled");
            assert!((relaxed.wanted - 0.7 * found.rate).abs() < 1e-9);
        }
    }

    #[test]
    fn a_server_that_holds_nothing_has_no_rate() {
        let found = search(100.0, BAR, server(0.0, &[]));
        assert!(found.rate.abs() < f64::EPSILON);
        assert!(found.relaxed.is_none());
    }
}
