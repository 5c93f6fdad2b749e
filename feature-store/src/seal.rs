//! Rows sealed with the key of one shopper id: what nobody reads any more once the key is destroyed.
//!
//! A sealed row is `0`, the version of this layout, a day, the id of the key, a nonce, and what was
//! sealed by ChaCha20-Poly1305 (RFC 8439) with all of that and what the row is as its associated
//! data. No row that was written in the clear begins with a 0.
//!
//! A key is random and made for one shopper id. It lies in the shopper's value, where whoever writes
//! has it at hand, and under its id in the partition that the id names, where whoever reads a log
//! finds it. An erasure removes both.

mod opener;

use std::fmt;

use bytes::Bytes;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::erasure::write_hex;
use crate::store::{Error, Key, Kind, Op, Partition};
use crate::time::Millis;

pub(crate) use opener::{Opened, Opener};

const VERSION: u8 = 1;
const ID: usize = 16;
const KEY: usize = 32;
const NONCE: usize = 12;
const TAG: usize = 16;
/// Mark, version and day.
const ID_AT: usize = 4;
const NONCE_AT: usize = ID_AT + ID;
const TEXT_AT: usize = NONCE_AT + NONCE;

/// Random bytes of the operating system. Keys are the one thing here that nobody is to foresee or
/// to make again, so that this randomness is no argument.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Unavailable {
            store: "randomness",
            detail: "the operating system gives none".to_owned(),
        })?;
    Ok(bytes)
}

/// What a row is. One that is put in another's place does not open.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Sealed {
    Event,
    Decision,
    Outbox,
    Outcome,
    DeadLetter,
    Coupon,
    StoredCart,
}

impl Sealed {
    /// It is part of every sealed row: never change one.
    fn code(self) -> u8 {
        match self {
            Self::Event => b'e',
            Self::Decision => b'd',
            Self::Outbox => b'o',
            Self::Outcome => b'r',
            Self::DeadLetter => b'l',
            Self::Coupon => b'c',
            Self::StoredCart => b'k',
        }
    }

    /// Of what lies under a kind; `None` where nothing is sealed.
    pub(crate) fn of_kind(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Decision => Some(Self::Decision),
            Kind::DeadLetter => Some(Self::DeadLetter),
            Kind::Coupon => Some(Self::Coupon),
            Kind::StoredCart => Some(Self::StoredCart),
            Kind::Shopper
            | Kind::Item
            | Kind::ItemTiles
            | Kind::Offset
            | Kind::Budget
            | Kind::Outcome
            | Kind::Policy
            | Kind::Campaigns
            | Kind::Secret
            | Kind::RowKey
            | Kind::Tombstone => None,
        }
    }

    /// Of the entries of a log; `None` where nothing is sealed.
    pub(crate) fn of_log(log: crate::store::Log) -> Option<Self> {
        use crate::store::Log;
        match log {
            Log::Events => Some(Self::Event),
            Log::Decisions => Some(Self::Decision),
            Log::Outbox | Log::Redriven => Some(Self::Outbox),
            Log::Outcomes => Some(Self::Outcome),
            Log::Catalog | Log::Policies | Log::Erasures => None,
        }
    }
}

/// Names a key; its first two bytes are the partition that the key lies in.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyId(pub(crate) [u8; ID]);

