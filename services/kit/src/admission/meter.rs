//! What calls take now: measured in windows, from which the limit and the refusals follow.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Pressure;
use super::histogram::{Counts, Histogram};
use super::limit::{BUSY, Limit, Seen};
use super::starvation;

const WINDOW: Duration = Duration::from_millis(100);
/// A window with fewer calls is kept open, up to the longest.
const CALLS: u32 = 20;
const LONGEST_WINDOW: Duration = Duration::from_secs(1);
/// What a call needs at least is a low percentile of what such calls took: it refuses only what
/// hardly ever works.
const NEED_PERCENT: u32 = 10;
/// Fewer calls of a method say nothing of what it needs.
const NEED_CALLS: u32 = 10;
/// Weight of one call in the mean wait for a thread.
const LAG_WEIGHT: u64 = 16;
/// How long that mean is believed when no call comes to a thread.
const LAG_LASTS: Duration = Duration::from_millis(50);
/// How long after a role behind this one refused the limit holds.
const PRESSED_LASTS: Duration = Duration::from_secs(1);
/// How long after a window in which this process was starved it counts as starved: while the limit
/// holds, there is less to do, and the next windows may look better than the load is.
const STARVED_LASTS: Duration = Duration::from_secs(1);
/// How long after its window a need is believed. Without that, a method whose every call is
/// refused would never be tried again.
const NEED_LASTS: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Method {
    times: Histogram,
    /// What a call needs at least, in µs.
    need: AtomicU64,
}

#[derive(Debug)]
struct Window {
    limit: Limit,
    opened: Instant,
}

/// Measures, and moves the limit.
#[derive(Debug)]
pub(super) struct Meter {
    start: Instant,
    methods: Box<[Method]>,
    lag: Histogram,
    /// The mean wait of the last calls in ns, and when it was last moved, in ns since the start.
    mean_lag: AtomicU64,
    mean_lag_at: AtomicU64,
    /// Until when the roles behind this one count as pressed, in ns since the start.
    pressed_until: AtomicU64,
    /// Until when this process counts as starved, in ns since the start.
    starved_until: AtomicU64,
    came: AtomicU32,
    done: AtomicU32,
    peak: AtomicUsize,
    pressure: Pressure,
    /// When the window may end, in ns since the start.
    next: AtomicU64,
    /// Until when needs are believed, in ns since the start.
    believed: AtomicU64,
    window: Mutex<Window>,
}

impl Meter {
    pub(super) fn new(limit: Limit, methods: usize, pressure: Pressure, now: Instant) -> Self {
        let method = || Method {
            times: Histogram::new(),
            need: AtomicU64::new(0),
        };
        Self {
            start: now,
            methods: std::iter::repeat_with(method).take(methods).collect(),
            lag: Histogram::new(),
            mean_lag: AtomicU64::new(0),
            mean_lag_at: AtomicU64::new(0),
            pressed_until: AtomicU64::new(0),
            starved_until: AtomicU64::new(0),
            came: AtomicU32::new(0),
            done: AtomicU32::new(0),
            peak: AtomicUsize::new(0),
            pressure,
            next: AtomicU64::new(nanos(WINDOW)),
            believed: AtomicU64::new(0),
            window: Mutex::new(Window { limit, opened: now }),
        }
    }

