//! What many shoppers want: weighted events, older ones counting less.

use feature_store::{Event, Millis};
use snapshot::Catalogue;

use crate::strength;

/// An event of this age, against the end of the log, counts half.
const HALF_LIFE_MS: f64 = 14.0 * 86_400_000.0;

/// One score per item, in the order of the catalogue. `events` are in the order of time, so that
/// the sum is added up in one order only.
pub fn popularity(events: &[Event], catalogue: &Catalogue) -> Vec<f32> {
    let end = events
        .iter()
        .map(|event| event.occurred_at)
        .max()
        .unwrap_or(Millis(0));
    let mut scores = vec![0.0_f64; catalogue.len()];
    for event in events {
        if let Some(ordinal) = catalogue.ordinal(&event.item_id) {
            scores[ordinal as usize] += strength::of_kind(event.kind) * decay(event, end);
        }
    }
    scores.into_iter().map(narrow).collect()
}

#[expect(clippy::cast_precision_loss, reason = "ages are far below 2^53 ms")]
fn decay(event: &Event, end: Millis) -> f64 {
    (-((end.0 - event.occurred_at.0) as f64) / HALF_LIFE_MS).exp2()
}

#[expect(clippy::cast_possible_truncation, reason = "scores are stored as f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use feature_store::EventKind;
    use snapshot::CatalogueItem;

    use super::*;

    #[test]
    fn an_old_event_counts_less_and_a_purchase_more() {
        let day = 86_400_000;
        let event = |item: &str, kind, at| Event {
            item_id: item.to_owned(),
            kind,
            occurred_at: Millis(at),
            ..Event::default()
        };
        let events = [
            event("a", EventKind::View, 100 * day),
            event("b", EventKind::View, 114 * day),
            event("b", EventKind::Purchase, 100 * day),
        ];
        let items = ["a", "b", "c"];
        let item = |id: &str| CatalogueItem {
            item_id: id.to_owned(),
            ..Default::default()
        };
        let catalogue = Catalogue::new(items.map(item).to_vec()).unwrap();
        assert_eq!(popularity(&events, &catalogue), [0.5, 1.0 + 8.0 * 0.5, 0.0]);
    }
}
