//! Who is about to name a snapshot, so that nobody collects it meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Registry;
use crate::{Error, crash};

/// How long collecting may take; then it stops by itself.
pub(super) const LEASE: Duration = Duration::from_secs(600);
pub(super) const COLLECTING: &str = "collecting.json";

/// What is about to be named.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Intent {
    pub(super) snapshot: String,
    /// Checksums of its blobs; empty when its manifest is there already.
    pub(super) blobs: Vec<String>,
}

impl Registry {
    /// Says what is about to be named, and makes sure that nobody who has not seen it collects.
    /// Returns the name under which it is said.
    pub(super) async fn intend(&self, intent: &Intent) -> Result<String, Error> {
        let json = serde_json::to_vec(intent).map_err(|e| Error::Manifest {
            detail: e.to_string(),
        })?;
        let mut at = 0_u32;
        let name = loop {
            let name = format!("intents/{}-{at}.json", intent.snapshot);
            if self.create(&name, json.clone()).await? {
                break name;
            }
            at += 1;
        };
        crash::reached("intent");
        match self.collecting_for(&name).await {
            Ok(None) => Ok(name),
            Ok(Some(seconds)) => {
                self.forget(&name).await;
                Err(Error::Collecting {
                    url: self.url.clone(),
                    seconds,
                })
            }
            Err(error) => {
                self.forget(&name).await;
                Err(error)
            }
        }
    }

    /// An intent that stays behind is collected once it is old.
    pub(super) async fn forget(&self, name: &str) {
        let _ = self.delete(name).await;
    }

    /// Seconds for which somebody may still be collecting, seen from an object just written.
    async fn collecting_for(&self, written: &str) -> Result<Option<u64>, Error> {
        let Some(lock) = self.head_of(COLLECTING).await? else {
            return Ok(None);
        };
        let Some(now) = self.head_of(written).await? else {
            return Ok(None);
        };
        let since = (now.last_modified - lock.last_modified).num_seconds();
        let left = i64::try_from(LEASE.as_secs()).unwrap_or(i64::MAX) - since;
        Ok(u64::try_from(left).ok().filter(|left| *left > 0))
    }
}
