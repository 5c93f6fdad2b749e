//! Durations as people write them: `250us`, `10ms`, `1.5s`, `2m`.

use std::time::Duration;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("duration is {0:?}, a number with us, ms, s or m is needed, such as 10ms or 1.5s")]
pub(crate) struct NotADuration(String);

/// Reads a duration.
pub(crate) fn parse(text: &str) -> Result<Duration, NotADuration> {
    let bad = || NotADuration(text.to_owned());
    let unit = text
        .find(|c: char| c.is_ascii_alphabetic())
        .ok_or_else(bad)?;
    let (number, unit) = text.split_at(unit);
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
        ] {
            assert_eq!(parse(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn refuses_what_has_no_unit_or_no_sense() {
        for text in ["", "10", "ms", "-1s", "10h", "1e400s", "infs"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("10ms or 1.5s"), "{error}");
        }
        assert!(positive("0s").is_err());
    }
}
