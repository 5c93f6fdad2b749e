//! How long ago something was last heard of.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const NEVER: i64 = i64::MIN;

/// The time of the newest news. Its age is computed when it is read, so that it grows while nothing
/// is heard. Cloning shares the time.
#[derive(Clone, Debug)]
pub struct Age(Arc<AtomicI64>);

impl Default for Age {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NEVER)))
    }
}

impl Age {
    /// Notes news as of `at_ms`.
    pub fn heard(&self, at_ms: i64) {
        self.0.store(at_ms, Ordering::Relaxed);
    }

    /// Seconds since the news at `now_ms`; none before the first.
    #[must_use]
    pub fn seconds(&self, now_ms: i64) -> Option<f64> {
        let at_ms = self.0.load(Ordering::Relaxed);
        (at_ms != NEVER).then(|| seconds(now_ms.saturating_sub(at_ms).max(0)))
    }
}

/// Milliseconds as seconds.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "times after the year 285,000 need no precision"
)]
pub fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_ages_and_nothing_heard_has_no_age() {
        let age = Age::default();
        assert_eq!(age.seconds(1_000), None);
        age.heard(1_000);
        assert_eq!(age.seconds(3_500), Some(2.5));
        assert_eq!(age.seconds(500), Some(0.0), "clocks may differ");
    }
}
