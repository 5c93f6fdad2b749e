//! The store that the settings name.

use std::sync::Arc;

use feature_store::store::{Embedded, EmbeddedSettings, Redis, RedisSettings, Store};
use feature_store::{FeatureStore, Settings, store};

use crate::config::{Config, Durability};
use crate::error::Error;

/// Opens Redis when the settings name one, else the embedded store.
///
/// # Errors
/// When Redis does not answer, or another process has the folder.
pub async fn open_store(config: &Config) -> Result<FeatureStore, Error> {
    let settings = Settings {
        idle: config.idle.0,
    };
    let store = match &config.redis {
        Some(url) => redis(url.expose(), &config.key_prefix).await?,
        None => embedded(config)?,
    };
    Ok(FeatureStore::new(store, settings))
}

async fn redis(url: &str, key_prefix: &str) -> Result<Arc<dyn Store>, Error> {
    let settings = RedisSettings {
        url: url.to_owned(),
        key_prefix: key_prefix.to_owned(),
        ..RedisSettings::default()
    };
    let opened = Redis::connect(settings).await.map_err(named("redis"))?;
    Ok(Arc::new(opened))
}

fn embedded(config: &Config) -> Result<Arc<dyn Store>, Error> {
    let settings = EmbeddedSettings {
        path: config.data.clone(),
        durability: config.durability.into(),
    };
    let opened = Embedded::open(settings).map_err(named("embedded"))?;
    Ok(Arc::new(opened))
}

impl From<Durability> for store::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Process => Self::Process,
            Durability::Power => Self::Power,
        }
    }
}

pub(crate) fn named(store: &'static str) -> impl Fn(store::Error) -> Error {
    move |source| Error::Store { store, source }
}
