//! The names of event types in the canonical formats: those of the proto enum, in lower case.

use feature_store::EventKind;

const KINDS: [(&str, EventKind); 10] = [
    ("view", EventKind::View),
    ("add_to_cart", EventKind::AddToCart),
    ("remove_from_cart", EventKind::RemoveFromCart),
    ("checkout_start", EventKind::CheckoutStart),
    ("purchase", EventKind::Purchase),
    ("message_sent", EventKind::MessageSent),
    ("message_delivered", EventKind::MessageDelivered),
    ("message_opened", EventKind::MessageOpened),
    ("message_clicked", EventKind::MessageClicked),
    ("message_unsubscribed", EventKind::MessageUnsubscribed),
];

/// Upper case is taken too, since the proto's JSON writes it.
pub(crate) fn kind(name: &str) -> Result<EventKind, String> {
    let found = KINDS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|(known, _)| *known).collect();
        format!("type is {name:?}, {} are known", known.join(", "))
    })
}
