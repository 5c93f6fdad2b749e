//! What is written for a committed decision: enough to answer the same again, and to recompute it.

mod file;
mod replay;

use policy::sequence::StepKey;
use prost::Message as _;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::request::{CartLine, Request};

pub use file::{Line, LineError};
pub use replay::{ReplayError, decode, replay};

/// The format that this version writes. Readers accept every format up to theirs.
pub const FORMAT: u32 = 2;

/// The format since which a record names its policy by content, and tells when it is damaged.
pub(crate) const SEALED_SINCE: u32 = 2;

/// Keeps joined texts apart: no id holds the unit separator and a neighbour's text by accident.
const SEPARATOR: u8 = 0x1f;

/// One entry of the decision log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Record {
    /// Version of this layout.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// Of the request without its time: the same question has the same fingerprint.
    #[prost(bytes = "vec", tag = "2")]
    pub fingerprint: Vec<u8>,
    /// `policy::Inputs`, encoded by the policy crate.
    #[prost(bytes = "vec", tag = "3")]
    pub inputs: Vec<u8>,
    /// What the policy drew its chances from.
    #[prost(fixed64, tag = "4")]
    pub seed: u64,
    /// Version that the policy file states.
    #[prost(string, tag = "5")]
    pub policy_version: String,
    /// The generation that answered.
    #[prost(string, tag = "6")]
    pub generation: String,
    /// The answer, `cartwright.v1.Decision`.
    #[prost(bytes = "vec", tag = "7")]
    pub decision: Vec<u8>,
    /// As asked.
    #[prost(string, tag = "8")]
    pub request_id: String,
    /// As asked.
    #[prost(string, tag = "9")]
    pub shopper_id: String,
    /// The step of recovery that it took; absent when it took none.
    #[prost(message, optional, tag = "10")]
    pub step: Option<Step>,
    /// [`policy::Policy::id`]: its text is kept under this.
    #[prost(bytes = "vec", tag = "11")]
    pub policy_id: Vec<u8>,
    /// [`policy::Decision::digest`] of what was decided.
    #[prost(bytes = "vec", tag = "12")]
    pub digest: Vec<u8>,
    /// Of all the rest.
    #[prost(bytes = "vec", tag = "13")]
    pub checksum: Vec<u8>,
}

/// A step of recovery.
#[derive(Copy, Clone, PartialEq, Eq, prost::Message)]
pub struct Step {
    /// The cart that it is about.
    #[prost(uint64, tag = "1")]
    pub cart_version: u64,
    /// Counted from 0.
    #[prost(uint32, tag = "2")]
    pub step: u32,
    /// How often it was put off before.
    #[prost(uint32, tag = "3")]
    pub attempt: u32,
}

impl Step {
    pub(crate) fn of(key: StepKey) -> Self {
        Self {
            cart_version: key.cart_version,
            step: key.step,
            attempt: key.attempt,
        }
    }
}

impl Record {
    /// Finishes a record: what changes of it from now on is noticed.
    #[must_use]
    pub(crate) fn sealed(mut self) -> Self {
        self.checksum = self.sum();
        self
    }

    /// The id of the decision, which is formed of shopper and request.
    #[must_use]
    pub fn decision_id(&self) -> String {
        decision_id(&self.shopper_id, &self.request_id)
    }

    /// Whether it is as it was written. What the first format wrote cannot tell.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.format < SEALED_SINCE || self.checksum == self.sum()
    }

    /// xxh3-128 over all the rest.
    fn sum(&self) -> Vec<u8> {
        let rest = Self {
            checksum: Vec::new(),
            ..self.clone()
        };
        xxh3_128(&rest.encode_to_vec()).to_be_bytes().to_vec()
    }
}

/// 32 hexadecimal digits of xxh3-128 over shopper, separator and request id; empty for a request
/// without an id.
pub(crate) fn decision_id(shopper_id: &str, request_id: &str) -> String {
    if request_id.is_empty() {
        return String::new();
    }
    let named = joined([shopper_id.as_bytes(), request_id.as_bytes()]);
    format!("{:032x}", xxh3_128(&named))
}

