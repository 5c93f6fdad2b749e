//! How many calls may be under way: the formula.
//!
//! A window of calls has a median time `now` for each method; `base` is what the method takes when
//! nobody is in its way. The gradient is that of Gradient2 in Netflix' concurrency-limits
//! (`Gradient2Limit`), weighted over the methods by their calls:
//!
//! ```text
//! gradient = clamp((TOLERANCE · base + SLACK) / now, 1/2, 1)
//! limit'   = limit + SMOOTHING · (gradient · limit + √limit − limit)
//! ```
//!
//! Four things differ from it.
//!
//! - Some milliseconds are no overload, however short a call is on a quiet machine: nobody is turned
//!   away for a wait that no caller would notice.
//! - The limit holds, and gives way to slowness, only while calls wait for a thread of ours, or our
//!   threads for a core. The time to the first poll of a call's task is queueing in this process and
//!   nothing else; where both are short, the calls are slow because they wait for something else,
//!   which costs nothing here.
//!   WeChat's DAGOR takes the same signal for the same reason ("Overload Control for Scaling WeChat
//!   Microservices", SoCC 2018, section 4.1).
//! - `base` falls fast and rises slowly, sixty times more slowly while the limit holds calls back: a
//!   long overload does not become what is normal.
//! - A role behind this one that refuses is overloaded by what we hand on: the limit is cut by the
//!   share of calls that it refused, at least by [`LEAST_CUT`], as in AIMD.

use std::time::Duration;

/// Calls may take this many times what they take on a quiet machine. A machine at 70 % of what it
/// can do takes about twice as long (M/M/1: 1 / (1 − 0.7) = 3.3 in the mean, less in the median).
const TOLERANCE: f64 = 2.0;
/// Seconds on top: a fifth of the 25 ms in which a decision has to be made.
const SLACK: f64 = 0.005;
const STEEPEST: f64 = 0.5;
const SMOOTHING: f64 = 0.2;
/// Calls that wait this long for a thread have a busy process around them.
pub(super) const BUSY: Duration = Duration::from_millis(1);
const LEAST_CUT: f64 = 0.05;
/// Where the limit starts, within its bounds.
const START: f64 = 64.0;

/// Share of the distance by which `base` follows a faster window.
const FALL: f64 = 0.1;
/// In how long it follows a slower one, e-fold.
const RISE: Duration = Duration::from_secs(60);
const RISE_WHILE_LIMITED: Duration = Duration::from_secs(3_600);

/// The calls of a window.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Median time and number of whole answers, by method.
    pub(super) methods: Vec<(Duration, u32)>,
    /// Median wait for a thread.
    pub(super) lag: Duration,
    /// Share of the calls for which a role behind this one said that it is overloaded, 0 to 1.
    pub(super) pressed: f64,
    /// Our threads waited for cores that others had.
    pub(super) starved: bool,
    /// Most calls under way at a time.
    pub(super) peak: usize,
    /// How long the window was.
    pub(super) length: Duration,
}

/// The limit and what it goes by.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    value: f64,
    least: f64,
    most: f64,
    /// Seconds, by method; `None` before the first window with calls of it.
    bases: Vec<Option<f64>>,
}

impl Limit {
    pub(super) fn new(least: u32, most: u32, methods: usize) -> Self {
        let (least, most) = (f64::from(least.min(most)), f64::from(most));
        Self {
            value: START.clamp(least, most),
            least,
            most,
            bases: vec![None; methods],
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped between two u32"
    )]
    pub(super) fn get(&self) -> usize {
        self.value as usize
    }

    /// Takes a window into account.
    pub(super) fn update(&mut self, seen: &Seen) {
        let peak = f64::from(u32::try_from(seen.peak).unwrap_or(u32::MAX));
        let limited = peak >= self.value.floor();
        let gradient = self.gradient(seen, limited);
        let used = 2.0 * peak >= self.value;
        let value = if seen.pressed > 0.0 {
            let cut = seen.pressed.clamp(LEAST_CUT, STEEPEST);
            self.value.min(2.0 * peak) * (1.0 - cut)
        } else if used {
            let ours = seen.lag >= BUSY || seen.starved;
            let gradient = if ours { gradient } else { 1.0 };
            let wanted = gradient * self.value + self.value.sqrt();
            self.value + SMOOTHING * (wanted - self.value)
        } else {
            self.value
        };
        self.value = value.clamp(self.least, self.most);
    }

    fn gradient(&mut self, seen: &Seen, limited: bool) -> f64 {
        let (mut weighted, mut calls) = (0.0, 0.0);
        for (base, (now, count)) in self.bases.iter_mut().zip(&seen.methods) {
            let now = now.as_secs_f64();
            if *count == 0 || now <= 0.0 {
                continue;
            }
            let base = base.get_or_insert(now);
            *base += (now - *base) * follow(*base, now, seen.length, limited);
            weighted +=
                f64::from(*count) * ((TOLERANCE * *base + SLACK) / now).clamp(STEEPEST, 1.0);
            calls += f64::from(*count);
        }
        if calls > 0.0 { weighted / calls } else { 1.0 }
    }
}

