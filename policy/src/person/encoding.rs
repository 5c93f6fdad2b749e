//! The section of the person's value: protobuf, bounded. Equal persons have equal bytes.

use prost::Message;

use super::{OpenAction, Person};
use crate::guard::caps::{self, Sends, State};
use crate::sequence::{Ended, Kind, Sequence, StepKey};

/// Raised with every change that an older reader would misread.
const VERSION: u32 = 1;
/// Largest section. What would make it larger leaves the oldest out.
pub const MAX_BYTES: usize = 2 * 1024;

/// A section that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonDecodeError {
    #[error("the recovery section is not readable: {0}")]
    Malformed(String),
    #[error("the recovery section has version {0}, this build reads 1 to {VERSION}")]
    Version(u32),
}

#[derive(Clone, PartialEq, Message)]
struct PersonMessage {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(message, optional, tag = "2")]
    sequence: Option<SequenceMessage>,
    #[prost(message, repeated, tag = "3")]
    sends: Vec<SendMessage>,
    #[prost(message, repeated, tag = "4")]
    actions: Vec<ActionMessage>,
    #[prost(string, repeated, tag = "5")]
    aliases: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct SequenceMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint64, tag = "2")]
    cart_version: u64,
    #[prost(int64, tag = "3")]
    active_ms: i64,
    #[prost(uint32, tag = "4")]
    first: u32,
    #[prost(uint32, tag = "5")]
    step: u32,
    #[prost(uint32, tag = "6")]
    attempt: u32,
    #[prost(uint32, tag = "7")]
    taken_attempt: u32,
    #[prost(int64, optional, tag = "8")]
    not_before_ms: Option<i64>,
    /// 0 for one that goes on.
    #[prost(uint32, tag = "9")]
    ended: u32,
}

#[derive(Clone, PartialEq, Message)]
struct SendMessage {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    channel: String,
    #[prost(int64, optional, tag = "3")]
    sent_at_ms: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    reserved_until_ms: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct ActionMessage {
    #[prost(string, tag = "1")]
    decision_id: String,
    #[prost(uint64, tag = "2")]
    cart_version: u64,
    #[prost(uint32, tag = "3")]
    step: u32,
    #[prost(uint32, tag = "4")]
    attempt: u32,
    #[prost(string, tag = "5")]
    channel: String,
    #[prost(uint64, tag = "6")]
    bought_units: u64,
    #[prost(int64, tag = "7")]
    decided_at_ms: i64,
    #[prost(string, tag = "8")]
    period: String,
    #[prost(int64, tag = "9")]
    max_cost_minor: i64,
    #[prost(int64, optional, tag = "10")]
    handed_out_at_ms: Option<i64>,
}

impl Person {
    /// The section to store, at most [`MAX_BYTES`]. Where more is known, actions that were handed
    /// out leave first, the oldest before the others, then the oldest that wait, then the oldest
    /// messages: an action that leaves so is never handed out again.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut message = self.message();
        while message.encoded_len() > MAX_BYTES && shrink(&mut message) {}
        message.encode_to_vec()
    }

    fn message(&self) -> PersonMessage {
        let sends = self.sends.messages.iter();
        PersonMessage {
            version: VERSION,
            sequence: self.sequence.as_ref().map(sequence_message),
            sends: sends.map(send_message).collect(),
            actions: self.actions.iter().map(action_message).collect(),
            aliases: self.aliases.clone(),
        }
    }

    /// Reads what [`Person::encode`] wrote; nothing at all is somebody of whom nothing is known.
    ///
    /// # Errors
    /// Bytes that are no section, or one of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, PersonDecodeError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let message = PersonMessage::decode(bytes)
            .map_err(|error| PersonDecodeError::Malformed(error.to_string()))?;
        if message.version == 0 || message.version > VERSION {
            return Err(PersonDecodeError::Version(message.version));
        }
        let mut sends = Sends::default();
        for message in message.sends {
            let (key, message) = send(message)?;
            sends.messages.insert(key, message);
        }
        Ok(Self {
            sequence: message.sequence.as_ref().map(sequence).transpose()?,
            sends,
            actions: message.actions.into_iter().map(action).collect(),
            aliases: message.aliases,
        })
    }
}

