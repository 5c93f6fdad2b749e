//! The one unit of time.

use std::fmt;
use std::time::Duration;

/// Milliseconds since the Unix epoch.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Millis(pub i64);

impl Millis {
    pub const SECOND: i64 = 1_000;
    pub const MINUTE: i64 = 60 * Self::SECOND;
    pub const HOUR: i64 = 60 * Self::MINUTE;
    pub const DAY: i64 = 24 * Self::HOUR;

    /// Earliest and latest value.
    pub const MIN: Self = Self(i64::MIN);
    pub const MAX: Self = Self(i64::MAX);

    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(by)))
    }

    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(by)))
    }

    /// The start of the tile of this width that holds `self`. A width of zero leaves it as it is.
    #[must_use]
    pub fn floor(self, width: Duration) -> Self {
        let width = whole_millis(width);
        if width == 0 {
            return self;
        }
        Self(self.0.saturating_sub(self.0.rem_euclid(width)))
    }

    /// Milliseconds from `earlier` to `self`; 0 when `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// Seconds from `earlier` to `self`; 0 when `earlier` is the later one.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.since(earlier) / Self::SECOND
    }

    /// Number of the hour since the epoch.
    pub(crate) fn hour(self) -> i64 {
        self.0.div_euclid(Self::HOUR)
    }

    /// Number of the day since the epoch, in UTC.
    pub(crate) fn day(self) -> i64 {
        self.0.div_euclid(Self::DAY)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_towards_the_past_on_both_sides_of_the_epoch() {
        let minute = Duration::from_secs(60);
        assert_eq!(Millis(119_999).floor(minute), Millis(60_000));
        assert_eq!(Millis(60_000).floor(minute), Millis(60_000));
        assert_eq!(Millis(-1).floor(minute), Millis(-60_000));
    }

    #[test]
    fn never_overflows() {
        assert_eq!(Millis::MAX.saturating_add(Duration::MAX), Millis::MAX);
        assert_eq!(Millis::MIN.saturating_sub(Duration::MAX), Millis::MIN);
        assert_eq!(Millis::MIN.floor(Duration::from_secs(7)), Millis::MIN);
        assert_eq!(Millis::MAX.since(Millis::MIN), i64::MAX);
    }
}
