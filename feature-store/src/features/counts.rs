//! Events per kind and window: `shopper.view_count_5m`.

use super::registry::{Compute, EntityKind, FeatureDef};
use super::value::ValueType;
use crate::event::EventKind;
use crate::view::Window;

/// The five windows of one kind of event.
macro_rules! counts_of {
    ($kind:ident, $name:literal, $things:literal) => {
        [
            counts_of!(@ $kind, $name, $things, Minutes5, "5m", "5 minutes"),
            counts_of!(@ $kind, $name, $things, Hour1, "1h", "hour"),
            counts_of!(@ $kind, $name, $things, Hours24, "24h", "24 hours"),
            counts_of!(@ $kind, $name, $things, Days7, "7d", "7 days"),
            counts_of!(@ $kind, $name, $things, Days30, "30d", "30 days"),
        ]
    };
    (@ $kind:ident, $name:literal, $things:literal, $window:ident, $suffix:literal, $span:literal) => {
        FeatureDef {
            name: concat!("shopper.", $name, "_count_", $suffix),
            value_type: ValueType::Int,
            entity: EntityKind::Shopper,
            max_age: None,
            sources: &[EventKind::$kind],
            doc: concat!($things, " in the last ", $span, "."),
            compute: Compute::Count(EventKind::$kind, Window::$window),
        }
    };
}

pub(super) fn features() -> Vec<FeatureDef> {
    let kinds = [
        counts_of!(View, "view", "Views"),
        counts_of!(AddToCart, "add_to_cart", "Additions to the cart"),
        counts_of!(RemoveFromCart, "remove_from_cart", "Removals from the cart"),
        counts_of!(CheckoutStart, "checkout_start", "Checkouts begun"),
        counts_of!(Purchase, "purchase", "Purchases"),
        counts_of!(MessageSent, "message_sent", "Messages sent"),
        counts_of!(MessageOpened, "message_opened", "Messages opened"),
        counts_of!(MessageClicked, "message_clicked", "Messages clicked"),
    ];
    kinds.into_iter().flatten().collect()
}
