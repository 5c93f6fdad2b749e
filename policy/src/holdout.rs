//! People who are left alone for good, so that what the actions are worth can be measured.
//!
//! Whether a person is among them is a function of a salt and their id: nothing is stored, no
//! replica can disagree, and nobody changes sides from one day to the next. The id is hashed with
//! a key derived from the salt, so that one holdout says nothing about another, and the hash is
//! compared with the share: raising the share keeps everybody in who was.
//!
//! A person is held out if any of their aliases is. Linking can therefore move somebody in, never
//! out, and someone with `k` aliases is in with probability `1 − (1 − share)^k`, which
//! [`Holdout::chance`] gives for the sample-ratio alarm and for weighting.

/// Of how many parts the share is counted.
const WHOLE: u64 = 1_000_000;
const CONTEXT: &str = "cartwright holdout v1: salt to key";

/// One holdout. The salt names it: another salt is another holdout, for the next experiment.
#[derive(Clone, PartialEq, Eq)]
pub struct Holdout {
    key: [u8; 32],
    parts: u64,
}

/// A holdout that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HoldoutError {
    #[error("share is {0}, it has to be from 0 to 0.5, e.g. 0.05 for one person in twenty")]
    Share(f64),
    #[error("salt is empty, it has to be a text of your own that stays the same")]
    Salt,
}

impl std::fmt::Debug for Holdout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Whoever knows the salt can tell who is held out.
        f.debug_struct("Holdout")
            .field("share", &self.share())
            .finish_non_exhaustive()
    }
}

impl Holdout {
    /// One person in twenty.
    pub const DEFAULT_SHARE: f64 = 0.05;

    /// The share is taken in parts per million.
    ///
    /// # Errors
    /// A share outside 0 to 0.5, or no salt.
    pub fn new(salt: &str, share: f64) -> Result<Self, HoldoutError> {
        if !(0.0..=0.5).contains(&share) {
            return Err(HoldoutError::Share(share));
        }
        if salt.is_empty() {
            return Err(HoldoutError::Salt);
        }
        let parts = crate::money::round_half_away(share * 1e6);
        Ok(Self {
            key: blake3::derive_key(CONTEXT, salt.as_bytes()),
            parts: u64::try_from(parts).unwrap_or(0),
        })
    }

    /// Share of ids that are held out.
    #[must_use]
    pub fn share(&self) -> f64 {
        f64::from(u32::try_from(self.parts).unwrap_or(0)) / 1e6
    }

    /// Whether one id is held out.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        let hash = blake3::keyed_hash(&self.key, id.as_bytes());
        let mut first = [0; 8];
        for (byte, hashed) in first.iter_mut().zip(hash.as_bytes()) {
            *byte = *hashed;
        }
        // The hash as a fraction of 2^64, in parts: wide enough to be exact.
        let part = (u128::from(u64::from_le_bytes(first)) * u128::from(WHOLE)) >> 64;
        part < u128::from(self.parts)
    }

    /// Whether a person is held out, by all of their aliases in any order.
    #[must_use]
    pub fn holds_any<'a>(&self, aliases: impl IntoIterator<Item = &'a str>) -> bool {
        aliases.into_iter().any(|alias| self.holds(alias))
    }

    /// Probability that somebody with that many aliases is held out.
    #[must_use]
    pub fn chance(&self, aliases: u32) -> f64 {
        let mut left_in = 1.0;
        for _ in 0..aliases.min(1_000) {
            left_in *= 1.0 - self.share();
        }
        1.0 - left_in
    }
}
