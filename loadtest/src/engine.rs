//! Sends requests on schedule, whatever the server does.
//!
//! The pacer waits for the next intended start, hands the request to the runtime and never waits for
//! an answer. An open loop: a stalled server finds its queue waiting.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::cpu;
use crate::measured::{Answer, Measured, Timing};
use crate::pacer::Pacer;
use crate::schedule::Schedule;
use crate::server_timing;

/// What is sent: one call, or a few that belong together, checked.
pub(crate) trait Operation: Send + Sync + 'static {
    /// Makes request number `request`. What it asks depends on the number only.
    fn call(&self, request: u64) -> impl Future<Output = Answer> + Send;
}

/// How far the generator may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Requests on their way at a time; beyond that they are not sent, and the run is invalid.
    pub(crate) in_flight: usize,
    /// p99 of actual send − intended; above it the run is invalid.
    pub(crate) lag: Duration,
    /// How long after the last request left answers are waited for.
    pub(crate) patience: Duration,
}

/// What is measured so far, readable while the run goes on.
pub(crate) type Shared = Arc<Mutex<Measured>>;

/// Locks a measurement; what a panicking task left behind is still counts.
pub(crate) fn lock(shared: &Mutex<Measured>) -> MutexGuard<'_, Measured> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Run<O> {
    operation: Arc<O>,
    started: Instant,
    measured: Shared,
    in_flight: AtomicUsize,
    draining: AtomicBool,
    drained: Notify,
}

/// The first request leaves this long after the start, so that it is not late by the set-up.
const LEAD: Duration = Duration::from_millis(5);

/// Runs the schedule to its end and waits for the answers. `first` is the number of the first
/// request, so that several runs of one session ask for different things.
pub(crate) fn run<O: Operation>(
    runtime: &Runtime,
    operation: &Arc<O>,
    schedule: &Schedule,
    first: u64,
    limits: &Limits,
    measured: &Shared,
) -> Measured {
    let cpu_before = cpu::of_this_process();
    let run = Arc::new(Run {
        operation: Arc::clone(operation),
        started: Instant::now() + LEAD,
        measured: Arc::clone(measured),
        in_flight: AtomicUsize::new(0),
        draining: AtomicBool::new(false),
        drained: Notify::new(),
    });
    runtime.block_on(async {
        let pacer = Pacer::new(runtime.handle());
        for (request, intended) in (first..).zip(schedule.offsets()) {
            pacer.wait_until(run.started + *intended).await;
            dispatch(&run, request, *intended, limits);
        }
        drain(&run, schedule, limits).await;
    });
    let cpu = cpu::of_this_process().saturating_sub(cpu_before);
    let mut measured = lock(measured);
    measured.cost(cpu, schedule.offsets().len() as u64);
    measured.clone()
}

fn dispatch<O: Operation>(run: &Arc<Run<O>>, request: u64, intended: Duration, limits: &Limits) {
    if run.in_flight.load(Ordering::Relaxed) >= limits.in_flight {
        lock(&run.measured).unsent(intended);
        return;
    }
    run.in_flight.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(one(Arc::clone(run), request, intended));
}

async fn one<O: Operation>(run: Arc<Run<O>>, request: u64, intended: Duration) {
    let sent = run.started.elapsed();
    let answer = run.operation.call(request).await;
    let timing = Timing {
        request,
        intended,
        sent,
        done: run.started.elapsed(),
    };
    server_timing::note(timing.done.saturating_sub(timing.intended));
    lock(&run.measured).record(&timing, answer);
    let before = run.in_flight.fetch_sub(1, Ordering::AcqRel);
    if before == 1 && run.draining.load(Ordering::Acquire) {
        run.drained.notify_one();
    }
}

/// Waits for the answers still out; those that never come are errors.
async fn drain<O>(run: &Run<O>, schedule: &Schedule, limits: &Limits) {
    run.draining.store(true, Ordering::Release);
    let give_up = Instant::now() + limits.patience;
    while run.in_flight.load(Ordering::Acquire) > 0 {
        let Some(left) = give_up.checked_duration_since(Instant::now()) else {
            break;
        };
        let look_again = left.min(Duration::from_millis(50));
        drop(tokio::time::timeout(look_again, run.drained.notified()).await);
    }
    let last = schedule.offsets().last().copied().unwrap_or_default();
    for _ in 0..run.in_flight.load(Ordering::Acquire) {
        lock(&run.measured).lost(last, "NO_ANSWER", "no answer came within the patience");
    }
}

