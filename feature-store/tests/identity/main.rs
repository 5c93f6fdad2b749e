//! Several ids of one person, on both stores: whatever came first, and whatever was cut off.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test says what it expects, and its numbers are small"
)]

#[path = "../support/mod.rs"]
mod support;

mod cut;
mod order;

use std::time::Duration;

use feature_store::store::Partition;
use feature_store::{
    Changed, ConsentRecord, Event, EventKind, FeatureStore, FoundDecision, LinkRefusal, Linked,
    Millis, Outcome, ProfileUpdate, RejectCode, Settings, ShopperChange, ShopperView,
    StoredShopper, Wake,
};
use support::Fixture;

on_both_stores!(
    a_purchase_under_one_id_empties_the_other_ids_cart,
    a_cart_that_a_link_brings_is_looked_at,
    what_was_bought_of_old_stays_out_of_the_other_ids_cart,
    the_largest_quantity_counts_and_a_removal_counts_for_all,
    the_stricter_consent_counts_until_the_person_says_otherwise,
    settings_that_disagree_do_not_count,
    an_unlinked_id_begins_anew_and_takes_nothing_back,
    what_cannot_be_linked_says_why,
    both_directions_at_once_make_one_person,
    a_change_under_an_alias_is_the_persons,
    what_recovery_kept_of_an_alias_is_there_until_it_was_joined,
    carts_and_messages_of_both_ids_are_counted_together,
);

const NOW: Millis = Millis(1_700_000_000_000);

async fn open(fixture: &Fixture) -> FeatureStore {
    FeatureStore::new(fixture.open().await, Settings::default())
}

fn event(id: &str, shopper: &str, kind: EventKind, item: &str, minute: i64) -> Event {
    Event {
        event_id: id.to_owned(),
        shopper_id: shopper.to_owned(),
        kind,
        item_id: item.to_owned(),
        price_minor: 500,
        currency: "EUR".to_owned(),
        occurred_at: Millis(NOW.0 - Millis::HOUR + minute * Millis::MINUTE),
        ..Event::default()
    }
}

async fn ingest(features: &FeatureStore, events: &[Event]) {
    let outcomes = features.ingest(events, NOW).await.expect("answers");
    assert_eq!(outcomes, vec![Outcome::Accepted; events.len()]);
}

async fn link(features: &FeatureStore, shopper: &str, alias: &str) -> Linked {
    let linked = features
        .link(shopper, alias, &format!("{shopper}+{alias}"), NOW)
        .await;
    linked.expect("answers").expect("is linked")
}

async fn view(features: &FeatureStore, shopper: &str) -> ShopperView {
    let views = features.shoppers(&[shopper], NOW).await;
    views.expect("answers").remove(0).unwrap_or_default()
}

fn cart(view: &ShopperView) -> Vec<(&str, u32)> {
    let lines = view.cart.lines.iter();
    lines.map(|l| (l.item_id.as_str(), l.quantity)).collect()
}

fn refused_field(answer: &Result<Linked, LinkRefusal>) -> &str {
    match answer {
        Err(LinkRefusal::Invalid(rejection) | LinkRefusal::Stands(rejection)) => rejection.field,
        Ok(linked) => panic!("{linked:?}"),
    }
}

use EventKind::{AddToCart, Purchase, RemoveFromCart, View};

async fn a_purchase_under_one_id_empties_the_other_ids_cart(fixture: &Fixture) {
    let features = open(fixture).await;
    let events = [
        event("1", "phone", AddToCart, "lamp", 0),
        event("2", "phone", AddToCart, "rug", 1),
        event("3", "ann", Purchase, "lamp", 2),
    ];
    ingest(&features, &events).await;
    assert_eq!(
        cart(&view(&features, "phone").await),
        [("lamp", 1), ("rug", 1)]
    );
    link(&features, "ann", "phone").await;
    for id in ["ann", "phone"] {
        assert_eq!(cart(&view(&features, id).await), [("rug", 1)]);
    }
    ingest(&features, &[event("4", "phone", AddToCart, "lamp", 3)]).await;
    assert_eq!(
        cart(&view(&features, "ann").await),
        [("rug", 1), ("lamp", 1)]
    );
    ingest(&features, &[event("5", "ann", Purchase, "rug", 4)]).await;
    assert_eq!(cart(&view(&features, "phone").await), [("lamp", 1)]);
    let one = [Wake::Shopper("ann".to_owned())];
    assert_eq!(due(&features).await, one, "one look for one person");
}

