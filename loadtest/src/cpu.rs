//! CPU time of this process: it shares the machine with the servers more often than not.

use std::time::Duration;

/// User and system time of all threads so far.
pub(crate) fn of_this_process() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time_and_sleep_does_not() {
        let before = of_this_process();
        let mut sum = 0_u64;
        while of_this_process() - before < Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
