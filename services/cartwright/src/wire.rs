//! The domain's events and items as the contract spells them, for the commands that are clients.

use feature_store::{Event, EventKind, Item, Millis};
use proto::v1 as pb;
use serde_json::{Value, json};

use crate::output;

/// An event as `PushEvents` takes it.
pub(crate) fn event(event: &Event) -> pb::Event {
    pb::Event {
        event_id: event.event_id.clone(),
        shopper_id: event.shopper_id.clone(),
        device_id: event.device_id.clone(),
        r#type: i32::from(event.kind.code()),
        item_id: event.item_id.clone(),
        quantity: event.quantity,
        price_minor: event.price_minor,
        currency: event.currency.clone(),
        occurred_at: Some(timestamp(event.occurred_at)),
        session_id: event.session_id.clone(),
        order_id: event.order_id.clone(),
        category: event.category.clone(),
        brand: event.brand.clone(),
    }
}

/// An item as `UpsertItems` takes it.
pub(crate) fn item(item: &Item) -> pb::Item {
    pb::Item {
        item_id: item.item_id.clone(),
        name: item.name.clone(),
        category_path: item.category_path.clone(),
        brand: item.brand.clone(),
        price_minor: item.price_minor,
        currency: item.currency.clone(),
        cost_minor: item.cost_minor,
        margin_rate: item.margin_rate,
        stock: item.stock,
        tags: item.tags.clone(),
        unsellable: item.unsellable,
    }
}

/// A line of a cart of which only the item is known.
pub(crate) fn bare_line(item_id: &str) -> pb::CartLine {
    pb::CartLine {
        item_id: item_id.to_owned(),
        quantity: 1,
        ..pb::CartLine::default()
    }
}

/// An event as a line of canonical JSON: the contract's names, absent fields left out.
pub(crate) fn json_line(of: &Event) -> String {
    event_json(&event(of)).to_string()
}

/// The same of the contract's message.
pub(crate) fn event_json(event: &pb::Event) -> Value {
    let kind = EventKind::from_code(u8::try_from(event.r#type).unwrap_or_default());
    let mut line = json!({
        "event_id": event.event_id,
        "shopper_id": event.shopper_id,
        "type": kind.map(EventKind::as_str),
        "occurred_at": event.occurred_at.as_ref().map(|at| output::rfc3339(millis(at).0)),
    });
    let texts = [
        ("device_id", &event.device_id),
        ("item_id", &event.item_id),
        ("currency", &event.currency),
        ("session_id", &event.session_id),
        ("order_id", &event.order_id),
        ("category", &event.category),
        ("brand", &event.brand),
    ];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        line[name] = json!(text);
    }
    if event.quantity > 1 {
        line["quantity"] = json!(event.quantity);
    }
    if event.price_minor != 0 {
        line["price_minor"] = json!(event.price_minor);
    }
    line
}

pub(crate) fn timestamp(at: Millis) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.0.div_euclid(1_000),
        // A remainder of a division by 1,000 fits.
        nanos: i32::try_from(at.0.rem_euclid(1_000)).unwrap_or_default() * 1_000_000,
    }
}

pub(crate) fn millis(at: &prost_types::Timestamp) -> Millis {
    Millis(
        at.seconds
            .saturating_mul(1_000)
            .saturating_add(i64::from(at.nanos) / 1_000_000),
    )
}

/// Milliseconds, with what is below them.
pub(crate) fn duration_ms(duration: &prost_types::Duration) -> f64 {
    std::time::Duration::try_from(*duration).map_or(0.0, |d| d.as_secs_f64() * 1_000.0)
}

/// The word for an action, as policies spell it.
pub(crate) fn action(action: pb::decision::Action) -> &'static str {
    use pb::decision::Action;
    match action {
        Action::Unspecified => "unspecified",
        Action::Nothing => "nothing",
        Action::Reminder => "reminder",
        Action::PercentCoupon => "percent_coupon",
        Action::FixedCoupon => "fixed_coupon",
        Action::FreeShipping => "free_shipping",
        Action::LimitedTimeOffer => "limited_time_offer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_milliseconds_both_ways() {
        for ms in [0, 1, 999, 1_569_888_000_123, -1] {
            assert_eq!(millis(&timestamp(Millis(ms))), Millis(ms));
        }
    }
}
