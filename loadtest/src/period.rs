//! Durations as people write them: `250us`, `10ms`, `1.5s`, `2m`, and `60` for seconds.

use std::time::Duration;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "duration is {0:?}, seconds or a number with us, ms, s or m is needed, such as 60, 10ms or 1.5s"
)]
pub(crate) struct NotADuration(String);

/// Reads a duration; a number alone is one of seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, NotADuration> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    of(text, number, if unit.is_empty() { "s" } else { unit })
}

/// Reads a duration that says its unit: where a bare number could be meant in another one.
pub(crate) fn with_unit(text: &str) -> Result<Duration, NotADuration> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    of(text, number, unit)
}

fn of(text: &str, number: &str, unit: &str) -> Result<Duration, NotADuration> {
    let bad = || NotADuration(text.to_owned());
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(bad()),
    };
    let number: f64 = number.trim().parse().map_err(|_| bad())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| bad())
}

/// Reads a duration above zero.
pub(crate) fn positive(text: &str) -> Result<Duration, NotADuration> {
    match parse(text)? {
        Duration::ZERO => Err(NotADuration(text.to_owned())),
        period => Ok(period),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        for (text, micros) in [
            ("250us", 250),
            ("10ms", 10_000),
            ("1.5s", 1_500_000),
            ("2m", 120_000_000),
            ("60", 60_000_000),
            ("0.5", 500_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn refuses_what_has_no_sense() {
        for text in ["", "ms", "-1s", "-1", "10h", "1e400s", "infs"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("60, 10ms or 1.5s"), "{error}");
        }
        assert!(positive("0s").is_err() && positive("0").is_err());
        assert!(with_unit("10").is_err() && with_unit("10ms").is_ok());
    }
}
