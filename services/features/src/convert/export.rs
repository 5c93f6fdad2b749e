//! What is kept about a person, as it is told to the person.
//!
//! Decisions, actions, outcomes, dead letters, codes and the section of the value that carts are won
//! back by are written by the recovery role. Their layouts never change what a number means, so the
//! fields that are told here are read by their numbers.

pub(crate) mod recovery;
pub(crate) mod rows;

use feature_store::{Event, Exported, Exporter, Millis, Plan, Registry};
use prost::Message as _;
use proto::v1 as pb;
use proto::v1::exported_record::Record;
use tonic::Status;

use self::rows::{ActionRow, CartRow, CouponRow, DecisionRow, LetterRow, OutcomeRow};
use super::{feature, shopper, time};

/// What stands now: who it is, and where something is known, settings, cart and features.
pub(crate) fn standing(exporter: &Exporter) -> Result<Vec<pb::ExportedRecord>, Status> {
    let person = pb::ExportedPerson {
        person_id: exporter.person_id.clone(),
        other_ids: exporter.other_ids.clone(),
        looked_at_next: exporter.looked_at_next.map(time::encode),
    };
    let mut records = vec![now(Record::Person(person))];
    let recoveries = exporter.recoveries.iter();
    let recoveries = recoveries.filter_map(|(id, section)| recovery::told(id, section));
    let recoveries = recoveries.map(|told| now(Record::Recovery(told)));
    let Some(view) = &exporter.view else {
        records.extend(recoveries);
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
    records.extend(recoveries);
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

/// One thing beside the value; `None` for one that is somebody else's, or that cannot be read.
pub(crate) fn beside(exporter: &Exporter, exported: Exported) -> Option<pb::ExportedRecord> {
    let (at, shopper_id, record) = match exported {
        Exported::Event(logged) => {
            let at = Some(time::encode(logged.accepted_at));
            let record = Some(Record::Event(event(logged.event)));
            return Some(pb::ExportedRecord { at, record });
        }
        Exported::StoredCart(reference, row) => {
            let row = CartRow::decode(row).ok()?;
            return Some(now(Record::StoredCart(stored_cart(reference, row))));
        }
        Exported::Decision(row) => {
            let row = DecisionRow::decode(row).ok()?;
            let decision = pb::Decision::decode(row.decision.as_slice()).ok()?;
            let at = decision.decided_at;
            (at, row.shopper_id, Record::Decision(decision))
        }
        Exported::Action(row) => {
            let row = ActionRow::decode(row).ok()?;
            (None, row.shopper_id.clone(), Record::Action(action(row)))
        }
        Exported::Outcome(row) => {
            let row = OutcomeRow::decode(row).ok()?;
            let at = Some(time::encode(Millis(row.reported_at_ms)));
            (at, row.shopper_id.clone(), Record::Outcome(outcome(row)))
        }
        Exported::DeadLetter(row) => {
            let row = LetterRow::decode(row).ok()?;
            let at = Some(time::encode(Millis(row.died_at_ms)));
            (at, row.shopper_id.clone(), Record::DeadLetter(letter(row)))
        }
        Exported::Coupon(serial, row) => {
            let row = CouponRow::decode(row).ok()?;
            let shopper_id = row.shopper_id.clone();
            (None, shopper_id, Record::Coupon(coupon(serial, row)))
        }
    };
    let record = Some(record);
    exporter
        .is_theirs(&shopper_id)
        .then_some(pb::ExportedRecord { at, record })
}

fn action(row: ActionRow) -> pb::ExportedAction {
    pb::ExportedAction {
        shopper_id: row.shopper_id,
        decision_id: row.decision_id,
        channel: row.channel,
    }
}

fn letter(row: LetterRow) -> pb::ExportedDeadLetter {
    pb::ExportedDeadLetter {
        shopper_id: row.shopper_id,
        decision_id: row.decision_id,
        channel: row.channel,
        idempotency_key: row.idempotency_key,
        attempts: row.attempts,
        reason: row.why,
    }
}

fn coupon(serial: String, row: CouponRow) -> pb::ExportedCoupon {
    let redeemed = (row.redeemed_at_ms != 0).then(|| time::encode(Millis(row.redeemed_at_ms)));
    pb::ExportedCoupon {
        serial,
        shopper_id: row.shopper_id,
        decision_id: row.decision_id,
        cart_version: row.cart_version,
        percent_off: row.percent_off,
        discount_minor: row.discount_minor,
        max_discount_minor: row.max_discount_minor,
        currency: row.currency,
        expires_at: Some(time::encode(Millis(row.expires_at_ms))),
        order_id: row.order_id,
        redeemed_at: redeemed,
    }
}

fn stored_cart(reference: String, row: CartRow) -> pb::ExportedStoredCart {
    let line = |line: rows::CartRowLine| pb::CartLine {
        item_id: line.item_id,
        quantity: line.quantity,
        price_minor: line.price_minor,
        currency: row.currency.clone(),
        ..pb::CartLine::default()
    };
    pb::ExportedStoredCart {
        reference,
        lines: row.lines.into_iter().map(line).collect(),
        expires_at: Some(time::encode(Millis(row.expires_at_ms))),
    }
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
        let row =
            b"\x08\x01\x12\x03ann\x1a\x02d1\x22\x05email\x2a\x07ann/1/0\x30\x08\x3a\x03500\x40\x05";
        let row = LetterRow::decode(&row[..]).unwrap();
        assert_eq!(row.died_at_ms, 5);
        let expected = pb::ExportedDeadLetter {
            shopper_id: "ann".to_owned(),
            decision_id: "d1".to_owned(),
            channel: "email".to_owned(),
            idempotency_key: "ann/1/0".to_owned(),
            attempts: 8,
            reason: "500".to_owned(),
        };
        assert_eq!(letter(row), expected);
    }

    #[test]
    fn codes_and_carts_of_the_recovery_role_are_read_by_their_numbers() {
        let at = |millis| Some(time::encode(Millis(millis)));
        let row = b"\x08\x01\x12\x03ann\x1a\x02d1\x20\x03\x29\0\0\0\0\0\0\xe0\x3f\x30\x02\x38\x04\
            \x42\x03EUR\x48\x05\x52\x01o\x58\x06";
        let told = coupon("07".to_owned(), CouponRow::decode(&row[..]).unwrap());
        let expected = pb::ExportedCoupon {
            serial: "07".to_owned(),
            shopper_id: "ann".to_owned(),
            decision_id: "d1".to_owned(),
            cart_version: 3,
            percent_off: 0.5,
            discount_minor: 2,
            max_discount_minor: 4,
            currency: "EUR".to_owned(),
            expires_at: at(5),
            order_id: "o".to_owned(),
            redeemed_at: at(6),
        };
        assert_eq!(told, expected);
        let row = b"\x08\x01\x12\x07\x0a\x011\x10\x02\x18\x03\x1a\x03EUR\x20\x04";
        let told = stored_cart("08".to_owned(), CartRow::decode(&row[..]).unwrap());
        assert_eq!((told.reference.as_str(), told.expires_at), ("08", at(4)));
        let line = &told.lines[0];
        assert_eq!(
            (line.item_id.as_str(), line.quantity, line.price_minor),
            ("1", 2, 3)
        );
        assert_eq!(line.currency, "EUR");
    }
}
