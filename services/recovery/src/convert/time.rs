//! Times on the wire are `Timestamp` and `Duration`, inside they are milliseconds and `Duration`.

use std::time::Duration;

use prost_types::Timestamp;

/// First and last second of the years 1 to 9999, the range that `Timestamp` allows.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

/// Milliseconds since the Unix epoch; `None` for what is no time.
pub(crate) fn millis(at: &Timestamp) -> Option<i64> {
    let whole = (FIRST_SECOND..=LAST_SECOND).contains(&at.seconds);
    let fraction = (0..1_000_000_000).contains(&at.nanos);
    (whole && fraction).then(|| at.seconds * 1_000 + i64::from(at.nanos / 1_000_000))
}

pub(crate) fn timestamp(millis: i64) -> Timestamp {
    Timestamp {
        seconds: millis.div_euclid(1_000),
        // A remainder of 1,000 always fits.
        nanos: i32::try_from(millis.rem_euclid(1_000)).unwrap_or_default() * 1_000_000,
    }
}

/// The longest that fits where it is longer than 292 billion years.
pub(crate) fn duration(length: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(length.subsec_nanos()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_wire_on_both_sides_of_the_epoch() {
        for at in [0, 1, 999, 1_000, 1_760_000_000_123, -1, -1_001] {
            assert_eq!(millis(&timestamp(at)), Some(at));
        }
    }
}
