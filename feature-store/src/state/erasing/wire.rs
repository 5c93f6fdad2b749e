//! What an erasure removed, as it is stored.

use super::Removed;
use crate::state::wire;

pub(crate) fn encode(removed: &Removed) -> wire::Removed {
    wire::Removed {
        ids: removed.ids,
        keys: removed.keys,
        cart_lines: removed.cart_lines,
        consents: removed.consents,
        recent_events: removed.recent_events,
        recovery_bytes: removed.recovery_bytes,
    }
}

pub(crate) fn decode(wire: &wire::Removed) -> Removed {
    Removed {
        ids: wire.ids,
        keys: wire.keys,
        cart_lines: wire.cart_lines,
        consents: wire.consents,
        recent_events: wire.recent_events,
        recovery_bytes: wire.recovery_bytes,
    }
}
