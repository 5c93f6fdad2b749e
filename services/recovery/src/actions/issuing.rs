//! What a message carries: the code of its coupon, and the token of a link to its cart. Both are
//! kept before the message is committed as sent, and come out the same however often it is handed
//! out, also after the keys were changed.

use std::sync::Arc;

use feature_store::store::Kind;
use feature_store::{Issued, Millis, RowKey};
use kit::Problem;
use policy::token::Keyring;
use policy::{Inputs, coupon, restore};
use prost::Message as _;
use proto::v1 as pb;

use super::Actions;
use crate::commit::{damaged, unavailable};
use crate::record::hex;

/// The format that this version writes. Readers accept every format up to theirs.
const FORMAT: u32 = 1;

/// What makes codes and links.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) keys: Arc<Keyring>,
    /// Codes of one shop are none of another.
    pub(crate) shop: String,
    pub(crate) link_ms: i64,
}

/// What a message carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Empty without one, as the token.
    pub(crate) coupon_code: String,
    pub(crate) restore_token: String,
    /// When its offer ends; `None` without an offer.
    pub(crate) ends_at_ms: Option<i64>,
}

/// What a coupon code stands for.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CouponRecord {
    #[prost(uint32, tag = "1")]
    pub(crate) format: u32,
    #[prost(string, tag = "2")]
    pub(crate) shopper_id: String,
    #[prost(string, tag = "3")]
    pub(crate) decision_id: String,
    #[prost(uint64, tag = "4")]
    pub(crate) cart_version: u64,
    #[prost(double, tag = "5")]
    pub(crate) percent_off: f64,
    #[prost(int64, tag = "6")]
    pub(crate) discount_minor: i64,
    #[prost(int64, tag = "7")]
    pub(crate) max_discount_minor: i64,
    #[prost(string, tag = "8")]
    pub(crate) currency: String,
    #[prost(int64, tag = "9")]
    pub(crate) expires_at_ms: i64,
    /// The order that it was redeemed for; empty until then.
    #[prost(string, tag = "10")]
    pub(crate) order_id: String,
    #[prost(int64, tag = "11")]
    pub(crate) redeemed_at_ms: i64,
}

/// A cart that a link brings back. Nothing in it tells whose it is.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CartRecord {
    #[prost(uint32, tag = "1")]
    pub(crate) format: u32,
    #[prost(message, repeated, tag = "2")]
    pub(crate) lines: Vec<LineRecord>,
    #[prost(string, tag = "3")]
    pub(crate) currency: String,
    #[prost(int64, tag = "4")]
    pub(crate) expires_at_ms: i64,
}

/// One line of it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LineRecord {
    #[prost(string, tag = "1")]
    pub(crate) item_id: String,
    #[prost(uint32, tag = "2")]
    pub(crate) quantity: u32,
    #[prost(int64, tag = "3")]
    pub(crate) price_minor: i64,
}

/// Whose message it is, and about what.
#[derive(Copy, Clone, Debug)]
pub(crate) struct About<'a> {
    pub(crate) shopper_id: &'a str,
    pub(crate) decision_id: &'a str,
    pub(crate) cart_version: u64,
    pub(crate) decision: &'a pb::Decision,
    pub(crate) inputs: &'a Inputs,
    pub(crate) now_ms: i64,
    /// What is kept of it is sealed with this.
    pub(crate) row_key: Option<&'a RowKey>,
    /// It was handed out before.
    pub(crate) again: bool,
}

impl Actions {
    /// What the message carries.
    pub(super) async fn carried(&self, about: About<'_>) -> Result<Carried, Problem> {
        let Some(tokens) = &self.books.tokens else {
            return Ok(Carried {
                ends_at_ms: ends_at_ms(&about),
                ..Carried::default()
            });
        };
        let coupon = self.coupon(tokens, &about);
        let link = self.link(tokens, &about);
        let (coupon, restore_token) = tokio::try_join!(coupon, link)?;
        let (coupon_code, ends_at_ms) = coupon.unzip();
        Ok(Carried {
            coupon_code: coupon_code.unwrap_or_default(),
            restore_token,
            ends_at_ms,
        })
    }

    async fn coupon(
        &self,
        tokens: &Tokens,
        about: &About<'_>,
    ) -> Result<Option<(String, i64)>, Problem> {
        let (Some(offer), Some(ends)) = (&about.decision.offer, ends_at_ms(about)) else {
            return Ok(None);
        };
        let code = |number, expires_at_ms| tokens.coupon(about, number, expires_at_ms);
        let record = about.coupon(offer, ends);
        let (number, kept) = self
            .kept(
                Kind::Coupon,
                tokens,
                about,
                record.encode_to_vec(),
                |number| code(number, ends).map(|(_, serial)| coupon_id(serial)),
            )
            .await?;
        let ends = match kept {
            None => ends,
            Some(bytes) => CouponRecord::decode(bytes).map_err(damaged)?.expires_at_ms,
        };
        Ok(code(number, ends).map(|(code, _)| (code, ends)))
    }

    async fn link(&self, tokens: &Tokens, about: &About<'_>) -> Result<String, Problem> {
        let ends = about.now_ms.saturating_add(tokens.link_ms);
        let token = |number, expires_at_ms| tokens.link(about, number, expires_at_ms);
        let record = about.cart(ends);
        let (number, kept) = self
            .kept(
                Kind::StoredCart,
                tokens,
                about,
                record.encode_to_vec(),
                |number| token(number, ends).map(|(_, reference)| cart_id(reference)),
            )
            .await?;
        let ends = match kept {
            None => ends,
            Some(bytes) => CartRecord::decode(bytes).map_err(damaged)?.expires_at_ms,
        };
        Ok(token(number, ends)
            .map(|(token, _)| token)
            .unwrap_or_default())
    }

