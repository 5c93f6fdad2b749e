//! How much an event says about what a shopper wants.

use feature_store::EventKind;

/// What an event adds to the strength of an interaction; putting an item back, and what happens to
/// messages, say nothing good of it.
pub(crate) fn of_kind(kind: EventKind) -> f64 {
    match kind {
        EventKind::View => 1.0,
        EventKind::AddToCart => 4.0,
        EventKind::Purchase => 8.0,
        EventKind::RemoveFromCart
        | EventKind::CheckoutStart
        | EventKind::MessageSent
        | EventKind::MessageDelivered
        | EventKind::MessageOpened
        | EventKind::MessageClicked
        | EventKind::MessageUnsubscribed => 0.0,
    }
}

/// Strength r of all events of a shopper with an item: the tenth view says less than the first.
pub(crate) fn damped(sum: f32) -> f32 {
    sum.ln_1p()
}
