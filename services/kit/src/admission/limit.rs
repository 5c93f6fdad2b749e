//! How many calls may be under way: the formula.
//!
//! A window of calls has a median time `now` for each method; `alone` is what the method takes when
//! nobody is in its way. The limit moves by the gradient of Netflix' concurrency-limits
//! (`Gradient2Limit`), weighted over the methods by their calls:
//!
//! ```text
//! gradient = clamp((TOLERANCE · alone + SLACK) / now, 1/2, 1)
//! limit'   = limit + SMOOTHING · (gradient · limit + √limit − limit)
//! ```
//!
//! Four things differ from it.
//!
//! - The limit holds, and gives way to slowness, only while calls wait for a thread of ours, or our
//!   threads for a core. The time to the first poll of a call's task is queueing in this process and
//!   nothing else; where both are short, the calls are slow because they wait for something else,
//!   which costs nothing here.
//!   WeChat's DAGOR takes the same signal for the same reason ("Overload Control for Scaling WeChat
//!   Microservices", SoCC 2018, section 4.1).
//! - `alone` is no average of what calls took. It falls fast, rises over minutes, and never while the
//!   slowness is ours: an hour of overload, or just below one, is not taken for normal. Nor are a
//!   role's first calls, which make its connections.
//! - Some milliseconds are no overload, however short a call is on a quiet machine: nobody is turned
//!   away for a wait that no caller would notice.
//! - A role behind this one that refuses is overloaded by what we hand on: the limit is cut by the
//!   share of calls that it refused, at least by [`LEAST_CUT`], as in AIMD.

use std::time::Duration;

/// Calls may take this many times what they take on a quiet machine. A machine at 70 % of what it
/// can do takes about twice as long (M/M/1: 1 / (1 − 0.7) = 3.3 in the mean, less in the median).
const TOLERANCE: f64 = 2.0;
/// Seconds on top: a third of the 25 ms in which a decision has to be made.
const SLACK: f64 = 0.008;
const STEEPEST: f64 = 0.5;
const SMOOTHING: f64 = 0.2;
/// Calls that wait this long for a thread have a busy process around them.
pub(super) const BUSY: Duration = Duration::from_millis(1);
const LEAST_CUT: f64 = 0.05;
/// Where the limit starts, within its bounds.
const START: f64 = 64.0;

/// Share of the distance by which `alone` follows a faster window.
const FALL: f64 = 0.1;
/// In how many windows without such waits it follows a slower one, e-fold: ten minutes of them.
const RISE: f64 = 6_000.0;
/// How many of these it takes to know it.
const WARM: u32 = 10;
/// Seconds that a call is thought to take before: a tenth of those 25 ms.
const UNKNOWN: f64 = 0.0025;

/// The calls of a window.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Median time and number of whole answers, by method.
    pub(super) methods: Vec<(Duration, u32)>,
    /// Median wait for a thread.
    pub(super) lag: Duration,
    /// Share of the calls for which a role behind this one said that it is overloaded, 0 to 1.
    pub(super) pressed: f64,
    /// Our threads waited for cores that others had, in this window or shortly before.
    pub(super) starved: bool,
    /// Most calls under way at a time.
    pub(super) peak: usize,
}

impl Seen {
    /// Calls waited for our threads, or these for a core.
    fn is_ours(&self) -> bool {
        self.lag >= BUSY || self.starved
    }
}

/// What a method takes when nobody is in its way.
#[derive(Clone, Debug, Default)]
struct Alone {
    seconds: f64,
    /// How many windows without waits have been seen, up to [`WARM`].
    windows: u32,
}

impl Alone {
    fn follow(&mut self, now: f64, ours: bool) {
        if !ours && self.windows < WARM {
            self.windows += 1;
            self.seconds = now;
        } else if now < self.seconds {
            self.seconds += (now - self.seconds) * FALL;
        } else if !ours {
            self.seconds += (now - self.seconds) / RISE;
        }
    }

    fn seconds(&self) -> f64 {
        if self.windows < WARM {
            UNKNOWN
        } else {
            self.seconds
        }
    }
}

/// The limit and what it goes by.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    value: f64,
    least: f64,
    most: f64,
    /// By method.
    alone: Vec<Alone>,
}

