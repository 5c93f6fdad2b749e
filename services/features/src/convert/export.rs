//! What is kept about a person, as it is told to the person.
//!
//! Decisions, actions and outcomes are written by the recovery role. Their layouts never change what a
//! number means, so the fields that are told here are read by their numbers.

use feature_store::{Event, Exported, Exporter, Millis, Plan, Registry};
use prost::Message;
use proto::v1 as pb;
use proto::v1::exported_record::Record;
use tonic::Status;

use super::{feature, shopper, time};

/// A logged decision.
#[derive(Clone, PartialEq, Message)]
struct DecisionRow {
    /// `cartwright.v1.Decision`.
    #[prost(bytes = "vec", tag = "7")]
    decision: Vec<u8>,
    #[prost(string, tag = "9")]
    shopper_id: String,
}

/// A row of the outbox.
#[derive(Clone, PartialEq, Message)]
struct ActionRow {
    #[prost(string, tag = "2")]
    shopper_id: String,
    #[prost(string, tag = "3")]
    decision_id: String,
    #[prost(string, tag = "4")]
    channel: String,
}

/// An entry of the log of outcomes.
#[derive(Clone, PartialEq, Message)]
struct OutcomeRow {
    #[prost(string, tag = "2")]
    id: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(string, tag = "4")]
    shopper_id: String,
    #[prost(string, tag = "5")]
    decision_id: String,
    #[prost(int64, tag = "6")]
    occurred_at_ms: i64,
    #[prost(int64, tag = "7")]
    reported_at_ms: i64,
    #[prost(string, tag = "8")]
    order_id: String,
    #[prost(int64, tag = "9")]
    value_minor: i64,
    #[prost(int64, tag = "10")]
    discount_minor: i64,
    #[prost(string, tag = "11")]
    currency: String,
    #[prost(string, tag = "12")]
    purpose: String,
    #[prost(string, repeated, tag = "13")]
    channels: Vec<String>,
}

/// What stands now: who it is, and where something is known, settings, cart and features.
pub(crate) fn standing(exporter: &Exporter) -> Result<Vec<pb::ExportedRecord>, Status> {
    let person = pb::ExportedPerson {
        person_id: exporter.person_id.clone(),
        other_ids: exporter.other_ids.clone(),
    };
    let mut records = vec![now(Record::Person(person))];
    let Some(view) = &exporter.view else {
        return Ok(records);
    };
    let profile = shopper::encode_profile(exporter.person_id.clone(), view);
    records.push(now(Record::Profile(profile)));
    records.push(now(Record::Cart(feature::encode_cart(Some(view)))));
    let plan = plan().map_err(|unknown| Status::internal(unknown.to_string()))?;
    let values = plan.shopper(Some(view));
    for (def, value) in plan.features().iter().zip(values) {
        records.push(now(Record::Feature(pb::ExportedFeature {
            name: def.name.to_owned(),
            value: Some(feature::encode_value(value)),
        })));
    }
    Ok(records)
}

/// All features of shoppers.
fn plan() -> Result<Plan, feature_store::UnknownFeature> {
    let registry = Registry::standard();
    let features = registry.features().iter();
    let names: Vec<&str> = features
        .filter(|def| def.entity == feature_store::EntityKind::Shopper)
        .map(|def| def.name)
        .collect();
    registry.plan(&names)
}

fn now(record: Record) -> pb::ExportedRecord {
    pb::ExportedRecord {
        at: None,
        record: Some(record),
    }
}

/// An entry of a log; `None` for one that is somebody else's, or that cannot be read.
pub(crate) fn logged(exporter: &Exporter, exported: Exported) -> Option<pb::ExportedRecord> {
    let (at, shopper_id, record) = match exported {
        Exported::Event(logged) => {
            let at = time::encode(logged.accepted_at);
            let record = Record::Event(event(logged.event));
            return Some(pb::ExportedRecord {
                at: Some(at),
                record: Some(record),
            });
        }
        Exported::Decision(row) => {
            let row = DecisionRow::decode(row).ok()?;
            let decision = pb::Decision::decode(row.decision.as_slice()).ok()?;
            (
                decision.decided_at,
                row.shopper_id,
                Record::Decision(decision),
            )
        }
        Exported::Action(row) => {
            let row = ActionRow::decode(row).ok()?;
            let action = pb::ExportedAction {
                shopper_id: row.shopper_id.clone(),
                decision_id: row.decision_id,
                channel: row.channel,
            };
            (None, row.shopper_id, Record::Action(action))
        }
        Exported::Outcome(row) => {
            let row = OutcomeRow::decode(row).ok()?;
            let at = Some(time::encode(Millis(row.reported_at_ms)));
            (at, row.shopper_id.clone(), Record::Outcome(outcome(row)))
        }
    };
    exporter
        .is_theirs(&shopper_id)
        .then_some(pb::ExportedRecord {
            at,
            record: Some(record),
        })
}

fn outcome(row: OutcomeRow) -> pb::OutcomeReport {
    pb::OutcomeReport {
        report_id: row.id,
        shopper_id: row.shopper_id,
        decision_id: row.decision_id,
        kind: row.kind,
        occurred_at: Some(time::encode(Millis(row.occurred_at_ms))),
        order_id: row.order_id,
        value_minor: row.value_minor,
        discount_minor: row.discount_minor,
        currency: row.currency,
        purpose: row.purpose,
        channel: row.channels.join(", "),
    }
}

fn event(event: Event) -> pb::Event {
    pb::Event {
        r#type: i32::from(event.kind.code()),
        event_id: event.event_id,
        shopper_id: event.shopper_id,
        device_id: event.device_id,
        item_id: event.item_id,
        quantity: event.quantity,
        price_minor: event.price_minor,
        currency: event.currency,
        occurred_at: Some(time::encode(event.occurred_at)),
        session_id: event.session_id,
        order_id: event.order_id,
        category: event.category,
        brand: event.brand,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_recovery_role_are_read_by_their_numbers() {
        // The goldens of the recovery role's own layouts.
        let row = b"\x08\x01\x12\x03ann\x1a\x02d1\x22\x05email";
        let row = ActionRow::decode(&row[..]).unwrap();
        let read = (row.shopper_id, row.decision_id, row.channel);
        assert_eq!(read, ("ann".into(), "d1".into(), "email".into()));
        let row = b"\x08\x01\x12\x01i\x18\x05\x22\x03ann\x2a\x02d1\x30\x80\x80\xb3\xc1\x9c\x33\
            \x38\x81\x80\xb3\xc1\x9c\x33\x42\x02o1\x48\xa4\x26\x50\xf4\x03\x5a\x03EUR\
            \x62\x09marketing\x6a\x05email\x6a\x03sms";
        let told = outcome(OutcomeRow::decode(&row[..]).unwrap());
        assert_eq!(told.kind(), pb::outcome_report::Kind::Recovered);
        assert_eq!((told.value_minor, told.discount_minor), (4_900, 500));
        assert_eq!(told.channel, "email, sms");
    }
}