impl KeyId {
    /// Where the key lies; `None` for what is no id.
    pub(crate) fn key(self) -> Option<Key> {
        let [high, low, ..] = self.0;
        let partition = Partition::new(u16::from_be_bytes([high, low]))?;
        Some(Key::new(partition, Kind::RowKey, self.to_string()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// The key that rows of one shopper id are sealed with.
#[derive(Clone, PartialEq, Eq)]
pub struct RowKey {
    pub(crate) id: KeyId,
    key: [u8; KEY],
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowKey({:?}, ..)", self.id)
    }
}

impl RowKey {
    /// A new key, to lie in `partition`.
    pub(crate) fn random(partition: Partition) -> Result<Self, Error> {
        let mut id: [u8; ID] = random()?;
        let number = partition.number().to_be_bytes();
        for (to, from) in id.iter_mut().zip(number) {
            *to = from;
        }
        Ok(Self {
            id: KeyId(id),
            key: random()?,
        })
    }

    /// `None` unless both are as long as they are to be.
    pub(crate) fn from_parts(id: &[u8], key: &[u8]) -> Option<Self> {
        Some(Self {
            id: KeyId(id.try_into().ok()?),
            key: key.try_into().ok()?,
        })
    }

    pub(crate) fn secret(&self) -> &[u8; KEY] {
        &self.key
    }

    /// Keeps the key where readers of logs find it.
    pub(crate) fn put(&self) -> Option<Op> {
        Some(Op::Put {
            key: self.id.key()?,
            expected: 0,
            value: Bytes::copy_from_slice(&self.key),
        })
    }

    /// Seals a row. `at` is kept to the day, in the clear, for whoever ends what is old; `None` where
    /// the log tells its age itself.
    pub(crate) fn seal(
        &self,
        what: Sealed,
        at: Option<Millis>,
        row: &[u8],
    ) -> Result<Bytes, Error> {
        self.seal_with(what, at, row, random()?)
    }

    fn seal_with(
        &self,
        what: Sealed,
        at: Option<Millis>,
        row: &[u8],
        nonce: [u8; NONCE],
    ) -> Result<Bytes, Error> {
        let mut sealed = Vec::with_capacity(TEXT_AT + row.len() + TAG);
        sealed.extend_from_slice(&[0, VERSION]);
        sealed.extend_from_slice(&day(at).to_be_bytes());
        sealed.extend_from_slice(&self.id.0);
        sealed.extend_from_slice(&nonce);
        let about = about(&sealed, what);
        sealed.extend_from_slice(row);
        let text = sealed.get_mut(TEXT_AT..).unwrap_or_default();
        let tag = self.cipher().and_then(|cipher| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            let sealing = cipher.seal_in_place_separate_tag(nonce, Aad::from(about), text);
            sealing.map_err(|_| Error::corrupt(self.id, "a row is too long to be sealed"))
        })?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(Bytes::from(sealed))
    }

    fn open(&self, what: Sealed, parts: &Parts<'_>) -> Result<Bytes, Error> {
        let about = about(parts.head, what);
        let nonce = Nonce::assume_unique_for_key(parts.nonce);
        let mut text = parts.text.to_vec();
        let opening = self.cipher()?;
        let length = opening
            .open_in_place(nonce, Aad::from(about), &mut text)
            .map_err(|_| Error::corrupt(self.id, "a row is not as it was sealed"))?
            .len();
        text.truncate(length);
        Ok(Bytes::from(text))
    }

    fn cipher(&self) -> Result<LessSafeKey, Error> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.key);
        let key = key.map_err(|_| Error::corrupt(self.id, "it is no key"))?;
        Ok(LessSafeKey::new(key))
    }
}

/// What is bound to a row: all before its text, and what the row is.
fn about(head: &[u8], what: Sealed) -> [u8; TEXT_AT + 1] {
    let mut about = [what.code(); TEXT_AT + 1];
    for (to, from) in about.iter_mut().zip(head) {
        *to = *from;
    }
    about
}

/// Days since 1970; 0 when it is not told.
pub(crate) fn day(at: Option<Millis>) -> u16 {
    let days = at.map_or(0, |at| at.0.div_euclid(Millis::DAY));
    u16::try_from(days.max(0)).unwrap_or(u16::MAX)
}

/// A sealed row, taken apart.
struct Parts<'a> {
    /// All before the text.
    head: &'a [u8],
    id: KeyId,
    nonce: [u8; NONCE],
    text: &'a [u8],
}

