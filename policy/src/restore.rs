//! Links that bring a cart back, and the cart that comes back.
//!
//! A link's token names a stored cart and nothing else: it logs nobody in and tells no person, so
//! whoever finds it sees a list of goods. It is 40 bytes, written as 64 letters:
//!
//! | bytes | |
//! |---|---|
//! | 1 | version, 1 |
//! | 1 | number of the key |
//! | 6 | minute since 1970 from which on it no longer holds, big endian |
//! | 16 | reference of the stored cart: a keyed hash of shop, person, cart version and decision |
//! | 16 | MAC over shop and all before |
//!
//! [`reprice`] then holds the stored cart against the catalogue of today and says what differs.

use std::collections::BTreeMap;

use crate::token::{self, Keyring, TokenError};

const REFERENCE: &str = "cartwright restore reference v1";
const SIGNATURE: &str = "cartwright restore signature v1";
const VERSION: u8 = 1;
const MINUTE_MS: i64 = 60_000;

/// A link that was signed by this shop.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    pub reference: Reference,
    /// From this moment on the link is refused: what was asked for, rounded up to the minute.
    pub expires_at_ms: i64,
}

/// The name of a stored cart. Nobody can guess one, and it tells nothing about the person.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(pub [u8; 16]);

/// What a link is made for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    pub shop: &'a str,
    pub person: &'a str,
    pub cart_version: u64,
    pub decision_id: &'a str,
    pub expires_at_ms: i64,
}

/// The token of a link, and the reference to store the cart under. While one key signs,
/// the same decision gives the same token.
#[must_use]
pub fn issue(keys: &Keyring, link: Link<'_>) -> (String, Reference) {
    // The current key is always there: a keyring without it cannot be made.
    let issued = issue_under(keys, keys.current(), link);
    issued.unwrap_or_else(|| (String::new(), Reference([0; 16])))
}

/// The same under one of the keys; `None` when there is no such key. What was issued before the keys
/// were changed is found so.
#[must_use]
pub fn issue_under(keys: &Keyring, number: u8, link: Link<'_>) -> Option<(String, Reference)> {
    let about = token::message(&[
        link.shop.as_bytes(),
        link.person.as_bytes(),
        &link.cart_version.to_le_bytes(),
        link.decision_id.as_bytes(),
    ]);
    let hash = keys.mac(number, REFERENCE, &about)?;
    let mut reference = [0; 16];
    for (byte, hashed) in reference.iter_mut().zip(hash) {
        *byte = hashed;
    }
    let minute = link.expires_at_ms.max(0).unsigned_abs().div_ceil(60_000);
    let mut bytes = vec![VERSION, number];
    bytes.extend(minute.to_be_bytes().iter().skip(2));
    bytes.extend(reference);
    let signed = token::message(&[link.shop.as_bytes(), &bytes]);
    let mac = keys.mac(number, SIGNATURE, &signed)?;
    bytes.extend(mac.iter().take(16));
    Some((token::to_letters(&bytes), Reference(reference)))
}

/// Reads the token of a link.
///
/// # Errors
/// A token that this shop did not sign with a key that still counts, or that has expired.
pub fn verify(keys: &Keyring, shop: &str, text: &str, now_ms: i64) -> Result<Restore, TokenError> {
    let bytes: [u8; 40] = token::from_letters(text).ok_or(TokenError::Invalid)?;
    let [version, number, m0, m1, m2, m3, m4, m5, rest @ ..] = bytes;
    let (reference, mac) = rest.split_at(16);
    let (signed_part, _) = bytes.split_at(24);
    let signed = token::message(&[shop.as_bytes(), signed_part]);
    let right = keys
        .mac(number, SIGNATURE, &signed)
        .is_some_and(|right| token::begins_with(&right, mac));
    let reference = <[u8; 16]>::try_from(reference).map_err(|_| TokenError::Invalid)?;
    if !right || version != VERSION {
        return Err(TokenError::Invalid);
    }
    let minute = u64::from_be_bytes([0, 0, m0, m1, m2, m3, m4, m5]);
    let expires_at_ms = i64::try_from(minute)
        .ok()
        .and_then(|minute| minute.checked_mul(MINUTE_MS))
        .unwrap_or(i64::MAX);
    if expires_at_ms <= now_ms {
        return Err(TokenError::Expired);
    }
    Ok(Restore {
        reference: Reference(reference),
        expires_at_ms,
    })
}

/// A line of the cart as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLine {
    pub item_id: String,
    pub quantity: u32,
    /// Price of one unit then; 0 when it was not known.
    pub price_minor: i64,
}

/// An item of today's catalogue.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ItemToday {
    pub sellable: bool,
    pub price_minor: i64,
    /// Units in stock; `None` when it is not tracked.
    pub stock: Option<u32>,
}

/// A line as it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredLine {
    pub item_id: String,
    /// How many can be had today; 0 when the line drops out.
    pub quantity: u32,
    pub price_minor: i64,
    /// What differs from then, in this order: availability, quantity, price.
    pub changes: Vec<Change>,
}

/// One difference between then and today.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Unavailable,
    FewerInStock { wanted: u32, left: u32 },
    Price { then_minor: i64, now_minor: i64 },
}

/// A cart that comes back, at the prices of today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// In the order of the stored lines, those that drop out included.
    pub lines: Vec<RestoredLine>,
    pub value_minor: i64,
}

/// Holds a stored cart against the catalogue of today. An item that the catalogue does not know is
/// not for sale. The price of then is never kept.
#[must_use]
pub fn reprice(stored: &[StoredLine], today: &BTreeMap<String, ItemToday>) -> Restored {
    let lines: Vec<RestoredLine> = stored
        .iter()
        .map(|line| restored(line, today.get(&line.item_id)))
        .collect();
    let value_minor = lines.iter().fold(0_i64, |sum, line| {
        let value = line.price_minor.saturating_mul(line.quantity.into());
        sum.saturating_add(value)
    });
    Restored { lines, value_minor }
}

fn restored(line: &StoredLine, item: Option<&ItemToday>) -> RestoredLine {
    let mut back = RestoredLine {
        item_id: line.item_id.clone(),
        quantity: 0,
        price_minor: 0,
        changes: Vec::new(),
    };
    let wanted = line.quantity.max(1);
    let sold = |item: &&ItemToday| item.sellable && item.price_minor >= 0;
    let Some(item) = item.filter(sold).filter(|item| item.stock != Some(0)) else {
        back.changes.push(Change::Unavailable);
        return back;
    };
    back.quantity = item.stock.map_or(wanted, |left| left.min(wanted));
    back.price_minor = item.price_minor;
    if back.quantity < wanted {
        back.changes.push(Change::FewerInStock {
            wanted,
            left: back.quantity,
        });
    }
    if line.price_minor > 0 && line.price_minor != item.price_minor {
        back.changes.push(Change::Price {
            then_minor: line.price_minor,
            now_minor: item.price_minor,
        });
    }
    back
}
