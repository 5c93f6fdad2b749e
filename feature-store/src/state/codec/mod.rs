//! Between a [`Shopper`] and its bytes. The same state always gives the same bytes.

mod base;
mod cart;
mod erasing;
mod identity;
mod packed;
mod symbols;
mod tail;

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key};

use crate::event::EventKind;
use crate::state::base::Base;
use crate::state::codec::symbols::{Symbols, Texts};
use crate::state::{ConsentRecord, DecodeError, Shopper, wire};
use crate::time::Millis;
use crate::view::Profile;

/// The newest layout; older ones stay readable for ever.
const FORMAT: u32 = 4;
/// The layout without a key for rows and without erasures.
const WITHOUT_KEYS: u32 = 3;
/// The layout without what links the ids of a person.
const WITHOUT_LINKS: u32 = 2;
/// The layout without a recovery section. A value that has none is still written so; one that has
/// is not, lest a reader that does not know the section drops it.
const WITHOUT_RECOVERY: u32 = 1;

impl Shopper {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut wire = self.own_wire();
        identity::encode(&self.links, &mut wire);
        wire.encode_to_vec()
    }

    /// Bytes of what is known of the shopper under their own id.
    pub(super) fn own_size(&self) -> usize {
        self.own_wire().encoded_len()
    }

    fn own_wire(&self) -> wire::Shopper {
        let facts = tail::distinct_facts(&self.tail);
        let symbols = Symbols::new(
            facts
                .iter()
                .flat_map(|fact| fact.texts())
                .chain(base::texts(&self.base)),
        );
        wire::Shopper {
            format: self.format(),
            tiles: base::encode_tiles(&self.base.tiles),
            interests: base::encode_interests(&self.base.interests, &symbols),
            cart: cart::encode(&self.base.cart, &symbols),
            history: base::encode_history(&self.base.history, &symbols),
            tail: tail::encode(&self.tail, &facts, &symbols),
            profile: encode_profile(&self.profile),
            consents: self.consents.iter().map(encode_consent).collect(),
            symbols: symbols.into_wire(),
            recovery: self.recovery.clone(),
            row_key: self.row_key.as_ref().map(erasing::encode_key),
            erasing: self.erasing.as_deref().map(erasing::encode),
            ..wire::Shopper::default()
        }
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (texts, mut wire) = read(bytes)?;
        let links = identity::decode(&mut wire)?;
        if !(WITHOUT_RECOVERY..=FORMAT).contains(&wire.format) {
            return Err(DecodeError::Format {
                found: wire.format,
                known: FORMAT,
            });
        }
        Ok(Self {
            base: Base {
                tiles: base::decode_tiles(wire.tiles.unwrap_or_default())?,
                interests: base::decode_interests(wire.interests.unwrap_or_default(), &texts)?,
                cart: cart::decode(wire.cart.unwrap_or_default(), &texts)?,
                history: base::decode_history(wire.history.unwrap_or_default(), &texts)?,
            },
            tail: tail::decode(&wire.tail.unwrap_or_default(), &texts)?,
            profile: decode_profile(wire.profile.unwrap_or_default()),
            consents: decode_consents(wire.consents)?,
            recovery: wire.recovery,
            row_key: wire.row_key.as_ref().map(erasing::decode_key).transpose()?,
            erasing: wire
                .erasing
                .map(|wire| erasing::decode(wire).map(Box::new))
                .transpose()?,
            links,
            size_bound: bytes.len(),
        })
    }

    fn format(&self) -> u32 {
        if self.row_key.is_some() || self.erasing.is_some() {
            FORMAT
        } else if !self.links.is_empty() {
            WITHOUT_KEYS
        } else if self.recovery.is_empty() {
            WITHOUT_RECOVERY
        } else {
            WITHOUT_LINKS
        }
    }
}

/// Splits a value into its texts and the rest. Most of a value is texts: they are read where they lie,
/// and each once.
fn read(mut bytes: &[u8]) -> Result<(Texts, wire::Shopper), DecodeError> {
    let (mut texts, mut rest) = (Texts::new(), wire::Shopper::default());
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        if tag == wire::SYMBOLS && wire_type == WireType::LengthDelimited {
            texts.read(&mut bytes)?;
        } else {
            rest.merge_field(tag, wire_type, &mut bytes, DecodeContext::default())?;
        }
    }
    Ok((texts, rest))
}

/// An empty part takes no bytes.
fn unless_default<T: Default + PartialEq>(part: T) -> Option<T> {
    (part != T::default()).then_some(part)
}

fn decode_kind(code: u8) -> Result<EventKind, DecodeError> {
    EventKind::from_code(code).ok_or(DecodeError::Corrupt("an event kind is unknown"))
}

/// Columns of one table have one length.
fn same_length(lengths: &[usize]) -> Result<usize, DecodeError> {
    let first = lengths.first().copied().unwrap_or(0);
    if lengths.iter().all(|length| *length == first) {
        return Ok(first);
    }
    Err(DecodeError::Corrupt(
        "columns of one table differ in length",
    ))
}

fn encode_profile(profile: &Profile) -> Option<wire::Profile> {
    unless_default(wire::Profile {
        time_zone: profile.time_zone.clone(),
        channels: profile.channels.clone(),
        jurisdiction: profile.jurisdiction.clone(),
    })
}

fn decode_profile(wire: wire::Profile) -> Profile {
    Profile {
        time_zone: wire.time_zone,
        channels: wire.channels,
        jurisdiction: wire.jurisdiction,
    }
}

fn encode_consent(consent: &ConsentRecord) -> wire::Consent {
    wire::Consent {
        purpose: consent.purpose.clone(),
        channel: consent.channel.clone(),
        granted: consent.granted,
        wording: consent.wording.clone(),
        at: consent.at.0,
        jurisdiction: consent.jurisdiction.clone(),
    }
}

fn decode_consents(wire: Vec<wire::Consent>) -> Result<Vec<ConsentRecord>, DecodeError> {
    let record = |consent: wire::Consent| ConsentRecord {
        purpose: consent.purpose,
        channel: consent.channel,
        granted: consent.granted,
        wording: consent.wording,
        at: Millis(consent.at),
        jurisdiction: consent.jurisdiction,
    };
    let consents: Vec<_> = wire.into_iter().map(record).collect();
    let subject = |c: &ConsentRecord| (c.purpose.clone(), c.channel.clone());
    if consents.is_sorted_by(|a, b| subject(a) < subject(b)) {
        return Ok(consents);
    }
    Err(DecodeError::Corrupt("consents are not sorted"))
}
