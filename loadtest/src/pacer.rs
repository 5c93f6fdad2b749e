//! Waiting for the next intended start, to some ten microseconds: the runtime's own timers know
//! milliseconds only.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, RuntimeFlavor};

/// How the wait is done.
#[derive(Debug)]
pub(crate) enum Pacer {
    /// On the thread that also sends and receives, by a timer of the kernel among its sockets: no
    /// other thread has to be woken for a request, which costs more than the request.
    Timer(AsyncFd<OwnedFd>),
    /// On a thread of its own, where several send and receive.
    Thread,
}

impl Pacer {
    /// The one for this runtime. Where there is no such timer, a thread waits.
    #[expect(
        deprecated,
        reason = "unsound for types that lie about their descriptor, which an OwnedFd does not; \
                  its successor is unsafe code"
    )]
    pub(crate) fn new(runtime: &Handle) -> Self {
        if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
            be_punctual();
            return Self::Thread;
        }
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok();
        let timer = timer.and_then(|timer| AsyncFd::new(timer).ok());
        timer.map_or(Self::Thread, Self::Timer)
    }

    /// Returns at `due`, or at once when that has passed; others get their turn in between.
    pub(crate) async fn wait_until(&self, due: Instant) {
        let mut waited = false;
        while let Some(left) = left(due) {
            waited = true;
            match self {
                Self::Timer(timer) => until_timer(timer, left).await,
                Self::Thread => std::thread::park_timeout(left),
            }
        }
        if !waited && matches!(self, Self::Timer(_)) {
            tokio::task::yield_now().await;
        }
    }
}

fn left(due: Instant) -> Option<Duration> {
    let left = due.checked_duration_since(Instant::now());
    left.filter(|left| !left.is_zero())
}

/// A failure of the timer ends the wait early; the caller looks at the clock again.
async fn until_timer(timer: &AsyncFd<OwnedFd>, left: Duration) {
    let once = Itimerspec {
        it_interval: Timespec::default(),
        it_value: Timespec::try_from(left).unwrap_or_default(),
    };
    if timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &once).is_err() {
        return tokio::task::yield_now().await;
    }
    // Setting it again forgets what it counted, so nothing has to be read.
    if let Ok(mut ready) = timer.readable().await {
        ready.clear_ready();
    }
}

/// Asks the kernel to wake this thread within a microsecond instead of its usual fifty.
fn be_punctual() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1_000));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_never_too_short_on_either_kind_of_runtime() {
        for threads in [1, 2] {
            let runtime = crate::setup::threads(threads).unwrap();
            runtime.block_on(async {
                let pacer = Pacer::new(runtime.handle());
                for micros in [1, 150, 2_000, 12_345] {
                    let due = Instant::now() + Duration::from_micros(micros);
                    pacer.wait_until(due).await;
                    assert!(Instant::now() >= due, "{threads} threads, {micros} us");
                }
                pacer.wait_until(Instant::now()).await;
            });
        }
    }

    #[test]
    fn a_schedule_that_is_behind_lets_others_work() {
        let runtime = crate::setup::threads(1).unwrap();
        runtime.block_on(async {
            let pacer = Pacer::new(runtime.handle());
            let other = tokio::spawn(async {});
            let past = Instant::now();
            for _ in 0..100 {
                pacer.wait_until(past).await;
            }
            assert!(other.is_finished());
        });
    }
}
