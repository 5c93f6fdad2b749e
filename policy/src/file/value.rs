//! Values of a policy file that TOML has no type for.

use std::time::Duration;

use toml::de::DeValue;

/// Characters of a name.
pub(super) const MAX_NAME: usize = 64;
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// From a minute to a year, with the units m, h or d.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = text.strip_suffix(unit)?;
    let count: u64 = digits
        .parse()
        .ok()
        .filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let duration = Duration::from_secs(count.checked_mul(seconds)?);
    (Duration::from_secs(60)..=LONGEST)
        .contains(&duration)
        .then_some(duration)
}

/// A minute of the day, written as on a clock.
pub(super) fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let part = |part: &str, most: u16| -> Option<u16> {
        let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|n: &u16| plain && *n <= most)
    };
    Some(part(hour, 23)? * 60 + part(minute, 59)?)
}

pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(integer) => integer.as_str().parse().ok(),
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    }
}

/// What was written, for a message: short, however long it is.
pub(super) fn said(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() > MAX_NAME => {
            format!("{:?}…", text.chars().take(MAX_NAME).collect::<String>())
        }
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(list) if list.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