async fn due(features: &FeatureStore) -> Vec<Wake> {
    let all: Vec<_> = Partition::all().collect();
    let due = features
        .claim_due(&all, Millis::MAX, Duration::ZERO, 9)
        .await;
    let due = due.expect("answers").into_iter();
    due.map(|due| Wake::parse(&due.id)).collect()
}

async fn a_cart_that_a_link_brings_is_looked_at(fixture: &Fixture) {
    let features = open(fixture).await;
    ingest(&features, &[event("1", "phone", AddToCart, "lamp", 0)]).await;
    link(&features, "ann", "phone").await;
    assert_eq!(due(&features).await, [Wake::Shopper("ann".to_owned())]);
}

/// Of purchases only the newest are kept one by one.
async fn what_was_bought_of_old_stays_out_of_the_other_ids_cart(fixture: &Fixture) {
    let features = open(fixture).await;
    let buys = (1..40).map(|n| {
        let item = format!("item {n}");
        event(&format!("bought {n}"), "ann", Purchase, &item, n)
    });
    let added = event("1", "phone", AddToCart, "item 1", 0);
    let later = event("2", "phone", AddToCart, "item 1", 41);
    ingest(&features, &buys.chain([added]).collect::<Vec<_>>()).await;
    link(&features, "ann", "phone").await;
    assert_eq!(cart(&view(&features, "ann").await), []);
    ingest(&features, &[later]).await;
    assert_eq!(cart(&view(&features, "ann").await), [("item 1", 1)]);
}

async fn the_largest_quantity_counts_and_a_removal_counts_for_all(fixture: &Fixture) {
    let features = open(fixture).await;
    let mut three = event("1", "phone", AddToCart, "lamp", 0);
    three.quantity = 3;
    ingest(&features, &[three, event("2", "ann", AddToCart, "lamp", 1)]).await;
    link(&features, "ann", "phone").await;
    assert_eq!(cart(&view(&features, "ann").await), [("lamp", 3)]);
    ingest(&features, &[event("3", "ann", RemoveFromCart, "lamp", 2)]).await;
    assert_eq!(cart(&view(&features, "ann").await), [("lamp", 2)]);
}

fn consent(granted: bool, at: i64) -> ConsentRecord {
    ConsentRecord {
        purpose: "marketing".to_owned(),
        channel: "email".to_owned(),
        granted,
        wording: "v1".to_owned(),
        at: Millis(NOW.0 + at),
        jurisdiction: "DE".to_owned(),
    }
}

async fn the_stricter_consent_counts_until_the_person_says_otherwise(fixture: &Fixture) {
    let features = open(fixture).await;
    let say = async |id: &str, granted, at| {
        let said = features.set_consent(id, vec![consent(granted, at)]).await;
        said.expect("answers").expect("is valid");
    };
    say("phone", false, 1).await;
    say("ann", true, 2).await;
    link(&features, "ann", "phone").await;
    assert_eq!(view(&features, "ann").await.consents, [consent(false, 1)]);
    say("phone", true, 3).await;
    assert_eq!(view(&features, "ann").await.consents, [consent(true, 3)]);
    say("ann", false, 4).await;
    assert_eq!(view(&features, "phone").await.consents, [consent(false, 4)]);
}

async fn settings_that_disagree_do_not_count(fixture: &Fixture) {
    let features = open(fixture).await;
    let set = async |id: &str, zone: &str, channel: &str| {
        let update = ProfileUpdate {
            time_zone: Some(zone.to_owned()),
            channels: Some(vec![channel.to_owned()]),
            ..ProfileUpdate::default()
        };
        let set = features.set_profile(id, update).await;
        set.expect("answers").expect("is valid");
    };
    set("phone", "Asia/Tokyo", "push").await;
    set("ann", "Europe/Berlin", "email").await;
    link(&features, "ann", "phone").await;
    let profile = view(&features, "phone").await.profile;
    assert_eq!(
        (profile.time_zone.as_str(), profile.channels.len()),
        ("", 2)
    );
    set("phone", "Asia/Tokyo", "push").await;
    assert_eq!(view(&features, "ann").await.profile.time_zone, "Asia/Tokyo");
}

