//! Ids of shoppers leave as keyed hashes: whoever reads traces can tell that two requests were about
//! one shopper, and cannot tell or try out who that is without the key.

use std::fmt;

use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

use crate::config::Secret;

/// Bytes of the hash that are shown.
const SHOWN: usize = 8;
const CONTEXT: &str = "cartwright 2026-11 shopper ids in traces";

/// A key for BLAKE3 in its keyed mode.
pub(super) struct ShopperKey([u8; 32]);

impl ShopperKey {
    /// From the configured text; without one a random key, so that hashes of one process fit only
    /// each other.
    pub(super) fn new(configured: Option<&Secret>) -> Self {
        match configured {
            Some(text) => Self(blake3::derive_key(CONTEXT, text.expose().as_bytes())),
            None => {
                let mut key = [0; 32];
                for part in key.chunks_exact_mut(16) {
                    part.copy_from_slice(&RandomIdGenerator::default().new_trace_id().to_bytes());
                }
                Self(key)
            }
        }
    }

    pub(super) fn hash(&self, id: &str) -> String {
        let hash = blake3::keyed_hash(&self.0, id.as_bytes());
        let shown = hash.as_bytes().iter().take(SHOWN);
        shown.map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for ShopperKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShopperKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_gives_one_hash_and_another_key_another() {
        let secret = Secret::new("k");
        let key = ShopperKey::new(Some(&secret));
        let again = ShopperKey::new(Some(&secret)).hash("shopper-1");
        assert_eq!(key.hash("shopper-1"), again);
        assert_eq!(again.len(), 16);
        assert_ne!(key.hash("shopper-2"), again);
        assert_ne!(ShopperKey::new(None).hash("shopper-1"), again);
        assert_ne!(
            ShopperKey::new(None).hash("shopper-1"),
            ShopperKey::new(None).hash("shopper-1")
        );
    }
}
