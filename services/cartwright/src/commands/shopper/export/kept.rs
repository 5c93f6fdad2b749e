//! What is kept to win a cart back, as lines.

use proto::v1 as pb;
use serde_json::{Value, json};

use super::{of_line, time};

pub(super) fn of_recovery(recovery: &pb::ExportedRecovery) -> Value {
    let message = |message: &pb::ExportedMessage| {
        json!({
            "idempotency_key": message.idempotency_key,
            "channel": message.channel,
            "sent_at": time(message.sent_at.as_ref()),
            "reserved_until": time(message.reserved_until.as_ref()),
        })
    };
    json!({
        "shopper_id": recovery.shopper_id,
        "sequence": recovery.sequence.as_ref().map(of_sequence),
        "messages": recovery.messages.iter().map(message).collect::<Vec<_>>(),
        "actions": recovery.actions.iter().map(of_action).collect::<Vec<_>>(),
        "other_ids": recovery.other_ids,
    })
}

fn of_sequence(sequence: &pb::ExportedSequence) -> Value {
    json!({
        "kind": sequence.kind,
        "cart_version": sequence.cart_version,
        "last_active_at": time(sequence.last_active_at.as_ref()),
        "first_step": sequence.first_step,
        "next_step": sequence.next_step,
        "attempt": sequence.attempt,
        "taken_attempt": sequence.taken_attempt,
        "not_before": time(sequence.not_before.as_ref()),
        "ended_by": sequence.ended_by,
    })
}

fn of_action(action: &pb::ExportedOpenAction) -> Value {
    json!({
        "decision_id": action.decision_id,
        "cart_version": action.cart_version,
        "step": action.step,
        "attempt": action.attempt,
        "channel": action.channel,
        "bought_units": action.bought_units,
        "decided_at": time(action.decided_at.as_ref()),
        "budget_period": action.budget_period,
        "max_cost_minor": action.max_cost_minor,
        "handed_out_at": time(action.handed_out_at.as_ref()),
    })
}

pub(super) fn of_letter(letter: &pb::ExportedDeadLetter) -> Value {
    json!({
        "shopper_id": letter.shopper_id,
        "decision_id": letter.decision_id,
        "channel": letter.channel,
        "idempotency_key": letter.idempotency_key,
        "attempts": letter.attempts,
        "reason": letter.reason,
    })
}

pub(super) fn of_coupon(coupon: &pb::ExportedCoupon) -> Value {
    json!({
        "serial": coupon.serial,
        "shopper_id": coupon.shopper_id,
        "decision_id": coupon.decision_id,
        "cart_version": coupon.cart_version,
        "percent_off": coupon.percent_off,
        "discount_minor": coupon.discount_minor,
        "max_discount_minor": coupon.max_discount_minor,
        "currency": coupon.currency,
        "expires_at": time(coupon.expires_at.as_ref()),
        "order_id": coupon.order_id,
        "redeemed_at": time(coupon.redeemed_at.as_ref()),
    })
}

pub(super) fn of_stored_cart(cart: &pb::ExportedStoredCart) -> Value {
    json!({
        "reference": cart.reference,
        "lines": cart.lines.iter().map(of_line).collect::<Vec<_>>(),
        "expires_at": time(cart.expires_at.as_ref()),
    })
}
