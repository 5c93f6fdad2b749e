//! Checks of Redis: reachable, persistent, and not evicting what it was told to keep.

use feature_store::store::{Redis, RedisSettings, Store as _};

use super::Finding;

pub(super) async fn examine(url: &str) -> Vec<Finding> {
    let settings = RedisSettings {
        url: url.to_owned(),
        ..RedisSettings::default()
    };
    let health = match Redis::connect(settings).await {
        Err(error) => return vec![Finding::fail("redis", error.to_string())],
        Ok(store) => store.check().await,
    };
    match health {
        Err(error) => vec![Finding::fail("redis", error.to_string())],
        Ok(health) if health.warnings.is_empty() => {
            vec![Finding::ok(
                "redis",
                "keeps what it acknowledges, and evicts nothing",
            )]
        }
        Ok(health) => health
            .warnings
            .iter()
            .map(|w| Finding::warn("redis", w))
            .collect(),
    }
}
