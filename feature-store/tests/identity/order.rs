//! Any order of events and links gives the same person.

use std::collections::BTreeMap;
use std::sync::Arc;

use feature_store::store::{Durability, Store};
use feature_store::{Event, EventKind, FeatureStore, LinkRefusal, Settings, ShopperView};
use proptest::prelude::*;

use super::{NOW, event, view};
use crate::support::{Fixture, open_embedded};

const IDS: [&str; 4] = ["account", "phone", "laptop", "tablet"];
const ITEMS: [&str; 3] = ["lamp", "rug", "pan"];

/// One thing that arrives.
#[derive(Clone, Debug)]
enum Arrival {
    Event(Box<Event>),
    /// Two ids, which way round, and the link's id.
    Link(usize, usize, u64),
}

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let events = prop::collection::vec(
        (0..4_usize, 0..5_usize, 0..3_usize, 1..4_u32, 0..50_i64),
        1..28,
    );
    let links = prop::collection::vec((0..3_usize, any::<bool>()), 0..6);
    (events, links).prop_map(|(events, links)| {
        let kinds = [
            EventKind::AddToCart,
            EventKind::AddToCart,
            EventKind::RemoveFromCart,
            EventKind::Purchase,
            EventKind::View,
        ];
        let event = |(n, (id, kind, item, units, minute)): (usize, _)| {
            let name = n.to_string();
            let mut event = event(&name, IDS[id], kinds[kind], ITEMS[item], minute);
            event.quantity = units;
            Arrival::Event(Box::new(event))
        };
        let mut all: Vec<_> = events.into_iter().enumerate().map(event).collect();
        // Every id is linked to the account in the end, some of them more than once.
        let every = [(0, false), (1, false), (2, false)];
        let links = every.into_iter().chain(links).enumerate();
        all.extend(links.map(|(n, (device, turned))| match turned {
            false => Arrival::Link(0, device + 1, n as u64),
            true => Arrival::Link(device + 1, 0, n as u64),
        }));
        all
    })
}

async fn arrive(store: Arc<dyn Store>, arrivals: &[Arrival]) -> Vec<ShopperView> {
    let features = FeatureStore::new(store, Settings::default());
    for arrival in arrivals {
        match arrival {
            Arrival::Event(event) => {
                features
                    .ingest(std::slice::from_ref(event.as_ref()), NOW)
                    .await
                    .expect("answers");
            }
            Arrival::Link(a, b, link_id) => link(&features, IDS[*a], IDS[*b], *link_id).await,
        }
    }
    let mut views = Vec::new();
    for id in IDS {
        views.push(view(&features, id).await);
    }
    views
}

/// One that is refused since the alias has others says to be turned round.
async fn link(features: &FeatureStore, shopper: &str, alias: &str, link_id: u64) {
    let link_id = link_id.to_string();
    let one = features.link(shopper, alias, &link_id, NOW).await;
    if let Err(LinkRefusal::Stands(_)) = one.expect("answers") {
        let turned = features.link(alias, shopper, &link_id, NOW).await;
        turned.expect("answers").expect("is linked");
    }
}

/// The definition: all events in their order; an id's removal takes as many units from each id's
/// line, a purchase takes the lines.
fn reference(arrivals: &[Arrival]) -> BTreeMap<String, u32> {
    let mut events: Vec<&Event> = arrivals
        .iter()
        .filter_map(|arrival| match arrival {
            Arrival::Event(event) => Some(event.as_ref()),
            Arrival::Link(..) => None,
        })
        .collect();
    events.sort_by_key(|event| (event.occurred_at, event.kind));
    let mut held: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for event in events {
        let units = event.units();
        let same = |item: &str| item == event.item_id;
        if event.kind == EventKind::AddToCart {
            *held.entry((&event.item_id, &event.shopper_id)).or_default() += units;
        } else if event.kind == EventKind::RemoveFromCart {
            for (_, left) in held.iter_mut().filter(|((item, _), _)| same(item)) {
                *left = left.saturating_sub(units);
            }
        } else if event.kind == EventKind::Purchase {
            held.retain(|(item, _), _| !same(item));
        }
    }
    let mut cart = BTreeMap::new();
    for ((item, _), units) in held.into_iter().filter(|(_, units)| *units > 0) {
        let most: &mut u32 = cart.entry(item.to_owned()).or_default();
        *most = (*most).max(units);
    }
    cart
}

fn shuffled(arrivals: &[Arrival], keys: &[u64]) -> Vec<Arrival> {
    let mut order: Vec<usize> = (0..arrivals.len()).collect();
    order.sort_by_key(|place| (keys[place % keys.len()].rotate_left(*place as u32), *place));
    order
        .into_iter()
        .map(|place| arrivals[place].clone())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_order_of_events_and_links_gives_the_same_person(
        arrivals in arrivals(),
        keys in prop::collection::vec(any::<u64>(), 40),
        again in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let run = |arrivals: &[Arrival]| {
            let fixture = Fixture::embedded();
            let store = open_embedded(&fixture.path(), Durability::Process).expect("opens");
            runtime.block_on(arrive(Arc::new(store), arrivals))
        };
        let views = run(&arrivals);
        for one in &views {
            prop_assert_eq!(one, &views[0]);
        }
        let cart: BTreeMap<String, u32> = views[0]
            .cart
            .lines
            .iter()
            .map(|line| (line.item_id.to_string(), line.quantity))
            .collect();
        prop_assert_eq!(cart, reference(&arrivals));
        let mut other = shuffled(&arrivals, &keys);
        other.push(again.get(&arrivals).clone());
        let others = run(&other);
        prop_assert_eq!(&others[0], &views[0]);
        prop_assert_eq!(&others[3], &views[0]);
    }
}
