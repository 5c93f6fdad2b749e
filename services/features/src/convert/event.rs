//! Events and what became of them.

use feature_store::{Event, EventKind, Outcome, RejectCode, Rejection};
use kit::status::bad_request;
use proto::v1 as pb;
use tonic::Status;

use super::time;

const MOST_EVENTS: usize = 1_000;

/// A batch is 1 to 1,000 events; anything else is refused whole.
pub(crate) fn check_batch(events: &[pb::Event]) -> Result<(), Status> {
    if (1..=MOST_EVENTS).contains(&events.len()) {
        return Ok(());
    }
    let said = format!(
        "has {} events, 1 to {MOST_EVENTS} are allowed",
        events.len()
    );
    Err(bad_request([("events", said)]))
}

/// What the wire allows and the domain has no word for is refused here; the limits of the values
/// are the domain's.
pub(crate) fn decode(event: pb::Event) -> Result<Event, Rejection> {
    let kind = u8::try_from(event.r#type)
        .ok()
        .and_then(EventKind::from_code)
        .ok_or_else(|| {
            invalid(
                "type",
                format!("type is {}, 1 to 10 are allowed", event.r#type),
            )
        })?;
    let occurred_at = event
        .occurred_at
        .as_ref()
        .ok_or_else(|| {
            invalid(
                "occurred_at",
                "occurred_at is absent, it is required".to_owned(),
            )
        })
        .and_then(|at| {
            time::decode(at).map_err(|why| invalid("occurred_at", format!("occurred_at: {why}")))
        })?;
    Ok(Event {
        event_id: event.event_id,
        shopper_id: event.shopper_id,
        device_id: event.device_id,
        kind,
        item_id: event.item_id,
        quantity: event.quantity,
        price_minor: event.price_minor,
        currency: event.currency,
        occurred_at,
        session_id: event.session_id,
        order_id: event.order_id,
        category: event.category,
        brand: event.brand,
    })
}

fn invalid(field: &'static str, detail: String) -> Rejection {
    Rejection {
        code: RejectCode::Invalid,
        field,
        detail,
    }
}

pub(crate) fn encode_result(outcome: Outcome) -> pb::EventResult {
    use pb::event_result::Status;
    let (status, reason, field) = match outcome {
        Outcome::Accepted => (Status::Accepted, String::new(), ""),
        Outcome::Duplicate => (Status::Duplicate, String::new(), ""),
        Outcome::Rejected(rejection) => (Status::Rejected, rejection.to_string(), rejection.field),
    };
    pb::EventResult {
        status: status.into(),
        reason,
        field: field.to_owned(),
    }
}
