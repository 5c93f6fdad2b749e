//! Coupon codes: one for each person, cart and decision, signed, expiring, opaque.
//!
//! A code is 20 bytes, written as 32 letters:
//!
//! | bytes | |
//! |---|---|
//! | 1 | number of the key |
//! | 3 | hour since 1970 from which on it no longer holds, big endian |
//! | 8 | serial: a keyed hash of shop, person, cart version and decision |
//! | 8 | MAC over shop and all before |
//!
//! Nothing about the person can be read from it. While one key signs, the same decision gives
//! the same code, so that a repeat after a crash issues no second one; two people get the same serial with a probability of
//! about 10⁻⁸ among a million. A forged code is right once in 2^64 tries. What the code is worth, and
//! that it is redeemed once, the store knows under the serial; the exact expiry as well, as the
//! one in the code is rounded up to the hour.

use crate::token::{self, Keyring, TokenError};

const SERIAL: &str = "cartwright coupon serial v1";
const SIGNATURE: &str = "cartwright coupon signature v1";
const HOUR_MS: i64 = 3_600_000;
const LATEST_HOUR: i64 = 0x00ff_ffff;

/// What a code is issued for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Issue<'a> {
    /// A code of one shop is none of another, even under the same keys.
    pub shop: &'a str,
    pub person: &'a str,
    pub cart_version: u64,
    pub decision_id: &'a str,
    pub expires_at_ms: i64,
}

/// A code that was signed by this shop.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// Under this the store knows what the code is worth and whether it was redeemed.
    pub serial: u64,
    /// From this moment on the code is refused: what was asked for, rounded up to the hour.
    pub expires_at_ms: i64,
}

/// The code for a decision.
#[must_use]
pub fn issue(keys: &Keyring, issue: Issue<'_>) -> String {
    // The current key is always there: a keyring without it cannot be made.
    let issued = issue_under(keys, keys.current(), issue);
    issued.map(|(code, _)| code).unwrap_or_default()
}

/// The code under one of the keys, and its serial; `None` when there is no such key. What was
/// issued before the keys were changed is found so.
#[must_use]
pub fn issue_under(keys: &Keyring, number: u8, issue: Issue<'_>) -> Option<(String, u64)> {
    let hour = issue.expires_at_ms.div_euclid(HOUR_MS)
        + i64::from(issue.expires_at_ms.rem_euclid(HOUR_MS) > 0);
    let hour = u32::try_from(hour.clamp(0, LATEST_HOUR)).unwrap_or(0);
    let about = token::message(&[
        issue.shop.as_bytes(),
        issue.person.as_bytes(),
        &issue.cart_version.to_le_bytes(),
        issue.decision_id.as_bytes(),
    ]);
    let [s0, s1, s2, s3, s4, s5, s6, s7, ..] = keys.mac(number, SERIAL, &about)?;
    let serial = [s0, s1, s2, s3, s4, s5, s6, s7];
    let mut code = vec![number];
    code.extend(hour.to_be_bytes().iter().skip(1));
    code.extend(serial);
    let signed = token::message(&[issue.shop.as_bytes(), &code]);
    let mac = keys.mac(number, SIGNATURE, &signed)?;
    code.extend(mac.iter().take(8));
    Some((token::to_letters(&code), u64::from_be_bytes(serial)))
}

/// Reads a code that somebody typed.
///
/// # Errors
/// A code that this shop did not sign with a key that still counts, or that has expired.
pub fn verify(keys: &Keyring, shop: &str, code: &str, now_ms: i64) -> Result<Coupon, TokenError> {
    let bytes: [u8; 20] = token::from_letters(code).ok_or(TokenError::Invalid)?;
    let [number, h0, h1, h2, s0, s1, s2, s3, s4, s5, s6, s7, mac @ ..] = bytes;
    let (signed_part, _) = bytes.split_at(12);
    let signed = token::message(&[shop.as_bytes(), signed_part]);
    let right = keys
        .mac(number, SIGNATURE, &signed)
        .is_some_and(|right| token::begins_with(&right, &mac));
    if !right {
        return Err(TokenError::Invalid);
    }
    let hour = i64::from(u32::from_be_bytes([0, h0, h1, h2]));
    let coupon = Coupon {
        serial: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
        expires_at_ms: hour * HOUR_MS,
    };
    if coupon.expires_at_ms <= now_ms {
        return Err(TokenError::Expired);
    }
    Ok(coupon)
}