fn follow(base: f64, now: f64, length: Duration, limited: bool) -> f64 {
    if now < base {
        return FALL;
    }
    let rise = if limited { RISE_WHILE_LIMITED } else { RISE };
    (length.as_secs_f64() / rise.as_secs_f64()).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    fn window(limit: &Limit, ms: f64, lag_ms: u64) -> Seen {
        Seen {
            methods: vec![(Duration::from_secs_f64(ms / 1e3), 100)],
            lag: Duration::from_millis(lag_ms),
            pressed: 0.0,
            starved: false,
            peak: limit.get(),
            length: WINDOW,
        }
    }

    /// A server that answers `per_second` calls, each in `quiet_ms` when alone: calls beyond that
    /// queue for its threads.
    fn serve(limit: &mut Limit, per_second: f64, quiet_ms: f64, windows: usize) {
        for _ in 0..windows {
            let full = limit.value / per_second * 1e3;
            let ms = full.max(quiet_ms);
            let waits = ms - quiet_ms;
            let mut seen = window(limit, ms, 0);
            seen.lag = Duration::from_secs_f64(waits / 1e3);
            limit.update(&seen);
        }
    }

    #[test]
    fn settles_where_calls_take_about_twice_what_they_take_alone() {
        let mut limit = Limit::new(4, 1_000, 1);
        // Alone a call takes 10 ms, and 10,000 a second are possible: 100 under way suffice.
        limit.update(&Seen {
            peak: 1,
            ..window(&limit, 10.0, 0)
        });
        serve(&mut limit, 10_000.0, 10.0, 600);
        let settled = limit.get();
        assert!((150..=320).contains(&settled), "{settled}");
        serve(&mut limit, 10_000.0, 10.0, 6_000);
        let later = limit.get();
        assert!(
            later <= settled + settled / 4,
            "{settled}, ten minutes later {later}"
        );
        serve(&mut limit, 2_000.0, 10.0, 300);
        let slower = limit.get();
        assert!(
            slower < settled / 2,
            "{settled}, then with a fifth of the machine {slower}"
        );
    }

    #[test]
    fn slowness_that_is_not_ours_does_not_shrink_it() {
        let mut limit = Limit::new(16, 1_000, 1);
        let quiet = Seen {
            peak: 1,
            ..window(&limit, 1.0, 0)
        };
        limit.update(&quiet);
        let before = limit.get();
        for _ in 0..100 {
            limit.update(&window(&limit, 200.0, 0));
        }
        assert!(limit.get() > before, "{before}, then {}", limit.get());
    }

    #[test]
    fn slowness_for_want_of_cores_shrinks_it() {
        let mut limit = Limit::new(16, 1_000, 1);
        let quiet = Seen {
            peak: 1,
            ..window(&limit, 1.0, 0)
        };
        limit.update(&quiet);
        for _ in 0..100 {
            limit.update(&Seen {
                starved: true,
                ..window(&limit, 20.0, 0)
            });
        }
        assert_eq!(limit.get(), 16);
    }

    #[test]
    fn a_role_behind_that_refuses_cuts_it_at_once() {
        let mut limit = Limit::new(16, 1_000, 1);
        for (pressed, allowed) in [(0.01, 61), (0.9, 32)] {
            let mut limit = limit.clone();
            limit.update(&Seen {
                pressed,
                ..window(&limit, 1.0, 0)
            });
            assert!(limit.get() <= allowed, "{pressed}: {}", limit.get());
        }
        let few = Seen {
            pressed: 0.01,
            peak: 10,
            ..window(&limit, 1.0, 0)
        };
        limit.update(&few);
        assert_eq!(limit.get(), 19, "twice what was used, less a twentieth");
    }

    #[test]
    fn a_limit_that_nobody_needs_stays() {
        let mut limit = Limit::new(16, 1_000, 1);
        for _ in 0..1_000 {
            limit.update(&Seen {
                peak: 5,
                ..window(&limit, 50.0, 9)
            });
        }
        assert_eq!(limit.get(), 64);
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds_whatever_it_sees(
            least in 1_u32..200,
            more in 0_u32..2_000,
            windows in prop::collection::vec((0_u64..5_000_000, 0_u32..500, 0_u64..50, 0.0..1.0_f64, any::<bool>(), 0_usize..5_000), 1..100),
        ) {
            let most = least + more;
            let mut limit = Limit::new(least, most, 1);
            for (micros, count, lag_ms, pressed, starved, peak) in windows {
                limit.update(&Seen {
                    methods: vec![(Duration::from_micros(micros), count)],
                    lag: Duration::from_millis(lag_ms),
                    pressed,
                    starved,
                    peak,
                    length: WINDOW,
                });
                let now = u32::try_from(limit.get()).expect("a small number");
                prop_assert!((least..=most).contains(&now), "{now} is not in {least} to {most}");
            }
        }
    }
}
