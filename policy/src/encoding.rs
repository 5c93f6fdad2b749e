//! The compact form of [`Inputs`] for the decision log: protobuf, readable by anything, with every
//! float as its bits so that a replay starts from exactly the same numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message;

use crate::{Inputs, Line};

use crate::sequence::Kind;

/// Raised with every change that an older reader would misread.
const VERSION: u32 = 3;
/// Before caps. Inputs without any are still written so.
const WITHOUT_CAPS: u32 = 2;
/// Before budgets, holdouts and kinds. Inputs without any of them are still written so.
const WITHOUT_LOOP: u32 = 1;

/// Encoded inputs that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("policy inputs are not readable: {0}")]
    Malformed(String),
    #[error("policy inputs have version {0}, this build reads up to {VERSION}")]
    Version(u32),
}

#[derive(Clone, PartialEq, Message)]
struct InputsMessage {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(message, repeated, tag = "2")]
    lines: Vec<LineMessage>,
    #[prost(string, tag = "3")]
    currency: String,
    #[prost(fixed64, tag = "4")]
    risk_bits: u64,
    #[prost(string, tag = "5")]
    channel: String,
    #[prost(string, repeated, tag = "6")]
    channels: Vec<String>,
    #[prost(string, repeated, tag = "7")]
    consented_channels: Vec<String>,
    #[prost(uint32, tag = "8")]
    messages_7d: u32,
    #[prost(string, tag = "9")]
    jurisdiction: String,
    #[prost(uint64, tag = "10")]
    idle_seconds: u64,
    #[prost(uint32, tag = "11")]
    idle_nanos: u32,
    #[prost(btree_map = "string, fixed64", tag = "12")]
    shopper_bits: BTreeMap<String, u64>,
    #[prost(btree_map = "string, string", tag = "13")]
    attributes: BTreeMap<String, String>,
    #[prost(int64, tag = "14")]
    now_ms: i64,
    #[prost(fixed64, tag = "15")]
    lambda_bits: u64,
    #[prost(int64, optional, tag = "16")]
    budget_free_minor: Option<i64>,
    #[prost(bool, tag = "17")]
    held_out: bool,
    #[prost(uint32, tag = "18")]
    left: u32,
    #[prost(bool, tag = "19")]
    capped: bool,
}

#[derive(Clone, PartialEq, Message)]
struct LineMessage {
    #[prost(string, tag = "1")]
    item_id: String,
    #[prost(uint32, tag = "2")]
    quantity: u32,
    #[prost(int64, tag = "3")]
    price_minor: i64,
    #[prost(int64, optional, tag = "4")]
    cost_minor: Option<i64>,
    #[prost(fixed64, optional, tag = "5")]
    margin_rate_bits: Option<u64>,
    #[prost(string, tag = "6")]
    category: String,
    #[prost(string, tag = "7")]
    brand: String,
}

impl Inputs {
    /// The compact form; at most 1 KiB for usual carts.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        InputsMessage {
            version: self.version(),
            lines: self.lines.iter().map(LineMessage::from).collect(),
            currency: self.currency.clone(),
            risk_bits: self.risk.to_bits(),
            channel: self.channel.clone(),
            channels: self.channels.clone(),
            consented_channels: self.consented_channels.clone(),
            messages_7d: self.messages_7d,
            jurisdiction: self.jurisdiction.clone(),
            idle_seconds: self.idle.as_secs(),
            idle_nanos: self.idle.subsec_nanos(),
            shopper_bits: self
                .shopper
                .iter()
                .map(|(name, value)| (name.clone(), value.to_bits()))
                .collect(),
            attributes: self.attributes.clone(),
            now_ms: self.now_ms,
            lambda_bits: self.lambda.to_bits(),
            budget_free_minor: self.budget_free_minor,
            held_out: self.held_out,
            left: self.left.code(),
            capped: self.capped,
        }
        .encode_to_vec()
    }

    /// The oldest version that tells all of it.
    fn version(&self) -> u32 {
        let plain = self.lambda.to_bits() == 0
            && self.budget_free_minor.is_none()
            && !self.held_out
            && self.left == Kind::default();
        match (self.capped, plain) {
            (true, _) => VERSION,
            (false, true) => WITHOUT_LOOP,
            (false, false) => WITHOUT_CAPS,
        }
    }

    /// Reads what [`Inputs::encode`] wrote, bit for bit.
    ///
    /// # Errors
    /// Bytes that are not encoded inputs, or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message = InputsMessage::decode(bytes)
            .map_err(|error| DecodeError::Malformed(error.to_string()))?;
        if message.version == 0 || message.version > VERSION {
            return Err(DecodeError::Version(message.version));
        }
        let idle = Duration::from_secs(message.idle_seconds)
            .checked_add(Duration::from_nanos(message.idle_nanos.into()))
            .ok_or_else(|| DecodeError::Malformed("the idle time is out of range".to_owned()))?;
        let shopper = message.shopper_bits.into_iter();
        Ok(Self {
            lines: message.lines.into_iter().map(Line::from).collect(),
            currency: message.currency,
            risk: f64::from_bits(message.risk_bits),
            channel: message.channel,
            channels: message.channels,
            consented_channels: message.consented_channels,
            messages_7d: message.messages_7d,
            jurisdiction: message.jurisdiction,
            idle,
            shopper: shopper
                .map(|(name, bits)| (name, f64::from_bits(bits)))
                .collect(),
            attributes: message.attributes,
            now_ms: message.now_ms,
            lambda: f64::from_bits(message.lambda_bits),
            budget_free_minor: message.budget_free_minor,
            held_out: message.held_out,
            capped: message.capped,
            left: Kind::from_code(message.left).ok_or_else(|| {
                DecodeError::Malformed(format!(
                    "what was left is {}, 0 to 3 is known",
                    message.left
                ))
            })?,
        })
    }
}

impl From<&Line> for LineMessage {
    fn from(line: &Line) -> Self {
        Self {
            item_id: line.item_id.clone(),
            quantity: line.quantity,
            price_minor: line.price_minor,
            cost_minor: line.cost_minor,
            margin_rate_bits: line.margin_rate.map(f64::to_bits),
            category: line.category.clone(),
            brand: line.brand.clone(),
        }
    }
}

impl From<LineMessage> for Line {
    fn from(line: LineMessage) -> Self {
        Self {
            item_id: line.item_id,
            quantity: line.quantity,
            price_minor: line.price_minor,
            cost_minor: line.cost_minor,
            margin_rate: line.margin_rate_bits.map(f64::from_bits),
            category: line.category,
            brand: line.brand,
        }
    }
}
