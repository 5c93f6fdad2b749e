//! Moments at which a cart could be given up, and what became of them.

use std::collections::BTreeMap;
use std::time::Duration;

use feature_store::{Event, EventKind, Millis, Plan, Registry, Shopper, ShopperView, Status};
use ranking::Standing;
use rayon::prelude::*;

use crate::Error;

const LONGEST_HORIZON: Duration = Duration::from_secs(24 * 60 * 60);

/// Seconds of quiet after which a cart is looked at, besides the idle time: 0 is the moment of a
/// change of the cart itself.
const QUIET_S: [u32; 4] = [0, 300, 1_800, 7_200];

/// A cart at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub shopper: String,
    pub at: Millis,
    /// Seconds without an event of the shopper.
    pub quiet_s: u32,
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

/// Seconds of quiet to look after: no later than the horizon is long, but the idle time always.
pub(crate) fn cut_offs(idle: Duration, horizon: Duration) -> Vec<u32> {
    let idle = u32::try_from(idle.as_secs()).unwrap_or(u32::MAX);
    let within = |quiet: &u32| u64::from(*quiet) <= horizon.as_secs();
    let mut cut_offs: Vec<u32> = QUIET_S.into_iter().filter(within).chain([idle]).collect();
    cut_offs.sort_unstable();
    cut_offs.dedup();
    cut_offs
}

/// What the recommender says of a cart; missing where it may not be asked.
pub(crate) type Recommend<'a> = &'a (dyn Fn(&ShopperView) -> Standing + Sync);

/// What to look at, and how.
#[derive(Copy, Clone)]
pub(crate) struct Look<'a> {
    /// Seconds of quiet.
    pub(crate) cut_offs: &'a [u32],
    pub(crate) horizon: Duration,
    /// Names of the registry, and of [`Standing`].
    pub(crate) features: &'a [String],
    pub(crate) recommend: Recommend<'a>,
}

/// All samples whose horizon closes before the log ends, in the order of time, then shopper.
pub(crate) fn samples(events: &[Event], look: &Look<'_>) -> Result<Vec<Sample>, Error> {
    let reader = Reader::new(look.features)?;
    let mut by_shopper: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_shopper.entry(&event.shopper_id).or_default().push(event);
    }
    let last = events.iter().map(|event| event.occurred_at).max();
    let last = last.unwrap_or(Millis(0));
    // Only who puts something into a cart can leave it.
    let with_cart = |events: &[&Event]| {
        events
            .iter()
            .any(|event| event.kind == EventKind::AddToCart)
    };
    let shoppers: Vec<(&str, Vec<&Event>)> = by_shopper
        .into_iter()
        .filter(|(_, events)| with_cart(events))
        .collect();
    let found = shoppers
        .par_iter()
        .map(|(shopper, events)| of_shopper(shopper, events, last, look, &reader));
    let mut samples: Vec<Sample> = found.flatten_iter().collect();
    samples.sort_by(|a, b| (a.at, &a.shopper, a.quiet_s).cmp(&(b.at, &b.shopper, b.quiet_s)));
    Ok(samples)
}

/// Replays one shopper and stops at each cut-off that is reached before the next event. State
/// depends on own events only, so that shoppers can be replayed one after the other.
fn of_shopper(
    shopper: &str,
    events: &[&Event],
    last: Millis,
    look: &Look<'_>,
    reader: &Reader,
) -> Vec<Sample> {
    let mut state = Shopper::empty();
    let mut samples = Vec::new();
    for (at, event) in events.iter().enumerate() {
        // What serving refused is not among clean events, so that the outcome is known.
        let _ = state.apply(event, event.occurred_at);
        let later = &events[at + 1..];
        let next = later.first().map_or(Millis::MAX, |next| next.occurred_at);
        for quiet_s in look.cut_offs {
            let quiet = Duration::from_secs(u64::from(*quiet_s));
            let Some(moment) = state.cart_deadline(quiet) else {
                break;
            };
            // Messages are no activity: what was looked at before one is not looked at again.
            let is_new = moment >= event.occurred_at && (*quiet_s > 0 || changes_cart(event.kind));
            let until = moment.saturating_add(look.horizon);
            if !is_new || next <= moment || until > last {
                continue;
            }
            let view = state.view(moment);
            samples.push(Sample {
                shopper: shopper.to_owned(),
                at: moment,
                quiet_s: *quiet_s,
                values: reader.values(&view, &(look.recommend)(&view)),
                left: !is_bought(&view, later, until),
            });
        }
    }
    samples
}

fn changes_cart(kind: EventKind) -> bool {
    kind == EventKind::AddToCart || kind == EventKind::RemoveFromCart
}

/// Which value is read from where.
pub(crate) struct Reader {
    plan: Plan,
    /// For each feature its place in the plan; `None` for what the recommender says.
    names: Vec<(String, Option<usize>)>,
}

impl Reader {
    pub(crate) fn new(features: &[String]) -> Result<Self, Error> {
        let known = |name: &&String| !Standing::is_name(name);
        let planned: Vec<&String> = features.iter().filter(known).collect();
        let plan = Registry::standard()
            .plan(&planned)
            .map_err(|unknown| Error::Feature { name: unknown.name })?;
        let mut next = 0..planned.len();
        let place = |name: &String| {
            if Standing::is_name(name) {
                None
            } else {
                next.next()
            }
        };
        let places: Vec<Option<usize>> = features.iter().map(place).collect();
        Ok(Self {
            plan,
            names: features.iter().cloned().zip(places).collect(),
        })
    }

    /// What a model sees of a shopper.
    pub(crate) fn values(&self, view: &ShopperView, standing: &Standing) -> Vec<Option<f64>> {
        let values = values(&self.plan, view);
        let value = |(name, place): &(String, Option<usize>)| match place {
            Some(place) => values.get(*place).copied().flatten(),
            None => standing.value(name),
        };
        self.names.iter().map(value).collect()
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

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    fn found(events: &[Event], cut_offs: &[u32]) -> Vec<(String, i64, bool)> {
        let mut sorted = events.to_vec();
        sorted.sort_by_key(|event| event.occurred_at);
        let look = Look {
            cut_offs,
            horizon: minutes(60),
            features: &[],
            recommend: &|_| Standing::default(),
        };
        let samples = samples(&sorted, &look).unwrap();
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
        assert_eq!(found(&events, &[1_800]), expected);
    }

    #[test]
    fn each_cut_off_that_is_reached_is_a_moment_of_its_own() {
        use EventKind::{AddToCart, MessageSent, Purchase, RemoveFromCart, View};
        let events = [
            event("a", AddToCart, "x", 0),
            event("a", View, "y", 3),
            event("a", AddToCart, "z", 20),
            event("a", MessageSent, "", 26),
            event("a", RemoveFromCart, "z", 60),
            event("a", Purchase, "x", 61),
            event("end", View, "y", 500),
        ];
        // From the first moment on, the order comes a minute too late.
        let expected = [0, 8, 20, 25, 50, 60].map(|minute| ("a".to_owned(), minute, minute == 0));
        assert_eq!(found(&events, &[0, 300, 1_800]), expected);
    }

    #[test]
    fn the_idle_time_is_a_cut_off_and_the_horizon_ends_them() {
        assert_eq!(
            cut_offs(minutes(30), minutes(1_440)),
            [0, 300, 1_800, 7_200]
        );
        assert_eq!(cut_offs(minutes(45), minutes(40)), [0, 300, 1_800, 2_700]);
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