/// Leaves out one thing; `false` when there is nothing left to leave out.
fn shrink(message: &mut PersonMessage) -> bool {
    let actions = &mut message.actions;
    let handed_out = actions
        .iter()
        .position(|one| one.handed_out_at_ms.is_some());
    if let Some(place) = handed_out.or((!actions.is_empty()).then_some(0)) {
        actions.remove(place);
        return true;
    }
    let age = |one: &SendMessage| one.sent_at_ms.max(one.reserved_until_ms);
    let places = 0..message.sends.len();
    let oldest = places.min_by_key(|at| message.sends.get(*at).and_then(age));
    match oldest {
        Some(place) => {
            message.sends.remove(place);
            true
        }
        None => message.aliases.pop().is_some(),
    }
}

fn ended_code(ended: Option<Ended>) -> u32 {
    match ended {
        None => 0,
        Some(Ended::Purchased) => 1,
        Some(Ended::Dismissed) => 2,
        Some(Ended::Emptied) => 3,
    }
}

fn ended(code: u32) -> Result<Option<Ended>, PersonDecodeError> {
    match code {
        0 => Ok(None),
        1 => Ok(Some(Ended::Purchased)),
        2 => Ok(Some(Ended::Dismissed)),
        3 => Ok(Some(Ended::Emptied)),
        other => Err(PersonDecodeError::Malformed(format!(
            "the sequence ended by {other}, 0 to 3 is known"
        ))),
    }
}

fn sequence_message(sequence: &Sequence) -> SequenceMessage {
    let waits = sequence.not_before_ms != i64::MIN;
    SequenceMessage {
        kind: sequence.kind.code(),
        cart_version: sequence.cart_version,
        active_ms: sequence.active_ms,
        first: sequence.first,
        step: sequence.step,
        attempt: sequence.attempt,
        taken_attempt: sequence.taken_attempt,
        not_before_ms: waits.then_some(sequence.not_before_ms),
        ended: ended_code(sequence.ended),
    }
}

fn sequence(message: &SequenceMessage) -> Result<Sequence, PersonDecodeError> {
    let kind = Kind::from_code(message.kind).ok_or_else(|| {
        PersonDecodeError::Malformed(format!("the kind is {}, 0 to 3 is known", message.kind))
    })?;
    Ok(Sequence {
        kind,
        cart_version: message.cart_version,
        active_ms: message.active_ms,
        first: message.first,
        step: message.step,
        attempt: message.attempt,
        taken_attempt: message.taken_attempt,
        not_before_ms: message.not_before_ms.unwrap_or(i64::MIN),
        ended: ended(message.ended)?,
    })
}

fn send_message((key, message): (&String, &caps::Message)) -> SendMessage {
    let (sent_at_ms, reserved_until_ms) = match message.state {
        State::Sent { at_ms } => (Some(at_ms), None),
        State::Reserved { until_ms } => (None, Some(until_ms)),
    };
    SendMessage {
        key: key.clone(),
        channel: message.channel.clone(),
        sent_at_ms,
        reserved_until_ms,
    }
}

fn send(message: SendMessage) -> Result<(String, caps::Message), PersonDecodeError> {
    let state = match (message.sent_at_ms, message.reserved_until_ms) {
        (Some(at_ms), _) => State::Sent { at_ms },
        (None, Some(until_ms)) => State::Reserved { until_ms },
        (None, None) => {
            let why = format!(
                "the message {:?} was neither sent nor reserved",
                message.key
            );
            return Err(PersonDecodeError::Malformed(why));
        }
    };
    let channel = message.channel;
    Ok((message.key, caps::Message { channel, state }))
}

fn action_message(action: &OpenAction) -> ActionMessage {
    ActionMessage {
        decision_id: action.decision_id.clone(),
        cart_version: action.key.cart_version,
        step: action.key.step,
        attempt: action.key.attempt,
        channel: action.channel.clone(),
        bought_units: action.bought_units,
        decided_at_ms: action.decided_at_ms,
        period: action.period.clone(),
        max_cost_minor: action.max_cost_minor,
        handed_out_at_ms: action.handed_out_at_ms,
    }
}

fn action(message: ActionMessage) -> OpenAction {
    OpenAction {
        decision_id: message.decision_id,
        key: StepKey {
            cart_version: message.cart_version,
            step: message.step,
            attempt: message.attempt,
        },
        channel: message.channel,
        bought_units: message.bought_units,
        decided_at_ms: message.decided_at_ms,
        period: message.period,
        max_cost_minor: message.max_cost_minor,
        handed_out_at_ms: message.handed_out_at_ms,
    }
}
