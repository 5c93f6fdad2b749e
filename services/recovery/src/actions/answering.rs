//! What an answer carries that is itself the hand-out: the code of its coupon, and the token of a link
//! to the cart decided on.
//!
//! Both are made before the commit and logged with the answer, which stays as it is. What they stand
//! for is kept after the commit, whose terms are final, and before anybody has the answer: whoever
//! asks again gets both kept that a crash left out.

use feature_store::store::Kind;
use feature_store::{Issued, Millis};
use policy::{coupon, restore};
use prost::Message as _;

use super::issuing::{About, Carried, Tokens, cart_id, coupon_id, ends_at_ms};

impl Carried {
    /// What an answer carries, under the key that signs; without keys only when its offer ends.
    pub(crate) fn with_answer(tokens: Option<&Tokens>, about: &About<'_>) -> Self {
        let ends_at_ms = ends_at_ms(about);
        let Some(tokens) = tokens else {
            return Self {
                ends_at_ms,
                ..Self::default()
            };
        };
        let number = tokens.keys.current();
        let code = ends_at_ms.and_then(|ends| tokens.coupon(about, number, ends));
        let link = tokens.link(about, number, about.now_ms.saturating_add(tokens.link_ms));
        Self {
            coupon_code: code.map(|(code, _)| code).unwrap_or_default(),
            restore_token: link.map(|(token, _)| token).unwrap_or_default(),
            ends_at_ms,
        }
    }
}

impl Tokens {
    /// What the code and the link of a logged answer stand for; nothing for what has expired, or was
    /// signed with a key that was taken out.
    pub(crate) fn behind(&self, about: &About<'_>, carried: &Carried) -> Vec<Issued> {
        let Some(key) = about.row_key else {
            // The shopper was erased meanwhile.
            return Vec::new();
        };
        let (keys, shop, now_ms) = (&self.keys, &self.shop, about.now_ms);
        let issued = |kind, id, value: Vec<u8>| Issued {
            kind,
            id,
            value: value.into(),
            of: Some((key.clone(), Millis(now_ms))),
        };
        let offer = about.decision.offer.as_ref().zip(carried.ends_at_ms);
        let code = coupon::verify(keys, shop, &carried.coupon_code, now_ms).ok();
        let coupon = code.zip(offer).map(|(code, (offer, ends))| {
            let record = about.coupon(offer, ends).encode_to_vec();
            issued(Kind::Coupon, coupon_id(code.serial), record)
        });
        let link = restore::verify(keys, shop, &carried.restore_token, now_ms).ok();
        let cart = link.map(|link| {
            let record = about.cart(link.expires_at_ms).encode_to_vec();
            issued(Kind::StoredCart, cart_id(link.reference), record)
        });
        coupon.into_iter().chain(cart).collect()
    }
}
