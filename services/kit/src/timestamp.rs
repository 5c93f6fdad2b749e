//! Times on the wire, kept to the millisecond.

use prost_types::Timestamp;

use crate::{Clock, Violations};

const NANOS_PER_SECOND: i32 = 1_000_000_000;
const NANOS_PER_MILLI: i32 = 1_000_000;
/// The first second of the year 10000, UTC.
const YEAR_10000: i64 = 253_402_300_800;

/// Milliseconds since the Unix epoch. What is finer is dropped.
///
/// # Errors
/// What is wrong with a time that is not one, or not in the years 1970 to 9999.
pub fn decode(timestamp: &Timestamp) -> Result<i64, String> {
    let Timestamp { seconds, nanos } = *timestamp;
    if !(0..NANOS_PER_SECOND).contains(&nanos) {
        return Err(format!("nanos is {nanos}, 0 to 999999999 is allowed"));
    }
    if !(0..YEAR_10000).contains(&seconds) {
        return Err(format!(
            "seconds is {seconds}, the years 1970 to 9999 are allowed"
        ));
    }
    Ok(seconds * 1_000 + i64::from(nanos / NANOS_PER_MILLI))
}

/// Milliseconds since the Unix epoch as the wire has them.
#[must_use]
pub fn encode(ms: i64) -> Timestamp {
    let within_a_second = i32::try_from(ms.rem_euclid(1_000)).unwrap_or_default();
    Timestamp {
        seconds: ms.div_euclid(1_000),
        nanos: within_a_second * NANOS_PER_MILLI,
    }
}

/// The time that a request names in `field`, or the clock's.
pub fn given_or_now(
    violations: &mut Violations,
    field: &str,
    given: Option<&Timestamp>,
    clock: &Clock,
) -> i64 {
    match given.map(decode) {
        None => clock.now_ms(),
        Some(Ok(ms)) => ms,
        Some(Err(why)) => {
            violations.add(field, why);
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_milliseconds_and_drops_what_is_finer() {
        let ms = decode(&Timestamp {
            seconds: 1_569_888_000,
            nanos: 123_999_999,
        })
        .unwrap();
        assert_eq!(ms, 1_569_888_000_123);
        assert_eq!(
            encode(ms),
            Timestamp {
                seconds: 1_569_888_000,
                nanos: 123_000_000
            }
        );
    }

    #[test]
    fn refuses_what_is_no_time() {
        for (seconds, nanos) in [
            (-1, 0),
            (YEAR_10000, 0),
            (i64::MAX, 0),
            (i64::MIN, 0),
            (1, -1),
            (1, NANOS_PER_SECOND),
        ] {
            assert!(
                decode(&Timestamp { seconds, nanos }).is_err(),
                "{seconds} s {nanos} ns"
            );
        }
        assert!(
            decode(&Timestamp {
                seconds: YEAR_10000 - 1,
                nanos: 999_999_999
            })
            .is_ok()
        );
    }

    #[test]
    fn a_time_before_1970_encodes_with_nanos_that_count_up() {
        assert_eq!(
            encode(-1),
            Timestamp {
                seconds: -1,
                nanos: 999_000_000
            }
        );
    }
}
