//! What a living shop promises: the same seed is the same world, nothing is caused backwards, and
//! the stated truth is what many lives come to.

use std::collections::{BTreeMap, BTreeSet};

use feature_store::EventKind;
use proptest::prelude::*;
use simulator::{Arm, Message, Options, ShopperKind, What, World};
use xxhash_rust::xxh3::Xxh3;

const HOUR: i64 = 3_600_000;

fn options() -> Options {
    Options {
        days: 3,
        ..Options::default()
    }
}

fn world(seed: u64) -> World {
    World::new(seed, options())
}

fn message(world: &World, number: usize, arm: Arm, delay_ms: i64) -> Message {
    Message {
        arm,
        at_ms: world.visit(number).left_at_ms + delay_ms,
        discount_minor: 0,
        ends_at_ms: i64::MAX,
    }
}

/// Three messages to everybody, as a policy without a thought would send them.
fn messages(world: &World, number: usize) -> Vec<Message> {
    let arms = [Arm::Reminder, Arm::FixedCoupon, Arm::PercentCoupon];
    let delays = [HOUR, 24 * HOUR, 72 * HOUR];
    arms.into_iter()
        .zip(delays)
        .map(|(arm, delay)| message(world, number, arm, delay))
        .collect()
}

fn hash(world: &World) -> u64 {
    let mut hasher = Xxh3::new();
    for number in 0..500 {
        let person = world.person(number);
        let life = world.life(number, &messages(world, number));
        hasher.update(
            format!("{:?}|{:?}|", person.shopper.kind.as_str(), person.time_zone).as_bytes(),
        );
        hasher.update(format!("{:?}|{:?}|", person.consented, person.devices).as_bytes());
        for event in world.visit(number).events {
            let text = format!(
                "{}|{}|{}|",
                event.event_id, event.occurred_at.0, event.item_id
            );
            hasher.update(text.as_bytes());
        }
        for act in life.acts {
            let what = match act.what {
                What::Event(event) => format!("{}|{}", event.event_id, event.price_minor),
                What::Opens(place) => format!("opens {place}"),
                What::Clicks(place) => format!("clicks {place}"),
                What::Unsubscribes(place) => format!("unsubscribes {place}"),
                What::Complains(place) => format!("complains {place}"),
                What::Dismisses(place) => format!("dismisses {place}"),
                What::Revokes => "revokes".to_owned(),
                What::Refunds => "refunds".to_owned(),
            };
            hasher.update(format!("{}|{what}|", act.at_ms).as_bytes());
        }
    }
    hasher.digest()
}

#[test]
fn a_seed_means_the_same_world_for_ever() {
    assert_eq!(hash(&world(1)), hash(&world(1)));
    assert_ne!(hash(&world(1)), hash(&world(2)));
    assert_eq!(format!("{:016x}", hash(&world(1))), "e19173f3641a7380");
}

#[test]
fn every_event_of_a_world_keeps_the_limits_of_the_contract() {
    let world = world(3);
    for number in 0..300 {
        let visit = world.visit(number);
        let mut ids = BTreeSet::new();
        let life = world.life(number, &messages(&world, number));
        let acts = life.acts.into_iter().filter_map(|act| match act.what {
            What::Event(event) => Some(*event),
            What::Opens(_)
            | What::Clicks(_)
            | What::Unsubscribes(_)
            | What::Complains(_)
            | What::Dismisses(_)
            | What::Revokes
            | What::Refunds => None,
        });
        let mut last = 0;
        for event in visit.events.into_iter().chain(acts) {
            assert_eq!(event.validate(), Ok(()), "{event:?}");
            assert!(
                ids.insert(event.event_id.clone()),
                "{} twice",
                event.event_id
            );
            assert!(event.occurred_at.0 >= last, "{} goes back", event.event_id);
            last = event.occurred_at.0;
        }
        assert!(!visit.lines.is_empty());
    }
}

#[test]
fn all_kinds_zones_and_consents_are_there() {
    let world = world(4);
    let people: Vec<_> = (0..2_000).map(|number| world.person(number)).collect();
    let kinds: BTreeSet<_> = people.iter().map(|person| person.shopper.kind).collect();
    let zones: BTreeSet<_> = people.iter().map(|person| person.time_zone).collect();
    assert_eq!(kinds, ShopperKind::ALL.into_iter().collect());
    assert!(zones.len() == 7 && zones.contains(""));
    let agreed = people.iter().filter(|person| !person.consented.is_empty());
    assert!((1_500..1_700).contains(&agreed.count()));
    assert!(people.iter().any(|person| person.devices.len() == 2));
}