    /// So many calls are under way.
    pub(super) fn under_way(&self, calls: usize) {
        if calls > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(calls, Ordering::Relaxed);
        }
    }

    /// A call waited this long for a thread. Two threads may move the mean at once: then one of
    /// them is not counted.
    pub(super) fn waited(&self, lag: Duration, now: Instant) {
        self.lag.record(lag);
        let mean = self.mean_lag.load(Ordering::Relaxed);
        let mean = mean - mean / LAG_WEIGHT + nanos(lag) / LAG_WEIGHT;
        self.mean_lag.store(mean, Ordering::Relaxed);
        self.mean_lag_at
            .store(self.since_start(now), Ordering::Relaxed);
    }

    /// Whether the limit holds: only while calls wait for a thread of ours or our threads for a
    /// core, or a role behind this one is pressed. Calls that wait for something else cost nothing.
    pub(super) fn holds(&self, now: Instant) -> bool {
        let now = self.since_start(now);
        let known = now.saturating_sub(self.mean_lag_at.load(Ordering::Relaxed)) < nanos(LAG_LASTS);
        known && self.mean_lag.load(Ordering::Relaxed) >= nanos(BUSY)
            || now < self.pressed_until.load(Ordering::Relaxed)
            || now < self.starved_until.load(Ordering::Relaxed)
    }

    /// A call has come.
    pub(super) fn came(&self) {
        self.came.fetch_add(1, Ordering::Relaxed);
    }

    /// A call has ended. `time` is what it took when it was answered in full.
    pub(super) fn done(&self, method: usize, time: Option<Duration>) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if let (Some(method), Some(time)) = (self.methods.get(method), time) {
            method.times.record(time);
        }
    }

    /// What a call of this method needs at least; zero when that is not known.
    pub(super) fn need(&self, method: usize, now: Instant) -> Duration {
        if self.since_start(now) >= self.believed.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let need = self.methods.get(method).map(|method| &method.need);
        Duration::from_micros(need.map_or(0, |need| need.load(Ordering::Relaxed)))
    }

    /// Ends the window when it is time; then it gives the new limit.
    pub(super) fn roll(&self, now: Instant) -> Option<usize> {
        let since_start = self.since_start(now);
        let due = self.next.load(Ordering::Relaxed);
        if since_start < due {
            return None;
        }
        let next = since_start + nanos(WINDOW);
        self.next
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
            .ok()?;
        let mut window = self.window.try_lock().ok()?;
        let length = now.saturating_duration_since(window.opened);
        // In a standstill calls only come, after it they only end.
        let came = self.came.load(Ordering::Relaxed);
        let calls = came.max(self.done.load(Ordering::Relaxed));
        if calls < CALLS && length < LONGEST_WINDOW {
            return None;
        }
        window.opened = now;
        self.came.store(0, Ordering::Relaxed);
        if starvation::is_starved(now) {
            let until = since_start + nanos(STARVED_LASTS);
            self.starved_until.store(until, Ordering::Relaxed);
        }
        let starved = since_start < self.starved_until.load(Ordering::Relaxed);
        self.pressure.set_starved(starved);
        let seen = self.close(starved);
        if seen.pressed > 0.0 {
            let until = since_start + nanos(PRESSED_LASTS);
            self.pressed_until.store(until, Ordering::Relaxed);
        }
        self.believed
            .store(since_start + nanos(NEED_LASTS), Ordering::Relaxed);
        if calls >= CALLS {
            window.limit.update(&seen);
        }
        Some(window.limit.get())
    }

    /// Reads the window and empties it.
    fn close(&self, starved: bool) -> Seen {
        let done = self.done.swap(0, Ordering::Relaxed).max(1);
        let pressed = f64::from(self.pressure.take()) / f64::from(done);
        let methods = self.methods.iter().map(|method| {
            let times = method.times.take();
            method.need.store(need(&times), Ordering::Relaxed);
            (times.percentile(50), times.total())
        });
        Seen {
            methods: methods.collect(),
            lag: self.lag.take().percentile(50),
            pressed: pressed.min(1.0),
            starved,
            peak: self.peak.swap(0, Ordering::Relaxed),
        }
    }

    fn since_start(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.start))
    }
}

fn need(times: &Counts) -> u64 {
    if times.total() < NEED_CALLS {
        return 0;
    }
    let need = times.percentile(NEED_PERCENT).as_micros();
    u64::try_from(need).unwrap_or(u64::MAX)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(start: Instant) -> Meter {
        Meter::new(Limit::new(1, 100, 2), 2, Pressure::default(), start)
    }

    #[test]
    fn a_need_is_what_the_quickest_tenth_took_and_is_forgotten_after_a_second() {
        let start = Instant::now();
        let meter = meter(start);
        for ms in 1..=100 {
            meter.came();
            meter.done(0, Some(Duration::from_millis(ms)));
        }
        meter.done(1, Some(Duration::from_millis(50)));
        assert_eq!(meter.need(0, start), Duration::ZERO, "not known yet");
        let end = start + WINDOW;
        assert!(meter.roll(end).is_some());
        let need = meter.need(0, end);
        assert!(
            need > Duration::from_millis(7) && need <= Duration::from_millis(10),
            "{need:?}"
        );
        assert_eq!(meter.need(1, end), Duration::ZERO, "one call says nothing");
        assert_eq!(meter.need(0, end + NEED_LASTS), Duration::ZERO);
    }

    #[test]
    fn a_window_with_few_calls_stays_open_for_a_second() {
        let start = Instant::now();
        let meter = meter(start);
        meter.came();
        meter.done(0, Some(Duration::from_millis(1)));
        assert_eq!(meter.roll(start + WINDOW), None);
        assert_eq!(meter.roll(start + WINDOW / 2), None, "not before its time");
        assert_eq!(
            meter.roll(start + LONGEST_WINDOW),
            Some(64),
            "and moves nothing then"
        );
    }

    #[test]
    fn the_limit_holds_while_calls_wait_for_threads_and_not_on_one_hiccup() {
        let start = Instant::now();
        let meter = meter(start);
        let now = start + WINDOW;
        assert!(!meter.holds(now));
        meter.waited(Duration::from_millis(10), now);
        assert!(!meter.holds(now), "one in a row of quick ones");
        for _ in 0..5 {
            meter.waited(Duration::from_millis(10), now);
        }
        assert!(meter.holds(now));
        assert!(!meter.holds(now + LAG_LASTS), "nothing is known any more");
    }

    #[test]
    fn the_limit_holds_for_a_second_after_a_role_behind_refused() {
        let start = Instant::now();
        let pressure = Pressure::default();
        let meter = Meter::new(Limit::new(1, 100, 2), 2, pressure.clone(), start);
        (0..CALLS).for_each(|_| meter.came());
        pressure.felt();
        let end = start + WINDOW;
        assert!(meter.roll(end).is_some());
        assert!(meter.holds(end) && !meter.holds(end + PRESSED_LASTS));
    }
}
