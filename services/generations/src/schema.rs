//! Generations of a role that answers from no part of a snapshot.

use std::convert::Infallible;

use kit::Clock;
use snapshot::{Manifest, Snapshot};

use crate::held::Generation;
use crate::keeper::Role;

/// All that such a role holds of a snapshot: that it is there, and was made for the features that
/// this server computes.
#[derive(Clone, Debug)]
pub struct Known {
    id: String,
    loaded_at_ms: i64,
    /// Of the largest embedding space, as the manifest says.
    items: u64,
}

impl Generation for Known {
    fn id(&self) -> &str {
        &self.id
    }

    fn loaded_at_ms(&self) -> i64 {
        self.loaded_at_ms
    }

    fn items(&self) -> usize {
        usize::try_from(self.items).unwrap_or(usize::MAX)
    }

    fn resident_bytes(&self) -> u64 {
        0
    }
}

/// The part of a role that checks what snapshots expect of it, and fetches none of their files.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The role's name.
    pub role: &'static str,
    /// The role's clock.
    pub clock: Clock,
}

impl Schema {
    fn known(&self, id: &str, manifest: &Manifest) -> Known {
        Known {
            id: id.to_owned(),
            loaded_at_ms: self.clock.now_ms(),
            items: manifest
                .spaces
                .iter()
                .map(|space| space.items)
                .max()
                .unwrap_or_default(),
        }
    }
}

impl Role for Schema {
    type Generation = Known;
    type Error = Infallible;

    fn name(&self) -> &'static str {
        self.role
    }

    fn load(&self, snapshot: &Snapshot) -> Result<Known, Infallible> {
        Ok(self.known(snapshot.id(), snapshot.manifest()))
    }

    fn note(&self, id: &str, manifest: &Manifest) -> Option<Known> {
        Some(self.known(id, manifest))
    }
}
