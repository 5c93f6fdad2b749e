//! The entry of the event log.

use prost::Message;

use crate::event::{Event, EventKind};
use crate::state::DecodeError;
use crate::time::Millis;

/// The layout written; older ones stay readable for ever.
const FORMAT: u32 = 1;

/// An accepted event, as it stands in its partition's log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoggedEvent {
    /// The clock when it was accepted.
    pub accepted_at: Millis,
    pub partition: u16,
    /// Its place in the partition's log.
    pub sequence: u64,
    pub event: Event,
}

/// Hand-written protobuf; field numbers are for ever.
#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(int64, tag = "2")]
    accepted_at: i64,
    #[prost(uint32, tag = "3")]
    partition: u32,
    #[prost(uint64, tag = "4")]
    sequence: u64,
    #[prost(string, tag = "5")]
    event_id: String,
    #[prost(string, tag = "6")]
    shopper_id: String,
    #[prost(string, tag = "7")]
    device_id: String,
    #[prost(uint32, tag = "8")]
    kind: u32,
    #[prost(string, tag = "9")]
    item_id: String,
    #[prost(uint32, tag = "10")]
    quantity: u32,
    #[prost(int64, tag = "11")]
    price_minor: i64,
    #[prost(string, tag = "12")]
    currency: String,
    #[prost(int64, tag = "13")]
    occurred_at: i64,
    #[prost(string, tag = "14")]
    session_id: String,
    #[prost(string, tag = "15")]
    order_id: String,
    #[prost(string, tag = "16")]
    category: String,
    #[prost(string, tag = "17")]
    brand: String,
}

impl LoggedEvent {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let event = self.event.clone();
        let wire = Wire {
            format: FORMAT,
            accepted_at: self.accepted_at.0,
            partition: u32::from(self.partition),
            sequence: self.sequence,
            event_id: event.event_id,
            shopper_id: event.shopper_id,
            device_id: event.device_id,
            kind: u32::from(event.kind.code()),
            item_id: event.item_id,
            quantity: event.quantity,
            price_minor: event.price_minor,
            currency: event.currency,
            occurred_at: event.occurred_at.0,
            session_id: event.session_id,
            order_id: event.order_id,
            category: event.category,
            brand: event.brand,
        };
        wire.encode_to_vec()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire = Wire::decode(bytes)?;
        if wire.format != FORMAT {
            return Err(DecodeError::Format {
                found: wire.format,
                known: FORMAT,
            });
        }
        let kind = u8::try_from(wire.kind).ok().and_then(EventKind::from_code);
        let kind = kind.ok_or(DecodeError::Corrupt("an event kind is unknown"))?;
        let partition = u16::try_from(wire.partition);
        Ok(Self {
            accepted_at: Millis(wire.accepted_at),
            partition: partition.map_err(|_| DecodeError::Corrupt("a partition is too large"))?,
            sequence: wire.sequence,
            event: Event {
                event_id: wire.event_id,
                shopper_id: wire.shopper_id,
                device_id: wire.device_id,
                kind,
                item_id: wire.item_id,
                quantity: wire.quantity,
                price_minor: wire.price_minor,
                currency: wire.currency,
                occurred_at: Millis(wire.occurred_at),
                session_id: wire.session_id,
                order_id: wire.order_id,
                category: wire.category,
                brand: wire.brand,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_its_bytes() {
        let entry = LoggedEvent {
            accepted_at: Millis(7),
            partition: 255,
            sequence: u64::MAX,
            event: Event {
                event_id: "e".into(),
                shopper_id: "s".into(),
                kind: EventKind::MessageUnsubscribed,
                quantity: 3,
                price_minor: 5,
                occurred_at: Millis(-4),
                brand: "b".into(),
                ..Event::default()
            },
        };
        assert_eq!(LoggedEvent::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn an_entry_of_another_format_is_refused() {
        let found = Wire {
            format: 2,
            kind: 1,
            ..Wire::default()
        }
        .encode_to_vec();
        assert_eq!(
            LoggedEvent::decode(&found),
            Err(DecodeError::Format {
                found: 2,
                known: FORMAT
            })
        );
    }
}