/// xxh3-64 over shopper, request id and the time decided at (little-endian milliseconds), with
/// separators: the same question at the same time explores the same arm, wherever it is asked.
pub(crate) fn seed(shopper_id: &str, request_id: &str, now_ms: i64) -> u64 {
    let now = now_ms.to_le_bytes();
    xxh3_64(&joined([
        shopper_id.as_bytes(),
        request_id.as_bytes(),
        &now,
    ]))
}

/// xxh3-128 over all that a request asks, apart from its time: a retry may come later.
pub(crate) fn fingerprint(request: &Request) -> Vec<u8> {
    let asked = Asked {
        request_id: request.request_id.clone(),
        shopper_id: request.shopper_id.clone(),
        cart: request.cart.iter().map(AskedLine::of).collect(),
        channel: request.context.channel.clone(),
        attributes: request.context.attributes.clone(),
        generation: request.generation.clone(),
        mode: request.mode.as_str().to_owned(),
    };
    xxh3_128(&asked.encode_to_vec()).to_be_bytes().to_vec()
}

/// Bytes as they are written for people, and as ids.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn joined<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    parts.join(&SEPARATOR)
}

/// The question in a form whose bytes never change: fields may only be added, never renumbered.
#[derive(Clone, PartialEq, prost::Message)]
struct Asked {
    #[prost(string, tag = "1")]
    request_id: String,
    #[prost(string, tag = "2")]
    shopper_id: String,
    #[prost(message, repeated, tag = "3")]
    cart: Vec<AskedLine>,
    #[prost(string, tag = "4")]
    channel: String,
    #[prost(btree_map = "string, string", tag = "5")]
    attributes: std::collections::BTreeMap<String, String>,
    #[prost(string, tag = "6")]
    generation: String,
    #[prost(string, tag = "7")]
    mode: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AskedLine {
    #[prost(string, tag = "1")]
    item_id: String,
    #[prost(uint32, tag = "2")]
    quantity: u32,
    #[prost(int64, tag = "3")]
    price_minor: i64,
    #[prost(string, tag = "4")]
    currency: String,
    #[prost(string, tag = "5")]
    category: String,
    #[prost(string, tag = "6")]
    brand: String,
}

impl AskedLine {
    fn of(line: &CartLine) -> Self {
        Self {
            item_id: line.item_id.clone(),
            quantity: line.quantity,
            price_minor: line.price_minor,
            currency: line.currency.clone(),
            category: line.category.clone(),
            brand: line.brand.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            request_id: "r".to_owned(),
            shopper_id: "s".to_owned(),
            cart: vec![CartLine {
                item_id: "1".to_owned(),
                quantity: 2,
                ..CartLine::default()
            }],
            ..Request::default()
        }
    }

    #[test]
    fn ids_are_stable_and_keep_their_parts_apart() {
        assert_eq!(decision_id("s", "r").len(), 32);
        assert_eq!(decision_id("s", "r"), decision_id("s", "r"));
        assert_ne!(decision_id("sr", ""), decision_id("s", "r"));
        assert_ne!(decision_id("a", "bc"), decision_id("ab", "c"));
        assert_eq!(decision_id("s", ""), "");
        assert_ne!(seed("s", "r", 1), seed("s", "r", 2));
    }

    #[test]
    fn ids_never_change_between_versions() {
        let written = (
            decision_id("s", "r"),
            seed("s", "r", 1_760_000_000_000),
            hex(&fingerprint(&request())),
        );
        let id = "66a95bf2a761f22308066982d23de736".to_owned();
        let fingerprint = "da764184579650cfefea831fc3b6e0f5".to_owned();
        assert_eq!(written, (id, 4_949_481_543_330_008_501, fingerprint));
    }

    #[test]
    fn a_later_retry_is_the_same_question_and_another_cart_is_not() {
        let mut later = request();
        later.now_ms = Some(1);
        assert_eq!(fingerprint(&request()), fingerprint(&later));
        let mut other = request();
        other.cart[0].quantity = 3;
        assert_ne!(fingerprint(&request()), fingerprint(&other));
        let mut attribute = request();
        attribute
            .context
            .attributes
            .insert("vip".to_owned(), "1".to_owned());
        assert_ne!(fingerprint(&request()), fingerprint(&attribute));
    }
}
