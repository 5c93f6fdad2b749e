//! The allocator, and when what was freed goes back to the system.

use std::ffi::c_long;

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};

/// A decision makes some thousand small allocations, and frees many of them on another thread than
/// they were made on: measured, glibc takes a tenth more CPU for a decision.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Its name, as the metrics have it.
pub(crate) const NAME: &str = "mimalloc";

/// `mi_option_purge_delay` of mimalloc 3, which the binding has no name for: milliseconds for which
/// freed memory is kept.
const PURGE_DELAY: mi_option_t = 15;
/// An hour: in effect until [`give_back`] is called.
const KEPT_MS: c_long = 3_600_000;

/// Keeps what is freed for the next one who asks. By itself the allocator gives it back after a
/// tenth of a second, on whatever thread comes by: when a generation of some hundred MiB is freed,
/// that is a thread that answers. And the generation that takes its place asks for as much again at
/// once, page for page from the system; on a virtual machine whose host takes free pages away, all
/// of its cores stood still for that, up to 40 ms at a time.
pub(crate) fn keep_freed() {
    // SAFETY: sets a number that the allocator reads when it next frees; it may be set at any time.
    #[expect(unsafe_code, reason = "the allocator's own interface")]
    unsafe {
        mi_option_set(PURGE_DELAY, KEPT_MS);
    }
    // Ends a delay that was begun as short as it was.
    give_back();
    kit::memory::give_back_by(give_back);
}

/// Gives what is free back to the system, which takes about as long as clearing it.
fn give_back() {
    // SAFETY: may be called at any time by any thread.
    #[expect(unsafe_code, reason = "the allocator's own interface")]
    unsafe {
        mi_collect(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident_mib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("RssAnon:")).unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1_024
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the allocator would give back by the clock"
    )]
    fn what_is_freed_is_kept_until_it_is_given_back() {
        keep_freed();
        let before = resident_mib();
        let generation: Vec<Vec<u64>> = (0..300).map(|n| vec![n + 1; 131_072]).collect();
        assert!(resident_mib() >= before + 290);
        drop(generation);
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(vec![1u8; 9_000_000]);
        assert!(resident_mib() >= before + 200, "it was given back at once");
        kit::memory::give_back();
        assert!(
            resident_mib() <= before + 50,
            "{} MiB, {before} before",
            resident_mib()
        );
    }
}