/// The stated probability is the mean of what shoppers of the same nature do.
#[test]
fn the_stated_truth_is_the_mean_of_many_lives() {
    let mut said: BTreeMap<(ShopperKind, usize), f64> = BTreeMap::new();
    let mut did: BTreeMap<(ShopperKind, usize), f64> = BTreeMap::new();
    let mut count: BTreeMap<(ShopperKind, usize), f64> = BTreeMap::new();
    for seed in 0..8 {
        let world = world(seed);
        for number in 0..4_000 {
            let kind = world.person(number).shopper.kind;
            let all = messages(&world, number);
            for sent in 0..=all.len() {
                let sent_now = &all[..sent];
                *said.entry((kind, sent)).or_default() += world.chance_of_order(number, sent_now);
                let bought = world.life(number, sent_now).order.is_some();
                *did.entry((kind, sent)).or_default() += f64::from(u8::from(bought));
                *count.entry((kind, sent)).or_default() += 1.0;
            }
        }
    }
    for (key, said) in said {
        let (n, did) = (count[&key], did[&key]);
        let (said, did) = (said / n, did / n);
        let error = (said * (1.0 - said) / n).sqrt();
        println!("{key:?}: said {said:.4}, did {did:.4} of {n}");
        assert!(
            (said - did).abs() < 4.5 * error,
            "{key:?}: said {said}, did {did}"
        );
    }
}

#[test]
fn each_kind_reacts_as_its_name_says() {
    let mut uplift: BTreeMap<(ShopperKind, Arm), (f64, f64)> = BTreeMap::new();
    let world = world(5);
    for number in 0..3_000 {
        let kind = world.person(number).shopper.kind;
        for arm in Arm::ALL {
            let sum = uplift.entry((kind, arm)).or_default();
            sum.0 += world.uplift(number, arm, HOUR);
            sum.1 += 1.0;
        }
    }
    let mean = |kind, arm| {
        let (sum, count) = uplift[&(kind, arm)];
        sum / count
    };
    for arm in Arm::ALL {
        assert!(mean(ShopperKind::Persuadable, arm) > 0.1);
        assert!(mean(ShopperKind::Annoyed, arm) < -0.05);
        assert!(mean(ShopperKind::Lost, arm).abs() < 0.02);
        assert!(mean(ShopperKind::Sure, arm).abs() < 0.02);
    }
    let farmer = |arm| mean(ShopperKind::CouponFarmer, arm);
    assert!(farmer(Arm::PercentCoupon) > 10.0 * farmer(Arm::Reminder));
}

#[test]
fn whoever_buys_takes_the_best_offer_that_holds_then() {
    let world = world(6);
    let (mut took, mut missed) = (0, 0);
    for number in 0..2_000 {
        let offer = |discount_minor, ends_after: i64| {
            let sent = message(&world, number, Arm::FixedCoupon, HOUR);
            Message {
                discount_minor,
                ends_at_ms: sent.at_ms + ends_after,
                ..sent
            }
        };
        let offers = [offer(300, 90 * HOUR), offer(500, 2 * HOUR)];
        let Some(order) = world.life(number, &offers).order else {
            continue;
        };
        let expected = match order.at_ms {
            at if at < offers[0].at_ms => 0,
            at if at <= offers[1].ends_at_ms => 500,
            _ => 300,
        };
        assert_eq!(order.discount_minor, expected);
        took += i32::from(expected == 500);
        missed += i32::from(expected == 300);
    }
    assert!(took > 50 && missed > 50, "{took} {missed}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// What happens before a message does not depend on it, and a life is the same every time.
    #[test]
    fn nothing_is_caused_backwards(seed in 0..50_u64, number in 0..10_000_usize, arms in proptest::collection::vec((0..5_usize, 0..96_i64), 1..5)) {
        let world = world(seed);
        let mut all: Vec<Message> = arms.iter().map(|(arm, hours)| message(&world, number, Arm::ALL[*arm], hours * HOUR)).collect();
        all.sort_by_key(|message| message.at_ms);
        let with = world.life(number, &all);
        prop_assert_eq!(&with, &world.life(number, &all));
        let last = all.pop().unwrap();
        let without = world.life(number, &all);
        let before = |life: &simulator::Life| -> Vec<_> {
            life.acts.iter().filter(|act| act.at_ms <= last.at_ms).cloned().collect()
        };
        prop_assert_eq!(before(&with), before(&without));
        prop_assert!(with.acts.is_sorted_by_key(|act| act.at_ms));
        let buys = with.acts.iter().any(|act| matches!(&act.what, What::Event(event) if event.kind == EventKind::Purchase));
        prop_assert_eq!(buys, with.order.is_some());
        let money = with.money();
        if with.order.as_ref().is_some_and(|order| order.refunded_at_ms.is_some()) {
            prop_assert_eq!(money.net_minor(), 0);
        }
    }
}
