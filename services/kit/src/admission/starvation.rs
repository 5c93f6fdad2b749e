//! Whether this process gets the cores that it asks for.
//!
//! The scheduler counts, for each thread, how long it ran and how long it could have run and had no
//! core (`/proc/thread-self/schedstat`, in `Documentation/scheduler/sched-stats.rst` of Linux). A
//! process that shares its cores with others reads its own queueing as quick: while it has no core it
//! sees no call come, so the wait of a call for a thread cannot show it.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

/// A thread that wants a core this share of the time, and has none for [`WAITING`] of that, is one of
/// too many: what it works on is slow for want of cores. A thread that sleeps in between can catch up.
const WANTING: f64 = 0.85;
const WAITING: f64 = 0.2;

thread_local! {
    static OWN: RefCell<Option<Watch>> = RefCell::new(Watch::open());
}

/// Whether this thread was starved since it last asked. Never where the kernel does not tell, and
/// not at the first call.
pub(super) fn is_starved(now: Instant) -> bool {
    let since = OWN.with_borrow_mut(|own| own.as_mut().and_then(|watch| watch.since_last(now)));
    since.is_some_and(Spent::is_starved)
}

struct Watch {
    file: File,
    last: Option<(Instant, Spent)>,
}

impl Watch {
    fn open() -> Option<Self> {
        let file = File::open("/proc/thread-self/schedstat").ok()?;
        Some(Self { file, last: None })
    }

    fn since_last(&mut self, now: Instant) -> Option<Spent> {
        let mut text = [0; 96];
        let length = self.file.read_at(&mut text, 0).ok()?;
        let spent = Spent::parse(text.get(..length)?)?;
        let (then, before) = self.last.replace((now, spent))?;
        Some(Spent {
            ran: spent.ran.saturating_sub(before.ran),
            waited: spent.waited.saturating_sub(before.waited),
            wall: now.saturating_duration_since(then),
        })
    }
}

/// What a thread did with some time; the rest of `wall` it slept.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spent {
    ran: Duration,
    waited: Duration,
    wall: Duration,
}

impl Spent {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
        let mut next = || Some(Duration::from_nanos(words.next()?.parse().ok()?));
        Some(Self {
            ran: next()?,
            waited: next()?,
            wall: Duration::ZERO,
        })
    }

    fn is_starved(self) -> bool {
        let wanted = self.ran + self.waited;
        wanted >= self.wall.mul_f64(WANTING) && self.waited >= wanted.mul_f64(WAITING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(ran: u64, waited: u64) -> Spent {
        Spent {
            ran: Duration::from_millis(ran),
            waited: Duration::from_millis(waited),
            wall: Duration::from_millis(100),
        }
    }

    #[test]
    fn who_waits_much_and_never_sleeps_is_starved() {
        assert!(spent(50, 45).is_starved());
        assert!(!spent(95, 5).is_starved(), "it has its core");
        assert!(!spent(50, 30).is_starved(), "it sleeps in between");
        assert!(!spent(10, 20).is_starved(), "it can catch up");
    }

    #[test]
    fn the_kernel_tells_in_nanoseconds() {
        let told = Spent::parse(b"1500000000 250000000 77\n").unwrap();
        assert_eq!(told.ran, Duration::from_millis(1_500));
        assert_eq!(told.waited, Duration::from_millis(250));
        assert_eq!(Spent::parse(b"12"), None);
        assert_eq!(Spent::parse(b"a b c"), None);
    }

    #[test]
    fn a_thread_hears_of_itself_where_the_kernel_tells() {
        let Some(mut watch) = Watch::open() else {
            return;
        };
        let start = Instant::now();
        assert_eq!(watch.since_last(start), None, "nothing to compare with yet");
        while start.elapsed() < Duration::from_millis(20) {}
        let spent = watch.since_last(Instant::now()).unwrap();
        assert!(spent.ran > Duration::ZERO, "{spent:?}");
    }
}
