//! Rows that the recovery role writes, as far as they are read here.

use feature_store::Millis;
use feature_store::store::Kind;
use prost::Message;

/// When what a code or a link stands for expires; `None` for what cannot be read.
pub(crate) fn expiry(kind: Kind, record: &[u8]) -> Option<Millis> {
    let at = match kind == Kind::Coupon {
        true => CouponRow::decode(record).ok()?.expires_at_ms,
        false => CartRow::decode(record).ok()?.expires_at_ms,
    };
    // A record of ours says it.
    (at != 0).then_some(Millis(at))
}

/// A logged decision.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DecisionRow {
    /// `cartwright.v1.Decision`.
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) decision: Vec<u8>,
    #[prost(string, tag = "9")]
    pub(crate) shopper_id: String,
}

/// A row of the outbox.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ActionRow {
    #[prost(string, tag = "2")]
    pub(crate) shopper_id: String,
    #[prost(string, tag = "3")]
    pub(crate) decision_id: String,
    #[prost(string, tag = "4")]
    pub(crate) channel: String,
}

/// An entry of the log of outcomes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OutcomeRow {
    #[prost(string, tag = "2")]
    pub(crate) id: String,
    #[prost(int32, tag = "3")]
    pub(crate) kind: i32,
    #[prost(string, tag = "4")]
    pub(crate) shopper_id: String,
    #[prost(string, tag = "5")]
    pub(crate) decision_id: String,
    #[prost(int64, tag = "6")]
    pub(crate) occurred_at_ms: i64,
    #[prost(int64, tag = "7")]
    pub(crate) reported_at_ms: i64,
    #[prost(string, tag = "8")]
    pub(crate) order_id: String,
    #[prost(int64, tag = "9")]
    pub(crate) value_minor: i64,
    #[prost(int64, tag = "10")]
    pub(crate) discount_minor: i64,
    #[prost(string, tag = "11")]
    pub(crate) currency: String,
    #[prost(string, tag = "12")]
    pub(crate) purpose: String,
    #[prost(string, repeated, tag = "13")]
    pub(crate) channels: Vec<String>,
}

/// A dead letter.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LetterRow {
    #[prost(string, tag = "2")]
    pub(crate) shopper_id: String,
    #[prost(string, tag = "3")]
    pub(crate) decision_id: String,
    #[prost(string, tag = "4")]
    pub(crate) channel: String,
    #[prost(string, tag = "5")]
    pub(crate) idempotency_key: String,
    #[prost(uint32, tag = "6")]
    pub(crate) attempts: u32,
    #[prost(string, tag = "7")]
    pub(crate) why: String,
    #[prost(int64, tag = "8")]
    pub(crate) died_at_ms: i64,
}

/// What a coupon code stands for.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CouponRow {
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
    #[prost(string, tag = "10")]
    pub(crate) order_id: String,
    #[prost(int64, tag = "11")]
    pub(crate) redeemed_at_ms: i64,
}

/// A cart that a link brings back.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CartRow {
    #[prost(message, repeated, tag = "2")]
    pub(crate) lines: Vec<CartRowLine>,
    #[prost(string, tag = "3")]
    pub(crate) currency: String,
    #[prost(int64, tag = "4")]
    pub(crate) expires_at_ms: i64,
}

/// One line of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CartRowLine {
    #[prost(string, tag = "1")]
    pub(crate) item_id: String,
    #[prost(uint32, tag = "2")]
    pub(crate) quantity: u32,
    #[prost(int64, tag = "3")]
    pub(crate) price_minor: i64,
}
