//! A store whose logs a command reads.

use std::path::Path;

use feature_store::FeatureStore;
use kit::config::Secret;

use crate::failure::{Failure, OrFail as _};

/// Opens the Redis of the roles, or the folder of an embedded store that no server is using.
pub(crate) async fn open(
    redis: Option<&str>,
    key_prefix: &str,
    folder: Option<&Path>,
) -> anyhow::Result<FeatureStore> {
    let mut config = ::features::Config {
        redis: redis.map(Secret::new),
        key_prefix: key_prefix.to_owned(),
        ..::features::Config::default()
    };
    if let Some(folder) = folder {
        if !folder.is_dir() {
            let message = format!("--store is {}, which is no folder", folder.display());
            return Err(Failure::usage(message)
                .hint("name the folder of a store")
                .into());
        }
        folder.clone_into(&mut config.data);
    }
    ::features::open_store(&config).await.or_hint(
        "an embedded store has one owner at a time: stop its server, or read another's Redis",
    )
}
