//! What coupon codes and restore links have in common: keys, and letters.
//!
//! Both carry the number of the key that signed them, so that keys can be rotated: a new key is
//! added and signs, old ones stay until what they signed has expired, and are then taken out. Every
//! kind of token has keys of its own, derived from the shop's, so that none passes for another.
//! MACs are keyed BLAKE3, cut to the length that the kind needs and compared in constant time.

use std::collections::BTreeMap;

/// The keys of a shop: 32 secret bytes each, under a number that the tokens carry.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyring {
    keys: BTreeMap<u8, [u8; 32]>,
    current: u8,
}

/// A keyring that cannot sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("key {0} is to sign and is not among the keys")]
    NoCurrent(u8),
}

/// Why a token is not accepted. It says nothing that helps to forge one.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("it is not a code of this shop")]
    Invalid,
    #[error("it has expired")]
    Expired,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<u8> = self.keys.keys().copied().collect();
        f.debug_struct("Keyring")
            .field("numbers", &numbers)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// # Errors
    /// A current key that is not among the keys.
    pub fn new(keys: BTreeMap<u8, [u8; 32]>, current: u8) -> Result<Self, KeyError> {
        match keys.contains_key(&current) {
            true => Ok(Self { keys, current }),
            false => Err(KeyError::NoCurrent(current)),
        }
    }

    /// The number of the key that signs.
    #[must_use]
    pub fn current(&self) -> u8 {
        self.current
    }

    /// The numbers of the keys, that of the one that signs first.
    #[must_use]
    pub fn numbers(&self) -> Vec<u8> {
        let others = self.keys.keys().copied();
        let others = others.filter(|number| *number != self.current);
        std::iter::once(self.current).chain(others).collect()
    }

    /// The MAC of a message under a key; `None` when that key was taken out. `context` names the
    /// kind of token and never changes.
    pub(crate) fn mac(&self, number: u8, context: &str, message: &[u8]) -> Option<[u8; 32]> {
        let key = blake3::derive_key(context, self.keys.get(&number)?);
        Some(*blake3::keyed_hash(&key, message).as_bytes())
    }
}

/// Compares the first `given.len()` bytes, in the time that all of them take.
pub(crate) fn begins_with(mac: &[u8; 32], given: &[u8]) -> bool {
    let pairs = mac.iter().zip(given);
    let differ = pairs.fold(0_u8, |differ, (mac, given)| differ | (mac ^ given));
    std::hint::black_box(differ) == 0 && !given.is_empty() && given.len() <= mac.len()
}

/// Joins fields to one message that no other fields give: each with its length before it.
pub(crate) fn message(fields: &[&[u8]]) -> Vec<u8> {
    let mut message = Vec::new();
    for field in fields {
        message.extend_from_slice(&(field.len() as u64).to_le_bytes());
        message.extend_from_slice(field);
    }
    message
}

/// Crockford's base 32: no letters that are read as another, so that a code survives being typed.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

pub(crate) fn to_letters(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(letter(bits >> held));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        text.push(letter(bits << (5 - held)));
    }
    text
}

fn letter(bits: u32) -> char {
    let place = usize::try_from(bits & 31).unwrap_or(0);
    char::from(LETTERS.get(place).copied().unwrap_or(b'0'))
}

/// Reads what a person typed: any case, `O` for 0, `I` and `L` for 1, hyphens and spaces anywhere.
/// `None` unless it is exactly `N` bytes, written in the one way they can be.
pub(crate) fn from_letters<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (mut bytes, mut filled) = ([0_u8; N], 0);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for typed in text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
        let upper = match typed.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        let place = LETTERS.iter().position(|letter| *letter == upper)?;
        bits = (bits << 5) | u32::try_from(place).ok()?;
        held += 5;
        if held >= 8 {
            held -= 8;
            *bytes.get_mut(filled)? = u8::try_from(bits >> held).ok()?;
            filled += 1;
            bits &= (1 << held) - 1;
        }
    }
    (filled == N && held < 5 && bits == 0).then_some(bytes)
}
