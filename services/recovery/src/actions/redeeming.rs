//! Codes and links that come back: a coupon redeemed once, a cart at the prices of today.

use std::collections::BTreeMap;

use feature_store::store::Kind;
use feature_store::{Issued, Millis, RowKey, Swapped};
use kit::Problem;
use policy::restore::{ItemToday, Restored, StoredLine, reprice};
use policy::{coupon, restore};
use prost::Message as _;

use super::issuing::{CartRecord, CouponRecord, Tokens, cart_id, coupon_id};
use super::{ATTEMPTS, Actions, too_fast};
use crate::commit::{damaged, unavailable};
use crate::generation::Generation;

/// A code that somebody typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redemption {
    pub(crate) code: String,
    pub(crate) order_id: String,
    /// Empty when nobody knows who it is.
    pub(crate) shopper_id: String,
}

/// What became of a code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Redeemed {
    /// It is the order's; `again` when it was so before.
    Yes {
        record: CouponRecord,
        again: bool,
    },
    /// Another order has it.
    Taken,
    Expired,
    Invalid,
    OtherPerson,
}

/// What became of a link.
#[derive(Debug)]
pub(crate) enum Brought {
    Cart(Box<BroughtBack>),
    Expired,
    Invalid,
}

/// A cart of then, and today.
#[derive(Debug)]
pub(crate) struct BroughtBack {
    pub(crate) then: CartRecord,
    pub(crate) today: Restored,
    /// Names of the items, in the order of the lines; empty when unknown.
    pub(crate) names: Vec<String>,
}

impl Actions {
    /// Redeems a code for an order: whoever commits first has it.
    pub(crate) async fn redeem(&self, asked: &Redemption) -> Result<Redeemed, Problem> {
        let tokens = self.tokens()?;
        // Whether it has expired is told by the exact moment in the store.
        let verified = coupon::verify(&tokens.keys, &tokens.shop, &asked.code, i64::MIN);
        let Ok(verified) = verified else {
            return Ok(Redeemed::Invalid);
        };
        let id = coupon_id(verified.serial);
        for _ in 0..ATTEMPTS {
            let Some((version, mut record, row_key)) = self.coupon_of(&id).await? else {
                return Ok(Redeemed::Invalid);
            };
            if !self
                .is_theirs(&record.shopper_id, &asked.shopper_id)
                .await?
            {
                return Ok(Redeemed::OtherPerson);
            }
            if !record.order_id.is_empty() {
                let again = record.order_id == asked.order_id;
                return Ok(match again {
                    true => Redeemed::Yes { record, again },
                    false => Redeemed::Taken,
                });
            }
            let now_ms = self.books.clock.now_ms();
            if record.expires_at_ms <= now_ms {
                return Ok(Redeemed::Expired);
            }
            record.order_id.clone_from(&asked.order_id);
            record.redeemed_at_ms = now_ms;
            let issued = Issued {
                kind: Kind::Coupon,
                id: id.clone(),
                value: record.encode_to_vec().into(),
                of: row_key.map(|key| (key, Millis(now_ms))),
            };
            let swapped = self.books.store.reissue(issued, version).await;
            match swapped.map_err(|error| unavailable("the coupons", &error))? {
                Swapped::Done => {
                    let again = false;
                    return Ok(Redeemed::Yes { record, again });
                }
                Swapped::Conflict => {}
            }
        }
        Err(too_fast())
    }

    /// A coupon with its version, and the key that it is sealed with.
    async fn coupon_of(
        &self,
        id: &str,
    ) -> Result<Option<(u64, CouponRecord, Option<RowKey>)>, Problem> {
        let found = self.books.store.issued(&[(Kind::Coupon, id)]).await;
        let found = found.map_err(|error| unavailable("the coupons", &error))?;
        let found = found.into_iter().next().flatten();
        let read = found.map(|stored| {
            let record = CouponRecord::decode(stored.value).map_err(damaged)?;
            Ok((stored.version, record, stored.row_key))
        });
        read.transpose()
    }

    /// Whether two ids are one person's; nobody is anybody's.
    async fn is_theirs(&self, owner: &str, shopper: &str) -> Result<bool, Problem> {
        if shopper.is_empty() || shopper == owner {
            return Ok(true);
        }
        let read = self.books.store.stored_shoppers(&[owner, shopper]).await;
        let read = read.map_err(|error| unavailable("the shopper", &error))?;
        let mut persons = [owner, shopper]
            .into_iter()
            .zip(read)
            .map(|(id, read)| read.under.unwrap_or_else(|| id.to_owned()));
        Ok(persons.next() == persons.next())
    }

    /// The cart that a link names, at the prices of today.
    pub(crate) async fn bring_back(&self, token: &str) -> Result<Brought, Problem> {
        let tokens = self.tokens()?;
        let generation = self.generations.get("")?;
        let now_ms = self.books.clock.now_ms();
        let reference = match restore::verify(&tokens.keys, &tokens.shop, token, now_ms) {
            Ok(link) => link.reference,
            Err(policy::token::TokenError::Expired) => return Ok(Brought::Expired),
            Err(policy::token::TokenError::Invalid) => return Ok(Brought::Invalid),
        };
        let id = cart_id(reference);
        let found = self.books.store.issued(&[(Kind::StoredCart, &id)]).await;
        let found = found.map_err(|error| unavailable("the stored carts", &error))?;
        let Some(stored) = found.into_iter().next().flatten() else {
            return Ok(Brought::Invalid);
        };
        let then = CartRecord::decode(stored.value).map_err(damaged)?;
        if then.expires_at_ms <= now_ms {
            return Ok(Brought::Expired);
        }
        Ok(Brought::Cart(Box::new(self.today(then, &generation))))
    }

    fn today(&self, then: CartRecord, generation: &Generation) -> BroughtBack {
        let mut today = BTreeMap::new();
        let mut names = Vec::with_capacity(then.lines.len());
        for line in &then.lines {
            let facts = self.items.facts(generation, &line.item_id);
            names.push(facts.name().to_owned());
            // An item in another currency cannot be added to this cart.
            let price = facts
                .price()
                .filter(|(_, currency)| *currency == then.currency || then.currency.is_empty());
            if let Some((price_minor, _)) = price {
                let now = ItemToday {
                    sellable: !self.items.is_blocked(&line.item_id),
                    price_minor,
                    stock: self.items.stock(&line.item_id),
                };
                today.insert(line.item_id.clone(), now);
            }
        }
        let lines: Vec<StoredLine> = then
            .lines
            .iter()
            .map(|line| StoredLine {
                item_id: line.item_id.clone(),
                quantity: line.quantity,
                price_minor: line.price_minor,
            })
            .collect();
        BroughtBack {
            today: reprice(&lines, &today),
            then,
            names,
        }
    }

    fn tokens(&self) -> Result<&Tokens, Problem> {
        self.books.tokens.as_ref().ok_or_else(|| {
            let why = "this server has no keys for codes and links: tokens.keys sets them";
            Problem::Precondition(why.to_owned())
        })
    }
}