async fn an_unlinked_id_begins_anew_and_takes_nothing_back(fixture: &Fixture) {
    let features = open(fixture).await;
    ingest(&features, &[event("1", "phone", AddToCart, "lamp", 0)]).await;
    link(&features, "ann", "phone").await;
    let at = Millis(NOW.0 - Millis::MINUTE);
    let unlinked = features.unlink("phone", at).await.expect("answers");
    assert!(unlinked.expect("is unlinked").changed);
    let again = features.unlink("phone", NOW).await.expect("answers");
    assert!(!again.expect("is by itself").changed);
    ingest(&features, &[event("2", "phone", AddToCart, "rug", 60)]).await;
    assert_eq!(cart(&view(&features, "ann").await), [("lamp", 1)]);
    assert_eq!(cart(&view(&features, "phone").await), [("rug", 1)]);
    let before = event("3", "phone", View, "pan", 1);
    let outcomes = features.ingest(&[before], NOW).await.expect("answers");
    let Outcome::Rejected(rejection) = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(rejection.code, RejectCode::TooLate);
    let same = features.link("ann", "phone", "ann+phone", NOW).await;
    assert_eq!(refused_field(&same.expect("answers")), "link_id");
    let anew = features.link("ann", "phone", "newer", NOW).await;
    assert!(anew.expect("answers").expect("is linked").changed);
    assert_eq!(
        cart(&view(&features, "phone").await),
        [("lamp", 1), ("rug", 1)]
    );
    let apart = features.unlink("phone", NOW).await.expect("answers");
    assert!(apart.expect("is unlinked").changed);
    assert_eq!(cart(&view(&features, "phone").await), []);
}

async fn what_cannot_be_linked_says_why(fixture: &Fixture) {
    let features = open(fixture).await;
    let try_to = async |shopper: &str, alias: &str, link_id: &str| {
        let answer = features.link(shopper, alias, link_id, NOW).await;
        answer.expect("answers")
    };
    let long = "x".repeat(129);
    for (shopper, alias, link_id, field) in [
        ("ann", "ann", "1", "alias_id"),
        ("", "phone", "1", "shopper_id"),
        ("ann", long.as_str(), "1", "alias_id"),
        ("ann", "pho\u{1f}ne", "1", "alias_id"),
        ("ann", "phone", "", "link_id"),
    ] {
        let answer = try_to(shopper, alias, link_id).await;
        assert!(matches!(answer, Err(LinkRefusal::Invalid(_))), "{answer:?}");
        assert_eq!(refused_field(&answer), field);
    }
    assert!(link(&features, "ann", "phone").await.changed);
    let elsewhere = try_to("bob", "phone", "2").await;
    let Err(LinkRefusal::Stands(rejection)) = elsewhere else {
        panic!("{elsewhere:?}");
    };
    let said = "alias_id is \"phone\", which is linked to \"ann\"; an id that is linked to nobody is \
                needed: unlink it first, or link the others to \"ann\"";
    assert_eq!(rejection.detail, said);
    assert_eq!(refused_field(&try_to("bob", "ann", "3").await), "alias_id");
    let root = features.unlink("ann", NOW).await.expect("answers");
    assert_eq!(refused_field(&root), "alias_id");
    for n in 1..16 {
        link(&features, "phone", &format!("device {n}")).await;
    }
    let full = try_to("ann", "one more", "4").await;
    assert_eq!(refused_field(&full), "shopper_id");
    assert_eq!(view(&features, "one more").await, ShopperView::default());
}

