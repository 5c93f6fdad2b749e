//! Moments of quiet with a full cart, and what became of them.

use std::collections::BTreeMap;
use std::time::Duration;

use feature_store::{Event, EventKind, Millis, Plan, Registry, Shopper, ShopperView, Status};

use crate::Error;

const LONGEST_HORIZON: Duration = Duration::from_secs(24 * 60 * 60);

/// A cart at a moment of quiet.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub shopper: String,
    pub at: Millis,
    /// Of each feature; one that is absent or too old is missing.
    pub values: Vec<Option<f64>>,
    /// Nothing of the cart was bought within the horizon.
    pub left: bool,
}

/// 24 h, or a quarter of the log where that is shorter: longer, and most moments would have no
/// label yet.
pub(crate) fn horizon(events: &[Event]) -> Duration {
    let times = || events.iter().map(|event| event.occurred_at.0);
    let span = times().max().unwrap_or(0) - times().min().unwrap_or(0);
    let quarter = Duration::from_millis(u64::try_from(span / 4).unwrap_or(0));
    LONGEST_HORIZON.min(quarter)
}

/// All samples whose horizon closes before the log ends, in the order of time, then shopper.
pub(crate) fn samples(
    events: &[Event],
    idle: Duration,
    horizon: Duration,
    features: &[String],
) -> Result<Vec<Sample>, Error> {
    let plan = Registry::standard()
        .plan(features)
        .map_err(|unknown| Error::Feature { name: unknown.name })?;
    let mut by_shopper: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_shopper.entry(&event.shopper_id).or_default().push(event);
    }
    let last = events
        .iter()
        .map(|event| event.occurred_at)
        .max()
        .unwrap_or(Millis(0));
    let closing = Closing {
        idle,
        horizon,
        last,
    };
    let mut samples = Vec::new();
    // Only who puts something into a cart can leave it.
    for (shopper, events) in by_shopper {
        if events
            .iter()
            .any(|event| event.kind == EventKind::AddToCart)
        {
            of_shopper(shopper, &events, closing, &plan, &mut samples);
        }
    }
    samples.sort_by(|a, b| (a.at, &a.shopper).cmp(&(b.at, &b.shopper)));
    Ok(samples)
}

#[derive(Copy, Clone)]
struct Closing {
    idle: Duration,
    horizon: Duration,
    last: Millis,
}

/// Replays one shopper and stops at each pause. State depends on own events only, so that shoppers
/// can be replayed one after the other.
fn of_shopper(
    shopper: &str,
    events: &[&Event],
    closing: Closing,
    plan: &Plan,
    samples: &mut Vec<Sample>,
) {
    let mut state = Shopper::empty();
    for (at, event) in events.iter().enumerate() {
        // What serving refused is not among clean events, so that the outcome is known.
        let _ = state.apply(event, event.occurred_at);
        let Some(quiet) = state.cart_deadline(closing.idle) else {
            continue;
        };
        let goes_on = events
            .get(at + 1)
            .is_some_and(|next| next.occurred_at < quiet);
        if goes_on || quiet.saturating_add(closing.horizon) > closing.last {
            continue;
        }
        let view = state.view(quiet);
        samples.push(Sample {
            shopper: shopper.to_owned(),
            at: quiet,
            values: values(plan, &view),
            left: !is_bought(
                &view,
                &events[at + 1..],
                quiet.saturating_add(closing.horizon),
            ),
        });
    }
}

/// What a model sees of a shopper: the same rule as in serving.
pub(crate) fn values(plan: &Plan, view: &ShopperView) -> Vec<Option<f64>> {
    let values = plan.shopper(Some(view)).into_iter();
    values
        .map(|feature| match feature.status {
            Status::Present => feature.value.and_then(|value| value.as_f64()),
            Status::Null | Status::NotFound | Status::OutsideMaxAge => None,
        })
        .collect()
}

fn is_bought(view: &ShopperView, later: &[&Event], until: Millis) -> bool {
    let in_cart = |item: &str| view.cart.lines.iter().any(|line| line.item_id == item);
    later
        .iter()
        .take_while(|event| event.occurred_at <= until)
        .any(|event| event.kind == EventKind::Purchase && in_cart(&event.item_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn event(shopper: &str, kind: EventKind, item: &str, minute: i64) -> Event {
        Event {
            event_id: format!("{shopper}{item}{minute}"),
            shopper_id: shopper.to_owned(),
            kind,
            item_id: item.to_owned(),
            price_minor: 100,
            currency: "EUR".to_owned(),
            occurred_at: Millis(1_000 * MINUTE + minute * MINUTE),
            ..Event::default()
        }
    }

    fn found(events: &[Event]) -> Vec<(String, i64, bool)> {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let mut sorted = events.to_vec();
        sorted.sort_by_key(|event| event.occurred_at);
        let samples = samples(&sorted, minutes(30), minutes(60), &[]).unwrap();
        samples
            .into_iter()
            .map(|sample| (sample.shopper, sample.at.0 / MINUTE - 1_000, sample.left))
            .collect()
    }

    #[test]
    fn a_pause_with_a_full_cart_is_a_sample_and_a_later_order_its_label() {
        use EventKind::{AddToCart, Purchase, View};
        let events = [
            event("bought", AddToCart, "x", 0),
            event("bought", Purchase, "x", 80),
            event("left", AddToCart, "x", 1),
            event("left", Purchase, "other", 70),
            event("late", AddToCart, "x", 2),
            event("late", Purchase, "x", 100),
            event("quick", AddToCart, "x", 3),
            event("quick", Purchase, "x", 10),
            event("looker", View, "x", 4),
            event("unknown", AddToCart, "x", 480),
            event("end", View, "y", 500),
        ];
        let expected = [
            ("bought".to_owned(), 30, false),
            ("left".to_owned(), 31, true),
            ("late".to_owned(), 32, true),
            ("left".to_owned(), 100, true),
        ];
        assert_eq!(found(&events), expected);
    }

    #[test]
    fn the_horizon_is_a_quarter_of_a_short_log() {
        let events = [
            event("a", EventKind::View, "x", 0),
            event("a", EventKind::View, "x", 160),
        ];
        assert_eq!(horizon(&events), Duration::from_secs(40 * 60));
        let events = [
            event("a", EventKind::View, "x", 0),
            event("a", EventKind::View, "x", 90_000),
        ];
        assert_eq!(horizon(&events), LONGEST_HORIZON);
    }
}