/// `None` for a row that was written in the clear.
fn parts(row: &[u8]) -> Result<Option<Parts<'_>>, Error> {
    if row.first() != Some(&0) {
        return Ok(None);
    }
    let damaged = |detail: String| Error::corrupt("a sealed row", detail);
    let version = row.get(1).copied().unwrap_or_default();
    if version != VERSION {
        return Err(damaged(format!(
            "its layout is {version}, {VERSION} is the newest one known"
        )));
    }
    let (Some((head, text)), Some(id), Some(nonce)) = (
        row.split_at_checked(TEXT_AT),
        row.get(ID_AT..).and_then(|rest| rest.first_chunk::<ID>()),
        row.get(NONCE_AT..)
            .and_then(|rest| rest.first_chunk::<NONCE>()),
    ) else {
        return Err(damaged(format!("it has {} bytes", row.len())));
    };
    Ok(Some(Parts {
        head,
        id: KeyId(*id),
        nonce: *nonce,
        text,
    }))
}

/// The key that a row is sealed with; `None` for one in the clear.
pub(crate) fn key_id(row: &[u8]) -> Option<KeyId> {
    parts(row).ok().flatten().map(|parts| parts.id)
}

/// The day on which a row was sealed, where that is told.
pub(crate) fn sealed_on(row: &[u8]) -> Option<Millis> {
    parts(row).ok().flatten()?;
    let day = u16::from_be_bytes([*row.get(2)?, *row.get(3)?]);
    (day > 0).then(|| Millis(i64::from(day) * Millis::DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RowKey {
        let id = [&[0, 17][..], &[7; 14]].concat();
        RowKey::from_parts(&id, &[9; KEY]).expect("is one")
    }

    const AT: Option<Millis> = Some(Millis(1_700_000_000_000));

    #[test]
    fn a_sealed_row_opens_with_its_key_alone_and_only_as_what_it_is() {
        let (key, other) = (
            key(),
            RowKey::random(Partition::of("x")).expect("is random"),
        );
        let sealed = key
            .seal(Sealed::Event, AT, b"ann looked")
            .expect("is sealed");
        assert_eq!(key_id(&sealed), Some(key.id));
        assert_eq!(sealed_on(&sealed), Some(Millis(19_675 * Millis::DAY)));
        let opener = Opener::knowing([&key]);
        let opened = opener.open(Sealed::Event, &sealed);
        assert_eq!(opened, Ok(Opened::Row(Bytes::from_static(b"ann looked"))));
        assert!(opener.open(Sealed::Outbox, &sealed).is_err());
        let opened = Opener::knowing([&other]).open(Sealed::Event, &sealed);
        assert_eq!(opened, Ok(Opened::Erased));
        for at in 2..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            let opened = opener.open(Sealed::Event, &Bytes::from(changed));
            assert!(!matches!(opened, Ok(Opened::Row(_))), "byte {at}");
        }
        for length in 1..sealed.len() {
            let opened = opener.open(Sealed::Event, &sealed.slice(..length));
            assert!(opened.is_err(), "{length} bytes");
        }
        let again = key
            .seal(Sealed::Event, AT, b"ann looked")
            .expect("is sealed");
        assert_ne!(sealed, again, "no nonce is used twice");
    }

    #[test]
    fn a_row_in_the_clear_is_given_back() {
        let opener = Opener::default();
        for row in [&b"\x08\x01"[..], b"", b"text"] {
            let row = Bytes::from_static(row);
            assert_eq!(opener.open(Sealed::Event, &row), Ok(Opened::Row(row)));
        }
    }

    #[test]
    fn the_layout_is_the_golden() {
        let golden = include_str!("../tests/goldens/sealed-v1.hex").trim();
        let row = key().seal_with(Sealed::Decision, AT, b"a decision", [5; NONCE]);
        let row = row.expect("is sealed");
        let hex: String = row.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden);
        let opened = Opener::knowing([&key()]).open(Sealed::Decision, &row);
        assert_eq!(opened, Ok(Opened::Row(Bytes::from_static(b"a decision"))));
    }

    #[test]
    fn a_key_lies_where_its_id_says() {
        let key = RowKey::random(Partition::of("ann")).expect("is random");
        let place = key.id.key().expect("lies somewhere");
        assert_eq!(
            (place.partition, place.kind),
            (Partition::of("ann"), Kind::RowKey)
        );
        assert!(!format!("{key:?}").contains(&format!("{:?}", key.secret())));
        assert_eq!(KeyId([255; ID]).key(), None);
    }
}
