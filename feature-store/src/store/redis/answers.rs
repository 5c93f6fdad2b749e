//! Redis values to ours.

use bytes::Bytes;
use redis::{FromRedisValue as _, Value};

use crate::Millis;
use crate::store::{Due, Error, Key, LogEntry, Partition, Versioned};

pub(super) fn versioned(key: &Key, answer: Value) -> Result<Option<Versioned>, Error> {
    match bytes(answer).map_err(|other| unexpected(key, &other))? {
        Some(packed) => Versioned::unpack(key, packed).map(Some),
        None => Ok(None),
    }
}

pub(super) fn texts(partition: Partition, answer: Value) -> Result<Vec<String>, Error> {
    Vec::<String>::from_redis_value(answer).map_err(|error| Error::corrupt(partition, error))
}

/// A number that is absent before the first is counted.
pub(super) fn count(partition: Partition, answer: Value) -> Result<u64, Error> {
    let count = Option::<u64>::from_redis_value(answer);
    count
        .map(Option::unwrap_or_default)
        .map_err(|error| Error::corrupt(partition, error))
}

/// The least of some numbers; `None` of none.
pub(super) fn least(partition: Partition, answer: Value) -> Result<Option<u64>, Error> {
    let numbers = Vec::<u64>::from_redis_value(answer);
    let numbers = numbers.map_err(|error| Error::corrupt(partition, error))?;
    Ok(numbers.into_iter().min())
}

/// The score of a member, if there is one.
pub(super) fn score(partition: Partition, answer: Value) -> Result<Option<Millis>, Error> {
    let score = Option::<f64>::from_redis_value(answer);
    let score = score.map_err(|error| Error::corrupt(partition, error))?;
    Ok(score.map(millis))
}

/// Members with their scores.
pub(super) fn due(partition: Partition, answer: Value) -> Result<Vec<Due>, Error> {
    let pairs = Vec::<(String, f64)>::from_redis_value(answer);
    let pairs = pairs.map_err(|error| Error::corrupt(partition, error))?;
    let due = pairs.into_iter().map(|(id, score)| Due {
        partition,
        id,
        due_at: millis(score),
    });
    Ok(due.collect())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are written from whole milliseconds, which a double holds for 285,000 years"
)]
fn millis(score: f64) -> Millis {
    Millis(score as i64)
}

/// What XRANGE gives: `[[id, [field, value]], …]`.
pub(super) fn entries(partition: Partition, answer: Value) -> Result<Vec<LogEntry>, Error> {
    let Value::Array(entries) = answer else {
        return Err(unexpected(partition, &answer));
    };
    entries
        .into_iter()
        .map(|value| entry(partition, value))
        .collect()
}

fn entry(partition: Partition, value: Value) -> Result<LogEntry, Error> {
    let malformed = || Error::corrupt(partition, "a log entry has another shape");
    let (id, fields) = pair(value).ok_or_else(malformed)?;
    let (_, value) = pair(fields).ok_or_else(malformed)?;
    let id = bytes(id).ok().flatten().ok_or_else(malformed)?;
    let sequence = std::str::from_utf8(&id)
        .ok()
        .and_then(|id| id.strip_suffix("-0"));
    let sequence = sequence
        .and_then(|number| number.parse().ok())
        .ok_or_else(malformed)?;
    let value = bytes(value).ok().flatten().ok_or_else(malformed)?;
    Ok(LogEntry { sequence, value })
}

fn pair(value: Value) -> Option<(Value, Value)> {
    let Value::Array(values) = value else {
        return None;
    };
    let [first, second] = <[Value; 2]>::try_from(values).ok()?;
    Some((first, second))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Redis has a dozen types of answer, and more to come; two of them are bytes or none"
)]
fn bytes(value: Value) -> Result<Option<Bytes>, Value> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes.into())),
        other => Err(other),
    }
}

fn unexpected(key: impl ToString, answer: &Value) -> Error {
    Error::corrupt(key, format_args!("redis answered {answer:?}"))
}