    /// Keeps a record under the id that the key which signs gives it, unless one is there under any
    /// key; answers the number of the key, and what was there.
    async fn kept(
        &self,
        kind: Kind,
        tokens: &Tokens,
        about: &About<'_>,
        record: Vec<u8>,
        id: impl Fn(u8) -> Option<String>,
    ) -> Result<(u8, Option<bytes::Bytes>), Problem> {
        let store = &self.books.store;
        let failed = |error| unavailable("codes and links", &error);
        let numbers = tokens.keys.numbers();
        let ids: Vec<(u8, String)> = numbers
            .into_iter()
            .filter_map(|number| Some((number, id(number)?)))
            .collect();
        let Some((current, own)) = ids.first() else {
            return Err(Problem::Internal("there is no key that signs".to_owned()));
        };
        let find = async || {
            let asked: Vec<_> = ids.iter().map(|(_, id)| (kind, id.as_str())).collect();
            let found = store.issued(&asked).await.map_err(failed)?;
            let mut found = ids.iter().zip(found);
            Ok::<_, Problem>(found.find_map(|((number, _), one)| Some((*number, Some(one?.value)))))
        };
        if about.again
            && let Some(found) = find().await?
        {
            return Ok(found);
        }
        let new = Issued {
            kind,
            id: own.clone(),
            value: record.into(),
            of: about.row_key.map(|key| (key.clone(), Millis(about.now_ms))),
        };
        match store.issue(vec![new]).await.map_err(failed)?.as_slice() {
            [true] => Ok((*current, None)),
            // Another hand-out of it did not get further than this.
            _ => find().await?.ok_or_else(|| damaged("a code came and went")),
        }
    }
}

impl About<'_> {
    /// What the code of `offer` stands for.
    pub(super) fn coupon(&self, offer: &pb::Offer, expires_at_ms: i64) -> CouponRecord {
        CouponRecord {
            format: FORMAT,
            shopper_id: self.shopper_id.to_owned(),
            decision_id: self.decision_id.to_owned(),
            cart_version: self.cart_version,
            percent_off: offer.percent_off,
            discount_minor: offer.discount_minor,
            max_discount_minor: offer.max_discount_minor,
            currency: offer.currency.clone(),
            expires_at_ms,
            ..CouponRecord::default()
        }
    }

    /// What a link to the cart stands for.
    pub(super) fn cart(&self, expires_at_ms: i64) -> CartRecord {
        let line = |line: &policy::Line| LineRecord {
            item_id: line.item_id.clone(),
            quantity: line.quantity,
            price_minor: line.price_minor,
        };
        CartRecord {
            format: FORMAT,
            lines: self.inputs.lines.iter().map(line).collect(),
            currency: self.inputs.currency.clone(),
            expires_at_ms,
        }
    }
}

impl Tokens {
    pub(super) fn coupon(
        &self,
        about: &About<'_>,
        number: u8,
        expires_at_ms: i64,
    ) -> Option<(String, u64)> {
        let issue = coupon::Issue {
            shop: &self.shop,
            person: about.shopper_id,
            cart_version: about.cart_version,
            decision_id: about.decision_id,
            expires_at_ms,
        };
        coupon::issue_under(&self.keys, number, issue)
    }

    pub(super) fn link(
        &self,
        about: &About<'_>,
        number: u8,
        expires_at_ms: i64,
    ) -> Option<(String, restore::Reference)> {
        let link = restore::Link {
            shop: &self.shop,
            person: about.shopper_id,
            cart_version: about.cart_version,
            decision_id: about.decision_id,
            expires_at_ms,
        };
        restore::issue_under(&self.keys, number, link)
    }
}

/// When the offer ends that is promised now; `None` without an offer.
pub(super) fn ends_at_ms(about: &About<'_>) -> Option<i64> {
    let offer = about.decision.offer.as_ref()?;
    let length = std::time::Duration::try_from(offer.valid_for?).ok()?;
    let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    Some(about.now_ms.saturating_add(length_ms))
}

/// The id of what a coupon's serial stands for.
pub(super) fn coupon_id(serial: u64) -> String {
    format!("{serial:016x}")
}

/// The id of the cart that a reference names.
pub(super) fn cart_id(reference: restore::Reference) -> String {
    hex(&reference.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_the_first_format_load() {
        let coupon = CouponRecord {
            format: 1,
            shopper_id: "ann".to_owned(),
            decision_id: "d1".to_owned(),
            cart_version: 3,
            percent_off: 0.5,
            discount_minor: 2,
            max_discount_minor: 4,
            currency: "EUR".to_owned(),
            expires_at_ms: 5,
            order_id: "o".to_owned(),
            redeemed_at_ms: 6,
        };
        let golden =
            b"\x08\x01\x12\x03ann\x1a\x02d1\x20\x03\x29\0\0\0\0\0\0\xe0\x3f\x30\x02\x38\x04\
            \x42\x03EUR\x48\x05\x52\x01o\x58\x06";
        assert_eq!(coupon.encode_to_vec(), golden);
        assert_eq!(CouponRecord::decode(&golden[..]).unwrap(), coupon);
        let cart = CartRecord {
            format: 1,
            lines: vec![LineRecord {
                item_id: "1".to_owned(),
                quantity: 2,
                price_minor: 3,
            }],
            currency: "EUR".to_owned(),
            expires_at_ms: 4,
        };
        let golden = b"\x08\x01\x12\x07\x0a\x011\x10\x02\x18\x03\x1a\x03EUR\x20\x04";
        assert_eq!(cart.encode_to_vec(), golden);
        assert_eq!(CartRecord::decode(&golden[..]).unwrap(), cart);
    }
}
