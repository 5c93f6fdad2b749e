//! Is this Redis set up to keep what it acknowledges?

use redis::{FromRedisValue as _, Pipeline, Value};

use super::connection::{Connection, Patience};
use crate::store::{Error, Health};

/// Reads the settings that matter. A Redis that forbids that is not ill for it, but unchecked.
pub(super) async fn check(connection: &Connection) -> Result<Health, Error> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("PING");
    for setting in ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"] {
        pipeline.cmd("CONFIG").arg("GET").arg(setting);
    }
    let mut answers = connection
        .send(&pipeline, Patience::Request)
        .await?
        .into_iter();
    connection.success(answers.next().unwrap_or_default())?;
    let mut settings = answers.map(setting);
    let mut next = || settings.next().flatten();
    let (appendonly, appendfsync) = (next(), next());
    let (maxmemory, policy) = (next(), next());
    let warnings = [
        durability(appendonly.as_deref(), appendfsync.as_deref()),
        eviction(maxmemory.as_deref(), policy.as_deref()),
    ];
    Ok(Health {
        warnings: warnings.into_iter().flatten().collect(),
    })
}

/// The value of a setting; `None` when reading it was refused.
fn setting(answer: Value) -> Option<String> {
    let pairs = Vec::<(String, String)>::from_redis_value(answer.extract_error().ok()?).ok()?;
    pairs.into_iter().next().map(|(_, value)| value)
}

fn durability(appendonly: Option<&str>, appendfsync: Option<&str>) -> Option<String> {
    match (appendonly, appendfsync) {
        (Some("yes"), Some("always")) => None,
        (Some(appendonly), Some(appendfsync)) => Some(format!(
            "acknowledged events may be lost when Redis is killed: set appendonly yes, \
             appendfsync always (they are {appendonly}, {appendfsync})"
        )),
        _ => Some(
            "Redis does not allow its settings to be read: make sure of appendonly yes, \
             appendfsync always, maxmemory-policy noeviction"
                .to_owned(),
        ),
    }
}

/// Without a memory limit nothing is evicted, but a limit may be set later.
fn eviction(maxmemory: Option<&str>, policy: Option<&str>) -> Option<String> {
    let policy = policy.filter(|policy| *policy != "noeviction")?;
    let when = if maxmemory == Some("0") {
        "once it has a maxmemory"
    } else {
        "when it is full"
    };
    Some(format!(
        "Redis will delete shoppers {when}: set maxmemory-policy noeviction (it is {policy})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_synced_append_only_file_is_durable() {
        assert_eq!(durability(Some("yes"), Some("always")), None);
        for settings in [("no", "always"), ("yes", "everysec"), ("yes", "no")] {
            let warning = durability(Some(settings.0), Some(settings.1)).expect("a warning");
            assert!(warning.starts_with("acknowledged events may be lost when Redis is killed"));
        }
        assert!(durability(None, None).is_some());
    }

    #[test]
    fn only_noeviction_keeps_everything() {
        assert_eq!(eviction(Some("100"), Some("noeviction")), None);
        assert!(eviction(Some("100"), Some("allkeys-lru")).is_some_and(|w| w.contains("is full")));
        assert!(eviction(Some("0"), Some("volatile-ttl")).is_some_and(|w| w.contains("once")));
        assert_eq!(eviction(None, None), None);
    }
}