/// Why the figures are the generator's and not the server's; nothing when they are the server's.
pub(crate) fn invalid_because(measured: &Measured, limits: &Limits) -> Option<String> {
    if measured.unsent_count() > 0 {
        return Some(format!(
            "{} requests were not sent: {} were in flight, which is the limit (--in-flight)",
            measured.unsent_count(),
            limits.in_flight
        ));
    }
    if measured.lag().is_empty() {
        return Some("no request was measured".to_owned());
    }
    let lag = measured.lag().percentile_ms(99.0);
    let bound = limits.lag.as_secs_f64() * 1_000.0;
    (lag > bound).then(|| {
        format!(
            "the generator was the bottleneck: p99 of its lag (actual send less intended) is \
             {lag:.1} ms, at most {bound:.1} ms is allowed (--max-lag)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Load, Shape};

    /// Blocks the thread it runs on, as a generator short of CPU would.
    struct Busy(Duration);

    impl Operation for Busy {
        async fn call(&self, _: u64) -> Answer {
            let until = Instant::now() + self.0;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            good()
        }
    }

    /// Waits without blocking, as for a slow server.
    struct Slow(Duration);

    impl Operation for Slow {
        async fn call(&self, _: u64) -> Answer {
            tokio::time::sleep(self.0).await;
            good()
        }
    }

    fn good() -> Answer {
        Answer {
            operation: "test",
            failure: None,
            degraded: false,
            generation: String::new(),
            timing: crate::server_timing::ServerTiming::Unsaid,
        }
    }

    fn limits(in_flight: usize) -> Limits {
        Limits {
            in_flight,
            lag: Duration::from_millis(20),
            patience: Duration::from_secs(5),
        }
    }

    fn measure<O: Operation>(operation: O, rate: f64, limits: &Limits) -> Measured {
        let load = Load {
            shape: Shape::Constant,
            rate,
            warmup: Duration::ZERO,
            duration: Duration::from_secs(1),
            seed: 1,
        };
        let schedule = Schedule::new(&load);
        let measured = Measured::new(Duration::ZERO, load.duration, schedule.rate());
        let shared = Arc::new(Mutex::new(measured));
        run(
            &crate::setup::threads(1).unwrap(),
            &Arc::new(operation),
            &schedule,
            0,
            limits,
            &shared,
        )
    }

    #[test]
    fn a_slow_server_does_not_hold_the_next_request_back() {
        let limits = limits(1_000);
        let measured = measure(Slow(Duration::from_millis(300)), 100.0, &limits);
        assert_eq!(measured.requests(), 100);
        assert!(measured.latency().percentile_ms(50.0) < 400.0);
        assert!(measured.lag().percentile_ms(50.0) < 20.0);
    }

    #[test]
    fn a_generator_that_is_the_bottleneck_is_told_on() {
        let limits = limits(10_000);
        // 200 requests a second of 10 ms of CPU each on one thread: it falls behind by half.
        let measured = measure(Busy(Duration::from_millis(10)), 200.0, &limits);
        let why = invalid_because(&measured, &limits).unwrap();
        assert!(why.contains("the generator was the bottleneck"), "{why}");
        // The shopper's wait is in the latency all the same.
        assert!(measured.latency().percentile_ms(90.0) > 300.0);
    }

    #[test]
    fn the_in_flight_limit_invalidates_a_run() {
        let limits = limits(3);
        let measured = measure(Slow(Duration::from_millis(100)), 100.0, &limits);
        let why = invalid_because(&measured, &limits).unwrap();
        assert!(why.contains("3 were in flight"), "{why}");
        assert_eq!(measured.errors()["UNSENT"].count, measured.unsent_count());
        assert_eq!(measured.requests(), 100);
    }

    #[test]
    fn what_never_comes_back_is_an_error_after_the_patience() {
        let limits = Limits {
            patience: Duration::from_millis(100),
            ..limits(1_000)
        };
        let measured = measure(Slow(Duration::from_secs(60)), 10.0, &limits);
        assert_eq!(measured.errors()["NO_ANSWER"].count, 10);
        assert_eq!(measured.error_share(), Some(1.0));
    }
}
