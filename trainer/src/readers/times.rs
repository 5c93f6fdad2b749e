//! Times as the formats write them, to milliseconds since the Unix epoch.

use feature_store::Millis;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::decimal::scaled;

/// RFC 3339, or an integer count of milliseconds since the epoch.
pub(crate) fn canonical(text: &str) -> Option<Millis> {
    if let Ok(millis) = text.parse::<i64>() {
        return Some(Millis(millis));
    }
    text.parse::<Timestamp>()
        .ok()
        .map(|time| Millis(time.as_millisecond()))
}

/// A date and time without a zone, or with the word `UTC` after it.
pub(crate) fn utc(text: &str) -> Option<Millis> {
    let civil: DateTime = text.strip_suffix(" UTC").unwrap_or(text).parse().ok()?;
    let time = TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(Millis(time.as_millisecond()))
}

/// Seconds since the epoch, with or without a fraction.
pub(crate) fn seconds(text: &str) -> Option<Millis> {
    scaled(text, 3).map(Millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_way_of_writing_the_same_time() {
        let expected = Some(Millis(1_569_888_001_000));
        assert_eq!(utc("2019-10-01 00:00:01 UTC"), expected);
        assert_eq!(utc("2019-10-01 00:00:01"), expected);
        assert_eq!(canonical("2019-10-01T02:00:01+02:00"), expected);
        assert_eq!(canonical("2019-10-01T00:00:01Z"), expected);
        assert_eq!(canonical("1569888001000"), expected);
        assert_eq!(seconds("1569888001.0"), expected);
        assert_eq!(seconds("1569888001"), expected);
    }

    #[test]
    fn refuses_what_is_no_time() {
        assert_eq!(utc("yesterday"), None);
        assert_eq!(canonical("2019-10-01"), None);
        assert_eq!(seconds("1.5e9"), None);
    }
}