impl Limit {
    pub(super) fn new(least: u32, most: u32, methods: usize) -> Self {
        let (least, most) = (f64::from(least.min(most)), f64::from(most));
        Self {
            value: START.clamp(least, most),
            least,
            most,
            alone: vec![Alone::default(); methods],
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
        let gradient = self.gradient(seen);
        let used = 2.0 * peak >= self.value;
        let value = if seen.pressed > 0.0 {
            let cut = seen.pressed.clamp(LEAST_CUT, STEEPEST);
            self.value.min(2.0 * peak) * (1.0 - cut)
        } else if used {
            let wanted = gradient * self.value + self.value.sqrt();
            self.value + SMOOTHING * (wanted - self.value)
        } else {
            self.value
        };
        self.value = value.clamp(self.least, self.most);
    }

    /// 1 when calls are as quick as they should be, or slow for others; down to 1/2.
    fn gradient(&mut self, seen: &Seen) -> f64 {
        let ours = seen.is_ours();
        let (mut weighted, mut calls) = (0.0, 0.0);
        for (alone, (now, count)) in self.alone.iter_mut().zip(&seen.methods) {
            let now = now.as_secs_f64();
            if *count == 0 || now <= 0.0 {
                continue;
            }
            alone.follow(now, ours);
            let wanted = TOLERANCE * alone.seconds() + SLACK;
            weighted += f64::from(*count) * (wanted / now).clamp(STEEPEST, 1.0);
            calls += f64::from(*count);
        }
        if ours && calls > 0.0 {
            weighted / calls
        } else {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(limit: &Limit, ms: f64, lag_ms: u64) -> Seen {
        Seen {
            methods: vec![(Duration::from_secs_f64(ms / 1e3), 100)],
            lag: Duration::from_millis(lag_ms),
            pressed: 0.0,
            starved: false,
            peak: limit.get(),
        }
    }

    /// A server that answers `per_second` calls, each in `quiet_ms` when alone: calls beyond that
    /// queue for its threads. Gives what a call takes in the end, in ms.
    fn serve(limit: &mut Limit, per_second: f64, quiet_ms: f64, windows: usize) -> f64 {
        for _ in 0..windows {
            let ms = (limit.value / per_second * 1e3).max(quiet_ms);
            let mut seen = window(limit, ms, 0);
            seen.lag = Duration::from_secs_f64((ms - quiet_ms) / 1e3);
            limit.update(&seen);
        }
        (limit.value / per_second * 1e3).max(quiet_ms)
    }

    /// A second of calls that take `ms`, and nobody is in their way.
    fn warm_up(limit: &mut Limit, ms: f64) {
        for _ in 0..WARM {
            let quiet = window(limit, ms, 0);
            limit.update(&Seen { peak: 1, ..quiet });
        }
    }

    #[test]
    fn in_an_overload_calls_take_about_twice_what_they_take_alone_and_some_milliseconds() {
        for per_second in [3_000.0, 50_000.0] {
            for (alone, least, most) in [(2.0, 12.0, 15.0), (10.0, 28.0, 32.0)] {
                let mut limit = Limit::new(4, 10_000, 1);
                warm_up(&mut limit, alone);
                let ms = serve(&mut limit, per_second, alone, 300);
                assert!((least..most).contains(&ms), "{per_second}/s: {ms:.1} ms");
                let later = serve(&mut limit, per_second, alone, 10_000);
                assert!((ms - later).abs() < 0.5, "{per_second}/s: {later:.1} ms");
            }
        }
    }

    #[test]
    fn an_overload_from_the_start_is_not_taken_for_normal() {
        let mut limit = Limit::new(4, 1_000, 1);
        // The first calls make their connections, and wait for nobody of ours.
        limit.update(&window(&limit, 90.0, 0));
        let ms = serve(&mut limit, 3_000.0, 2.0, 600);
        assert!((13.0..16.0).contains(&ms), "{ms:.1} ms");
    }

    #[test]
    fn a_rate_just_below_an_overload_is_not_taken_for_normal() {
        let mut limit = Limit::new(4, 1_000, 1);
        warm_up(&mut limit, 2.0);
        let settled = serve(&mut limit.clone(), 3_000.0, 2.0, 600);
        // Five minutes in which calls wait for threads, and the limit is not reached.
        for _ in 0..3_000 {
            limit.update(&Seen {
                peak: limit.get() / 3,
                ..window(&limit, 12.0, 2)
            });
        }
        let ms = serve(&mut limit, 3_000.0, 2.0, 600);
        assert!((ms - settled).abs() < 0.5, "{settled:.1}, then {ms:.1} ms");
    }

    #[test]
    fn what_calls_take_for_a_quarter_of_an_hour_becomes_normal() {
        let mut limit = Limit::new(16, 1_000, 1);
        warm_up(&mut limit, 1.0);
        for _ in 0..9_000 {
            limit.update(&window(&limit, 40.0, 0));
        }
        let ms = serve(&mut limit, 3_000.0, 40.0, 600);
        assert!(ms > 60.0, "{ms:.1} ms");
    }

    #[test]
    fn slowness_that_is_not_ours_does_not_shrink_it() {
        let mut limit = Limit::new(16, 1_000, 1);
        let before = limit.get();
        for _ in 0..100 {
            limit.update(&window(&limit, 200.0, 0));
        }
        assert!(limit.get() > before, "{before}, then {}", limit.get());
    }

    #[test]
    fn slowness_for_want_of_cores_shrinks_it() {
        let mut limit = Limit::new(16, 1_000, 1);
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
                });
                let now = u32::try_from(limit.get()).expect("a small number");
                prop_assert!((least..=most).contains(&now), "{now} is not in {least} to {most}");
            }
        }
    }
}