async fn both_directions_at_once_make_one_person(fixture: &Fixture) {
    let features = open(fixture).await;
    for round in 0..20 {
        let (ann, phone) = (format!("ann {round}"), format!("phone {round}"));
        let add = |n: i64| {
            let shopper = if n % 2 == 0 { &ann } else { &phone };
            let item = format!("item {n}");
            event(&format!("{round} {n}"), shopper, AddToCart, &item, n)
        };
        let events: Vec<_> = (0..10).map(add).collect();
        let push = async {
            for event in &events {
                ingest(&features, std::slice::from_ref(event)).await;
            }
        };
        let one = features.link(&ann, &phone, "1", NOW);
        let other = features.link(&phone, &ann, "2", NOW);
        let (one, other, ()) = tokio::join!(one, other, push);
        let (one, other) = (one.expect("answers"), other.expect("answers"));
        let (one, other) = (one.expect("is linked"), other.expect("is linked"));
        assert_eq!(one.person_id, other.person_id);
        let views = [view(&features, &ann).await, view(&features, &phone).await];
        assert_eq!(views[0], views[1]);
        assert_eq!((views[0].cart.lines.len(), views[0].carted_units), (10, 10));
    }
}

async fn a_change_under_an_alias_is_the_persons(fixture: &Fixture) {
    let features = open(fixture).await;
    ingest(&features, &[event("1", "phone", AddToCart, "lamp", 0)]).await;
    link(&features, "ann", "phone").await;
    let read = features.stored_shopper_and_decision("phone", "d1").await;
    let (read, decision) = read.expect("answers");
    assert_eq!((read.under.as_deref(), decision), (Some("ann"), None));
    let change = ShopperChange {
        recovery: Some(b"kept".to_vec()),
        decision: Some(("d1".to_owned(), "about d1".into())),
        ..ShopperChange::default()
    };
    let changed = features.change("phone", read, change).await;
    assert_eq!(changed, Ok(Changed::Done));
    for id in ["ann", "phone"] {
        let read = features.stored_shopper_and_decision(id, "d1").await;
        let (read, decision) = read.expect("answers");
        assert_eq!(read.shopper.recovery(), b"kept");
        assert_eq!(decision, Some("about d1".into()));
        let decision = features.decision(id, "d1").await.expect("answers");
        assert_eq!(decision, Some(FoundDecision::Record("about d1".into())));
    }
}

async fn read(features: &FeatureStore, shopper: &str) -> StoredShopper {
    let read = features.stored_shoppers(&[shopper]).await;
    read.expect("answers").remove(0)
}

async fn keep(features: &FeatureStore, shopper: &str, section: &str) {
    let change = ShopperChange {
        recovery: Some(section.as_bytes().to_vec()),
        ..ShopperChange::default()
    };
    let before = read(features, shopper).await;
    let changed = features.change(shopper, before, change).await;
    assert_eq!(changed, Ok(Changed::Done));
}

async fn what_recovery_kept_of_an_alias_is_there_until_it_was_joined(fixture: &Fixture) {
    let features = open(fixture).await;
    keep(&features, "phone", "of the phone").await;
    link(&features, "ann", "phone").await;
    let others = |read: &StoredShopper| -> Vec<Vec<u8>> {
        read.shopper
            .other_recoveries()
            .map(<[u8]>::to_vec)
            .collect()
    };
    assert_eq!(others(&read(&features, "ann").await), [b"of the phone"]);
    keep(&features, "ann", "of both").await;
    let joined = read(&features, "phone").await;
    assert_eq!(joined.shopper.recovery(), b"of both");
    assert!(others(&joined).is_empty());
}

async fn carts_and_messages_of_both_ids_are_counted_together(fixture: &Fixture) {
    let features = open(fixture).await;
    let events = [
        event("1", "ann", AddToCart, "lamp", 0),
        event("2", "phone", AddToCart, "rug", 1),
        event("3", "ann", EventKind::MessageSent, "", 2),
        event("4", "phone", EventKind::MessageSent, "", 3),
    ];
    ingest(&features, &events).await;
    let apart = read(&features, "ann").await.shopper.standing();
    assert_eq!((apart.cart.version, apart.messages.len()), (1, 1));
    link(&features, "ann", "phone").await;
    let linked = read(&features, "ann").await.shopper.standing();
    assert_eq!((linked.cart.version, linked.messages.len()), (2, 2));
}
