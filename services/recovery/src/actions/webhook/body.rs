//! What is posted: one action as JSON. Fields are added, never renamed.

use proto::v1 as pb;
use serde_json::{Value, json};

/// The body of an action.
pub(super) fn of(action: &pb::Action) -> String {
    let decision = action.decision.clone().unwrap_or_default();
    json!({
        "type": "action",
        "idempotency_key": action.idempotency_key,
        "decision_id": action.decision_id,
        "shopper_id": action.shopper_id,
        "channel": action.channel,
        "cart_version": action.cart_version,
        "step": action.step,
        "left": action.left,
        "action": decision.action().as_str_name().to_ascii_lowercase(),
        "offer": decision.offer.as_ref().map(offer),
        "items": decision.items.iter().map(|item| json!({
            "item_id": item.item_id,
            "name": item.name,
        })).collect::<Vec<_>>(),
        "lines": action.lines.iter().map(|line| json!({
            "item_id": line.item_id,
            "quantity": line.quantity,
            "price_minor": line.price_minor,
            "currency": line.currency,
        })).collect::<Vec<_>>(),
        "reasons": decision.reasons,
        "handed_out_at_ms": ms(action.handed_out_at.as_ref()),
        "offer_ends_at_ms": ms(action.offer_ends_at.as_ref()),
        "again": action.again,
        "coupon_code": action.coupon_code,
        "restore_token": action.restore_token,
    })
    .to_string()
}

fn offer(offer: &pb::Offer) -> Value {
    json!({
        "percent_off": offer.percent_off,
        "discount_minor": offer.discount_minor,
        "max_discount_minor": offer.max_discount_minor,
        "currency": offer.currency,
        "valid_for_s": offer.valid_for.as_ref().map(|length| length.seconds),
    })
}

fn ms(at: Option<&prost_types::Timestamp>) -> Option<i64> {
    at.and_then(|at| kit::timestamp::decode(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_never_change() {
        let action = pb::Action {
            idempotency_key: "ann/1/0".to_owned(),
            decision_id: "d1".to_owned(),
            shopper_id: "ann".to_owned(),
            channel: "email".to_owned(),
            cart_version: 1,
            left: "cart".to_owned(),
            decision: Some(pb::Decision {
                action: pb::decision::Action::Reminder.into(),
                ..pb::Decision::default()
            }),
            handed_out_at: Some(kit::timestamp::encode(5)),
            ..pb::Action::default()
        };
        let golden = json!({
            "type": "action", "idempotency_key": "ann/1/0", "decision_id": "d1", "shopper_id": "ann",
            "channel": "email", "cart_version": 1, "step": 0, "left": "cart", "action": "reminder",
            "offer": null, "items": [], "lines": [], "reasons": [], "handed_out_at_ms": 5,
            "offer_ends_at_ms": null, "again": false, "coupon_code": "", "restore_token": "",
        });
        assert_eq!(serde_json::from_str::<Value>(&of(&action)).unwrap(), golden);
    }
}
