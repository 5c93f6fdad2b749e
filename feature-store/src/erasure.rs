//! Who was erased, told without naming them.
//!
//! An erased shopper's id is kept as a keyed hash (BLAKE3 with a key of the deployment, 16 bytes).
//! Whoever holds the key and an id can ask whether that id was erased; nobody reads an id out of it.

use std::fmt;
use std::str::FromStr;

use prost::Message;

use crate::state::DecodeError;
use crate::time::Millis;

const MAC: usize = 16;
const KEY: usize = 32;

/// The layout written; older ones stay readable for ever.
const FORMAT: u32 = 1;

/// The keyed hash of one shopper id. As text: 32 hexadecimal digits.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopperMac([u8; MAC]);

impl ShopperMac {
    #[must_use]
    pub fn from_bytes(bytes: [u8; MAC]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8; MAC] {
        &self.0
    }

    /// Its first 8 bytes, little-endian: what past sessions carry. Among n erased shoppers and m others
    /// one of the others has that of an erased one by chance with a probability of n·m / 2^64: for a
    /// million and ten million, 5·10^-7.
    #[must_use]
    pub fn short(&self) -> u64 {
        let (first, _) = self.0.split_at(8);
        first
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

impl fmt::Display for ShopperMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for ShopperMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for ShopperMac {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        parse_hex(text).map(Self)
    }
}

/// The deployment's key for [`ShopperMac`]s: made once, at random, and kept in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct MacKey([u8; KEY]);

impl MacKey {
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    /// The hash of a shopper id.
    #[must_use]
    pub fn of(&self, shopper_id: &str) -> ShopperMac {
        let hash = blake3::keyed_hash(&self.0, shopper_id.as_bytes());
        let mut mac = [0; MAC];
        for (to, from) in mac.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        ShopperMac(mac)
    }

    /// Tells keys apart, and says nothing of them: the first 16 digits of the hash of no id.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.of("").to_string().chars().take(16).collect()
    }

    /// 64 hexadecimal digits, which [`MacKey::from_str`] reads: for whoever masks data elsewhere.
    #[must_use]
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

impl FromStr for MacKey {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        parse_hex(text).map(Self)
    }
}

/// A text that is not the digits asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{found} characters, {expected} hexadecimal digits are needed")]
pub struct NotHex {
    /// Characters of the text.
    pub found: usize,
    /// Digits that are needed.
    pub expected: usize,
}

/// That a shopper id was erased: what occurred under it before is nobody's any more.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tombstone {
    pub shopper: ShopperMac,
    pub erased_at: Millis,
}

/// Hand-written protobuf; field numbers are for ever.
#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(bytes = "vec", tag = "2")]
    mac: Vec<u8>,
    #[prost(int64, tag = "3")]
    erased_at: i64,
}

impl Tombstone {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            format: FORMAT,
            mac: self.shopper.0.to_vec(),
            erased_at: self.erased_at.0,
        };
        wire.encode_to_vec()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire = Wire::decode(bytes)?;
        if wire.format != FORMAT {
            return Err(DecodeError::Format {
                found: wire.format,
                known: FORMAT,
            });
        }
        let mac = <[u8; MAC]>::try_from(wire.mac.as_slice());
        Ok(Self {
            shopper: ShopperMac(mac.map_err(|_| DecodeError::Corrupt("a hash is not 16 bytes"))?),
            erased_at: Millis(wire.erased_at),
        })
    }
}

pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], NotHex> {
    let refused = || NotHex {
        found: text.chars().count(),
        expected: 2 * N,
    };
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(refused());
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = pair.iter().map(|digit| char::from(*digit).to_digit(16));
        for digit in pair {
            let digit = digit.and_then(|digit| u8::try_from(digit).ok());
            *byte = *byte << 4 | digit.ok_or_else(refused)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key in the specification's own test vectors.
    const TEST_KEY: &[u8; KEY] = b"whats the Elvish word for friend";

    #[test]
    fn a_hash_is_the_first_half_of_blake3_under_the_key() {
        let key = MacKey::from_bytes(*TEST_KEY);
        assert_eq!(
            key.of("").to_string(),
            "92b2b75604ed3c761f9d6f62392c8a92",
            "the published vector for the empty input"
        );
        assert_ne!(key.of("ann"), key.of("bob"));
        assert_ne!(key.of("ann"), MacKey::from_bytes([0; KEY]).of("ann"));
    }

    #[test]
    fn keys_and_hashes_survive_their_text() {
        let key = MacKey::from_bytes(*TEST_KEY);
        assert_eq!(key.to_hex().parse(), Ok(key.clone()));
        let mac = key.of("ann");
        assert_eq!(mac.to_string().parse(), Ok(mac));
        let refused = "12".parse::<ShopperMac>().expect_err("is too short");
        assert_eq!((refused.found, refused.expected), (2, 32));
        let text = "g".repeat(64);
        assert!(text.parse::<MacKey>().is_err());
        assert!("ü".repeat(32).parse::<MacKey>().is_err());
        assert_eq!(format!("{key:?}"), "MacKey(..)");
        assert_eq!(key.fingerprint(), "92b2b75604ed3c76");
        assert_eq!(key.of("").short(), 0x763c_ed04_56b7_b292);
    }

    #[test]
    fn a_tombstone_survives_its_bytes_and_is_the_golden() {
        let tombstone = Tombstone {
            shopper: MacKey::from_bytes(*TEST_KEY).of(""),
            erased_at: Millis(1_700_000_000_000),
        };
        let golden =
            b"\x08\x01\x12\x10\x92\xb2\xb7\x56\x04\xed\x3c\x76\x1f\x9d\x6f\x62\x39\x2c\x8a\x92\
              \x18\x80\xd0\x95\xff\xbc\x31";
        assert_eq!(tombstone.encode(), golden);
        assert_eq!(Tombstone::decode(golden), Ok(tombstone));
        assert!(Tombstone::decode(&golden[..9]).is_err());
    }
}
