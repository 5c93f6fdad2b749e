//! What a generated shop promises.

use std::collections::{BTreeMap, BTreeSet};

use feature_store::{Event, EventKind, Millis};
use simulator::{Options, Shop, ShopperKind, demo};
use xxhash_rust::xxh3::Xxh3;

const IDLE_MS: i64 = 30 * 60_000;

/// Events by shopper in the order in which they happened, duplicates dropped.
fn lives(shop: &Shop) -> BTreeMap<&str, Vec<&Event>> {
    let mut lives: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for event in shop
        .events
        .iter()
        .filter(|event| seen.insert(&event.event_id))
    {
        lives.entry(&event.shopper_id).or_default().push(event);
    }
    for life in lives.values_mut() {
        life.sort_by_key(|event| (event.occurred_at, event.kind));
    }
    lives
}

/// One cart from its first line to its last.
struct CartLife<'a> {
    shopper: &'a str,
    /// Whether 30 minutes went by without any event while it had lines.
    idled: bool,
    end: CartEnd,
}

#[derive(PartialEq)]
enum CartEnd {
    Bought,
    Emptied,
    Open,
}

fn cart_lives(shop: &Shop) -> Vec<CartLife<'_>> {
    let mut carts = Vec::new();
    for (shopper, life) in lives(shop) {
        let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
        let mut idled = false;
        let mut last = Millis(0);
        for event in life {
            idled |= !lines.is_empty() && event.occurred_at.0 - last.0 > IDLE_MS;
            last = event.occurred_at;
            match event.kind {
                EventKind::AddToCart => *lines.entry(&event.item_id).or_default() += event.quantity,
                EventKind::RemoveFromCart | EventKind::Purchase => {
                    let left = lines.entry(&event.item_id).or_default();
                    assert!(
                        *left >= event.quantity,
                        "{} takes more than there is",
                        event.event_id
                    );
                    *left -= event.quantity;
                    lines.retain(|_, left| *left > 0);
                    if lines.is_empty() {
                        let bought = event.kind == EventKind::Purchase;
                        let end = if bought {
                            CartEnd::Bought
                        } else {
                            CartEnd::Emptied
                        };
                        carts.push(CartLife {
                            shopper,
                            idled,
                            end,
                        });
                        idled = false;
                    }
                }
                EventKind::View
                | EventKind::CheckoutStart
                | EventKind::MessageSent
                | EventKind::MessageDelivered
                | EventKind::MessageOpened
                | EventKind::MessageClicked
                | EventKind::MessageUnsubscribed => {}
            }
        }
        if !lines.is_empty() {
            carts.push(CartLife {
                shopper,
                idled,
                end: CartEnd::Open,
            });
        }
    }
    carts
}

/// Over the values and not over what `Debug` prints, which would change with the types.
fn hash(shop: &Shop) -> u64 {
    let mut hasher = Xxh3::new();
    let mut take = |text: String| hasher.update(text.as_bytes());
    for i in &shop.items {
        let path = i.category_path.join(".");
        take(format!(
            "{}|{}|{path}|{}|{}|{}|",
            i.item_id, i.name, i.brand, i.price_minor, i.currency
        ));
        take(format!(
            "{:?}|{:?}|{:?}|{:?}\n",
            i.cost_minor, i.margin_rate, i.stock, i.tags
        ));
    }
    for e in &shop.events {
        take(format!(
            "{}|{}|{}|{}|",
            e.event_id,
            e.shopper_id,
            e.device_id,
            e.kind.as_str()
        ));
        take(format!(
            "{}|{}|{}|{}|",
            e.item_id, e.quantity, e.price_minor, e.currency
        ));
        take(format!(
            "{}|{}|{}|{}|{}\n",
            e.occurred_at.0, e.session_id, e.order_id, e.category, e.brand
        ));
    }
    hasher.digest()
}

#[test]
fn a_seed_means_the_same_shop_for_ever() {
    let shop = demo(1);
    assert_eq!(shop, demo(1));
    assert_ne!(shop.events, demo(2).events);
    assert_eq!(format!("{:016x}", hash(&shop)), "72e8ca9e4bb680a6");
}

