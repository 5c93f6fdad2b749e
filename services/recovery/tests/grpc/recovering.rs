//! The loop around one person: left, decided, handed out, acknowledged; on both stores.

use feature_store::EventKind;
use prost::Message as _;
use proto::v1 as pb;
use tonic::Code;

use crate::commit::{Kept, stores};
use crate::scene::{HOUR, MINUTE, POLICY, Scene, decided, next, nothing};
use crate::world::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_is_left_is_decided_about_and_handed_out_once() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        nothing(&mut actions).await;
        scene.later(31 * MINUTE);
        let action = next(&mut actions).await;
        assert_eq!(action.idempotency_key, "ann/1/0");
        assert_eq!(
            (action.shopper_id.as_str(), action.channel.as_str()),
            ("ann", "email")
        );
        assert_eq!(
            (action.cart_version, action.step, action.left.as_str()),
            (1, 0, "cart")
        );
        assert!(!action.again);
        let decision = action.decision.as_ref().unwrap();
        assert_eq!(decision.action(), pb::decision::Action::PercentCoupon);
        assert_eq!(decision.idempotency_key, action.idempotency_key);
        assert_eq!(action.lines[0].item_id, "1");
        assert!(action.offer_ends_at.is_some());
        scene.ack("mail", &action).await;
        scene.later(5_000);
        nothing(&mut actions).await;
        // The second step comes a day after the last act; the cap of a day has to be over as well.
        scene.later(24 * HOUR);
        let second = next(&mut actions).await;
        assert_eq!(
            (second.idempotency_key.as_str(), second.step),
            ("ann/1/1", 1)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_acknowledged_comes_again_under_its_key_and_to_every_group() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        let first = next(&mut actions).await;
        scene.later(2_000);
        let second = next(&mut actions).await;
        assert!(second.again && !first.again);
        assert_eq!(second.idempotency_key, first.idempotency_key);
        assert_eq!(second.decision, first.decision);
        scene.ack("mail", &second).await;
        let mut others = scene.actions("push").await;
        assert_eq!(
            next(&mut others).await.idempotency_key,
            first.idempotency_key
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_after_the_decision_keeps_the_action_in_at_first_and_again() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.fills_a_cart("bob").await;
        scene.later(31 * MINUTE);
        decided(&scene, 2).await;
        scene.happens("ann", EventKind::Purchase, "1").await;
        let mut actions = scene.actions("mail").await;
        assert_eq!(next(&mut actions).await.shopper_id, "bob");
        scene.happens("bob", EventKind::Purchase, "1").await;
        scene.later(2_000);
        nothing(&mut actions).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_to_a_linked_id_count_against_the_caps() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("phone").await;
        scene.later(31 * MINUTE);
        let first = next(&mut actions).await;
        scene.ack("mail", &first).await;
        let linked = scene.store.link("ann", "phone", "link-1", scene.now());
        linked.await.unwrap().unwrap();
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        nothing(&mut actions).await;
        scene.later(24 * HOUR);
        assert_eq!(next(&mut actions).await.shopper_id, "ann");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_and_a_no_thanks_count_at_once() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.fills_a_cart("bob").await;
        scene.fills_a_cart("eve").await;
        scene.later(31 * MINUTE);
        decided(&scene, 3).await;
        scene.consents("ann", false).await;
        let dismiss = pb::DismissRequest {
            shopper_id: "bob".to_owned(),
            cart_version: 1,
        };
        let mut client = scene.client();
        let said = client.dismiss(dismiss.clone()).await.unwrap().into_inner();
        assert!(said.changed);
        let again = client.dismiss(dismiss).await.unwrap().into_inner();
        assert!(!again.changed);
        let mut actions = scene.actions("mail").await;
        let action = next(&mut actions).await;
        assert_eq!(action.shopper_id, "eve");
        scene.ack("mail", &action).await;
        nothing(&mut actions).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_changed_after_the_decision_begins_anew() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        decided(&scene, 1).await;
        scene.happens("ann", EventKind::AddToCart, "2").await;
        let mut actions = scene.actions("mail").await;
        nothing(&mut actions).await;
        scene.later(31 * MINUTE);
        assert_eq!(next(&mut actions).await.idempotency_key, "ann/2/0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_linked_to_somebody_held_out_after_the_decision_is_left_alone() {
    let holdout = policy::holdout::Holdout::new("loop", 0.05).unwrap();
    let mut shoppers = (0..1_000).map(|n| format!("shopper-{n}"));
    let held_out = shoppers.find(|one| holdout.holds(one)).unwrap();
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.fills_a_cart("bob").await;
        scene.later(31 * MINUTE);
        decided(&scene, 2).await;
        let linked = scene.store.link("ann", &held_out, "link-1", scene.now());
        linked.await.unwrap().unwrap();
        let mut actions = scene.actions("mail").await;
        let action = next(&mut actions).await;
        assert_eq!(action.shopper_id, "bob");
        scene.ack("mail", &action).await;
        nothing(&mut actions).await;
    }
}

const MARKER: &str = "marker";

fn sold(item_id: &str, change: impl Fn(&mut pb::Item)) -> pb::Item {
    let mut item = pb::Item {
        item_id: item_id.to_owned(),
        price_minor: 10_000,
        currency: "EUR".to_owned(),
        stock: Some(5),
        ..pb::Item::default()
    };
    change(&mut item);
    item
}

/// The shop after a restart, once it knows what is said of its items now.
async fn reopened(kept: &Kept, before: Scene, mut items: Vec<pb::Item>) -> Scene {
    let at = before.now();
    before.close().await;
    items.push(sold(MARKER, |_| {}));
    let set = |setup: &mut Setup| setup.peers.as_mut().unwrap().items = items;
    let scene = Scene::open_with(kept, POLICY, set).await;
    scene.later(at.0 - scene.now().0);
    let marked = pb::DecideRequest {
        cart: vec![pb::CartLine {
            item_id: MARKER.to_owned(),
            quantity: 1,
            ..pb::CartLine::default()
        }],
        ..crate::world::ask("nobody")
    };
    for _ in 0..200 {
        if scene.world.decide(marked.clone()).await.cart_value_minor == 10_000 {
            return scene;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the item table did not come");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sold_as_it_was_promised_stays_in() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        for (shopper, item) in [("ann", "1"), ("bob", "2"), ("eve", "3"), ("kim", "4")] {
            scene.consents(shopper, true).await;
            scene.happens(shopper, EventKind::AddToCart, item).await;
        }
        scene.later(31 * MINUTE);
        decided(&scene, 4).await;
        for record in crate::commit::logged(&scene.store).await {
            let decision = pb::Decision::decode(&*record.decision).unwrap();
            assert!(decision.offer.is_some(), "{decision:?}");
        }
        let items = vec![
            sold("1", |item| item.stock = Some(0)),
            sold("2", |item| item.price_minor += 1),
            sold("3", |item| item.cost_minor = Some(9_900)),
            sold("4", |_| {}),
        ];
        let scene = reopened(&kept, scene, items).await;
        let mut actions = scene.actions("mail").await;
        let action = next(&mut actions).await;
        assert_eq!(action.shopper_id, "kim");
        scene.ack("mail", &action).await;
        nothing(&mut actions).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_a_day_ago_and_never_fetched_is_too_old_to_go() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        decided(&scene, 1).await;
        scene.later(24 * HOUR);
        decided(&scene, 2).await;
        let mut actions = scene.actions("mail").await;
        assert_eq!(next(&mut actions).await.idempotency_key, "ann/1/1");
        nothing(&mut actions).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_falls_into_quiet_hours_is_decided_again_when_they_are_over() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        decided(&scene, 1).await;
        scene.later(11 * HOUR);
        let mut actions = scene.actions("mail").await;
        nothing(&mut actions).await;
        scene.later(6 * HOUR);
        nothing(&mut actions).await;
        scene.later(2 * HOUR);
        let action = next(&mut actions).await;
        assert_eq!(action.idempotency_key, "ann/1/0");
        assert_eq!(crate::commit::logged(&scene.store).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_is_never_exceeded_and_what_it_cannot_pay_goes_without_an_offer() {
    let policy =
        format!("{POLICY}\n[budget]\namount_minor = 700\nperiod = \"month\"\npacing = false\n");
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &policy).await;
        let shoppers = ["ann", "bob", "eve", "kim", "lee"];
        for shopper in shoppers {
            scene.fills_a_cart(shopper).await;
        }
        scene.later(31 * MINUTE);
        let mut actions = scene.actions("mail").await;
        let (mut coupons, mut spent) = (0, 0);
        for _ in shoppers {
            let action = next(&mut actions).await;
            scene.ack("mail", &action).await;
            let decision = action.decision.unwrap();
            spent += decision.max_cost_minor;
            coupons += u32::from(decision.offer.is_some());
        }
        assert!(spent <= 700, "{spent}");
        assert_eq!(coupons, 2, "of 300 each");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holdout_is_left_alone_and_the_log_says_so() {
    for kept in stores().await {
        let policy = POLICY.replace("share = 0.05", "share = 0.5");
        let mut scene = Scene::open(&kept, &policy).await;
        let holdout = policy::holdout::Holdout::new("loop", 0.5).unwrap();
        let shoppers: Vec<String> = (0..12).map(|n| format!("shopper-{n}")).collect();
        for shopper in &shoppers {
            scene.fills_a_cart(shopper).await;
        }
        scene.later(31 * MINUTE);
        decided(&scene, shoppers.len()).await;
        let mut actions = scene.actions("mail").await;
        let let_in: Vec<_> = shoppers.iter().filter(|one| !holdout.holds(one)).collect();
        assert!(!let_in.is_empty() && let_in.len() < shoppers.len());
        for _ in &let_in {
            assert!(!holdout.holds(&next(&mut actions).await.shopper_id));
        }
        let asked = scene.world.decide(crate::world::ask(
            shoppers.iter().find(|one| holdout.holds(one)).unwrap(),
        ));
        let asked = asked.await;
        assert!(asked.in_holdout);
        assert!(asked.reasons[0].contains("holdout"), "{:?}", asked.reasons);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_takes_the_step_early_and_it_is_handed_out_once() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        let asked = pb::DecideRequest {
            request_id: "leaving".to_owned(),
            mode: pb::decide_request::Mode::Commit.into(),
            ..crate::world::ask("ann")
        };
        let decision = scene.world.decide(asked.clone()).await;
        assert_eq!(decision.idempotency_key, "ann/1/0");
        assert_eq!(scene.world.decide(asked).await, decision);
        let mut actions = scene.actions("mail").await;
        let action = next(&mut actions).await;
        assert_eq!(action.decision_id, decision.decision_id);
        scene.ack("mail", &action).await;
        scene.later(31 * MINUTE);
        nothing(&mut actions).await;
        assert_eq!(crate::commit::logged(&scene.store).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_store_hands_nothing_out() {
    let world = Setup::default().start().await;
    let request = pb::StreamActionsRequest {
        group: "mail".to_owned(),
        consumer: "one".to_owned(),
        ..pb::StreamActionsRequest::default()
    };
    let refused = world
        .client
        .clone()
        .stream_actions(request)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}
