//! What the recommender said of carts that it had not seen: its models learn from the first part of
//! a log, and carts after it are asked about.

use feature_store::{Event, Item, Millis, ShopperView};
use ranking::Standing;
use retrieval::{Gate, Kind, Query};

use crate::look_back::Trained;
use crate::ranker::scene::question;
use crate::{Error, Options, parts};

/// Share of the events that the models learn from.
const PAST: f64 = 0.4;
/// As many as serving asks for.
const CANDIDATES: usize = 100;

/// Models of the first part of a log.
#[derive(Debug)]
pub(crate) struct Recommender {
    trained: Trained,
    /// The first moment that the models know nothing of.
    from: Millis,
}

impl Recommender {
    /// `None` where the first part teaches nothing. `events` are clean and in the order of time.
    pub(crate) fn of_past(
        events: &[Event],
        items: &[Item],
        options: &Options,
    ) -> Result<Option<Self>, Error> {
        let (past, rest) = parts::split(events, PAST);
        let Some(first) = rest.first().filter(|_| parts::teaches(past)) else {
            return Ok(None);
        };
        Ok(Some(Self {
            trained: Trained::on(past, items, options, &mut |_, _| {})?,
            from: first.occurred_at,
        }))
    }

    /// Missing for carts of the time that the models learned from.
    pub(crate) fn standing(&self, view: &ShopperView) -> Standing {
        if view.now < self.from || view.cart.lines.is_empty() {
            return Standing::default();
        }
        let query = asked(view);
        let gate = Gate::open(self.trained.models.catalogue.len());
        // A question that serving could not ask has no answer there either.
        let Ok(answer) = self.trained.model.retrieve(&query, &gate) else {
            return Standing::default();
        };
        let lines = answer.scored.iter().filter(|line| line.known);
        let best = answer.candidates.first().map(|best| best.score);
        Standing::new(lines.map(|line| line.score), best)
    }
}

/// What serving asks about a stored cart.
fn asked(view: &ShopperView) -> Query {
    let in_cart = sorted(view.cart.lines.iter().map(|line| line.item_id.to_string()));
    let mut query = question(view, Vec::new(), CANDIDATES);
    let bought = query.recent.iter().filter(|one| one.kind == Kind::Purchase);
    query.exclude = sorted(
        in_cart
            .iter()
            .cloned()
            .chain(bought.map(|one| one.item_id.clone())),
    );
    query.score = in_cart;
    query
}

fn sorted(items: impl Iterator<Item = String>) -> Vec<String> {
    let mut items: Vec<String> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}

#[cfg(test)]
mod tests {
    use feature_store::{EventKind, Shopper};

    use super::*;

    fn event(shopper: &str, kind: EventKind, item: &str, second: i64) -> Event {
        Event {
            event_id: format!("{shopper}{item}{second}"),
            shopper_id: shopper.to_owned(),
            kind,
            item_id: item.to_owned(),
            price_minor: 100,
            currency: "EUR".to_owned(),
            occurred_at: Millis(1_000_000_000 + 1_000 * second),
            ..Event::default()
        }
    }

    #[test]
    fn a_cart_is_asked_about_as_in_serving() {
        let mut shopper = Shopper::empty();
        let events = [
            event("a", EventKind::Purchase, "old", 0),
            event("a", EventKind::AddToCart, "x", 10),
            event("a", EventKind::View, "y", 20),
        ];
        for event in &events {
            shopper.apply(event, event.occurred_at);
        }
        let query = asked(&shopper.view(Millis(1_000_000_000 + 50_000)));
        let found: Vec<(&str, Kind, u64)> = query
            .recent
            .iter()
            .map(|one| (one.item_id.as_str(), one.kind, one.age.as_secs()))
            .collect();
        let expected = [
            ("y", Kind::View, 30),
            ("x", Kind::Add, 40),
            ("old", Kind::Purchase, 50),
        ];
        assert_eq!(found, expected);
        assert_eq!(query.exclude, ["old", "x"]);
        assert_eq!(query.score, ["x"]);
    }

    #[test]
    fn carts_of_the_time_that_was_learned_from_are_not_asked_about() {
        let mut events = Vec::new();
        for at in 0..60 {
            let who = format!("s{}", at / 3);
            events.push(event(
                &who,
                EventKind::View,
                ["x", "y", "z"][at % 3],
                10 * at as i64,
            ));
        }
        let found = Recommender::of_past(&events, &[], &Options::default()).unwrap();
        let recommender = found.expect("a past that teaches");
        let standing = |second: i64| {
            let mut shopper = Shopper::empty();
            let add = event("new", EventKind::AddToCart, "x", second);
            shopper.apply(&add, add.occurred_at);
            recommender.standing(&shopper.view(add.occurred_at))
        };
        assert_eq!(standing(0), Standing::default());
        let later = standing(600);
        assert!(later.value(Standing::MEAN).is_some() && later.value(Standing::MARGIN).is_some());
    }
}