#[test]
fn every_event_and_item_keeps_the_limits_of_the_contract() {
    let shop = demo(1);
    for event in &shop.events {
        assert_eq!(event.validate(), Ok(()), "{event:?}");
    }
    let ids: BTreeSet<_> = shop.items.iter().map(|item| &item.item_id).collect();
    let names: BTreeSet<_> = shop.items.iter().map(|item| &item.name).collect();
    assert_eq!((ids.len(), names.len()), (150, 150));
    for item in &shop.items {
        assert!(item.price_minor > 0 && item.cost_minor.is_none_or(|cost| cost < item.price_minor));
        assert!(item.cost_minor.is_none() || item.margin_rate.is_none());
    }
    assert!(
        shop.items
            .iter()
            .any(|i| i.cost_minor.is_none() && i.margin_rate.is_none())
    );
}

#[test]
fn holds_enough_of_both_outcomes_to_learn_from() {
    for seed in 1..=5 {
        let shop = demo(seed);
        let carts = cart_lives(&shop);
        let count = |idled: bool, end| {
            carts
                .iter()
                .filter(|cart| (!idled || cart.idled) && cart.end == end)
                .count()
        };
        let (bought, left) = (count(true, CartEnd::Bought), count(true, CartEnd::Emptied));
        let open = count(false, CartEnd::Open);
        println!(
            "seed {seed}: {} events, {} carts, after idling {bought} bought {left} left, {open} open",
            shop.events.len(),
            carts.len()
        );
        assert!(bought >= 300 && left >= 300);
        assert!((24..=60).contains(&open), "{open} open carts");
    }
}

#[test]
fn carts_are_left_as_often_as_the_kind_of_their_shopper_says() {
    for kind in ShopperKind::ALL {
        let (mut left, mut all) = (0.0, 0.0);
        for seed in 1..=5 {
            let shop = demo(seed);
            for cart in cart_lives(&shop) {
                if shop.kind_of(cart.shopper) == Some(kind) && cart.end != CartEnd::Open {
                    all += 1.0;
                    left += f64::from(u8::from(cart.end == CartEnd::Emptied));
                }
            }
        }
        println!(
            "{kind:?}: {:.3} of {all}, said {}",
            left / all,
            kind.true_risk()
        );
        assert!((left / all - kind.true_risk()).abs() < 0.06);
    }
}

#[test]
fn what_can_be_seen_tells_who_will_leave() {
    let shop = demo(1);
    let mut rates = [[0.0_f64; 2]; 2];
    for (_, life) in lives(&shop) {
        for session in life.chunk_by(|a, b| a.session_id == b.session_id) {
            let carted = session
                .iter()
                .any(|event| event.kind == EventKind::AddToCart);
            let checkout = session
                .iter()
                .any(|event| event.kind == EventKind::CheckoutStart);
            let bought = session
                .iter()
                .any(|event| event.kind == EventKind::Purchase);
            if carted {
                rates[usize::from(checkout)][usize::from(bought)] += 1.0;
            }
        }
    }
    let share = |[left, bought]: [f64; 2]| bought / (left + bought);
    let [without, with] = rates.map(share);
    println!("bought at once: {without:.3} without checkout, {with:.3} with");
    assert!(with > 1.4 * without);
}

#[test]
fn some_events_come_late_and_some_twice_but_all_within_lateness() {
    let shop = demo(1);
    let ids: BTreeSet<_> = shop.events.iter().map(|event| &event.event_id).collect();
    let duplicates = shop.events.len() - ids.len();
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    let mut late = 0;
    for event in &shop.events {
        let newest = newest.entry(&event.shopper_id).or_insert(0);
        late += usize::from(event.occurred_at.0 < *newest);
        assert!(*newest - event.occurred_at.0 < 24 * 3_600_000);
        *newest = event.occurred_at.0.max(*newest);
    }
    println!("{duplicates} duplicates, {late} late");
    assert!(duplicates > 20 && late > 50);
}

#[test]
fn every_event_lies_in_the_days_asked_for() {
    let options = Options {
        shoppers: 50,
        items: 30,
        days: 3,
        start_ms: 1_000_000,
    };
    let shop = Shop::generate(9, options);
    let end = options.start_ms + 3 * 86_400_000;
    assert!(
        shop.events
            .iter()
            .all(|e| (options.start_ms..end).contains(&e.occurred_at.0))
    );
}

#[test]
fn odd_sizes_give_a_shop_all_the_same() {
    for (shoppers, items, days) in [(0, 0, 0), (3, 0, 2), (0, 5, 1), (5, 1, 1), (4, 5000, 1)] {
        let shop = Shop::generate(
            1,
            Options {
                shoppers,
                items,
                days,
                start_ms: 86_400_000,
            },
        );
        assert_eq!((shop.shoppers.len(), shop.items.len()), (shoppers, items));
        assert_eq!(shop.true_risk("nobody"), None);
    }
}
