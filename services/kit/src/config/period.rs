//! Spans of time as people write them.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time in settings: `250ms`, `30s`, `30m`, `1h 30m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Period {
    /// A period of milliseconds.
    #[must_use]
    pub const fn millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// A period of seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl std::str::FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        days(text)
            .or_else(|| text.parse::<SignedDuration>().ok())
            .and_then(|signed| Duration::try_from(signed).ok())
            .map(Self)
            .ok_or_else(|| {
                format!("{text:?} is not a span of time such as 250ms, 30s, 30m, 1h 30m or 400d")
            })
    }
}

/// `400d`: a day is 24 hours, whatever the clocks do.
fn days(text: &str) -> Option<SignedDuration> {
    let days: i64 = text.strip_suffix('d')?.parse().ok()?;
    Some(SignedDuration::from_secs(days.checked_mul(24 * 3_600)?))
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(signed) => write!(f, "{signed:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(PeriodVisitor)
    }
}

struct PeriodVisitor;

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span of time such as 250ms, 30s, 30m, 1h 30m or 400d")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
        text.parse()
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_prints_it_back() {
        for (text, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("30m", 1_800_000),
            ("1h 30m", 5_400_000),
            ("2d", 172_800_000),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period, Period::millis(ms), "{text}");
            assert_eq!(
                period.to_string().parse::<Period>().unwrap(),
                period,
                "{text}"
            );
        }
        for nonsense in ["", "30", "soon", "-5m", "-2d", "d"] {
            assert!(nonsense.parse::<Period>().is_err(), "{nonsense}");
        }
    }
}
