//! Codes and links: what a message carries, redeemed once and brought back at today's prices, on
//! both stores.

use feature_store::store::{Commit, CommitOutcome, Key, Kind, Op, Partition};
use kit::config::Secret;
use pb::redeem_coupon_response::Status as Redeeming;
use pb::restore_cart_response::Status as Restoring;
use pb::restored_line::Change;
use proto::v1 as pb;
use recovery::Tokens;
use tonic::Code;

use crate::commit::{Kept, stores};
use crate::scene::{HOUR, MINUTE, POLICY, Scene, next, nothing};
use crate::world::{Setup, ask, line};

fn keys(numbers: &[u8]) -> Tokens {
    let key = |number: &u8| format!("{number}:{}", format!("{number:02x}").repeat(32));
    let keys: Vec<String> = numbers.iter().map(key).collect();
    Tokens {
        keys: Some(Secret::new(keys.join(" "))),
        ..Tokens::default()
    }
}

fn item(item_id: &str, price_minor: i64, stock: i64) -> pb::Item {
    pb::Item {
        item_id: item_id.to_owned(),
        price_minor,
        currency: "EUR".to_owned(),
        stock: Some(stock),
        ..pb::Item::default()
    }
}

async fn open(kept: &Kept, numbers: &[u8]) -> Scene {
    let tokens = keys(numbers);
    Scene::open_with(kept, POLICY, |setup| setup.tokens = tokens).await
}

impl Scene {
    /// A message with a coupon.
    async fn promises(&mut self, shopper: &str) -> pb::Action {
        let mut actions = self.actions("mail").await;
        self.fills_a_cart(shopper).await;
        self.later(31 * MINUTE);
        loop {
            let action = next(&mut actions).await;
            if action.shopper_id == shopper {
                return action;
            }
        }
    }

    async fn redeems(&self, code: &str, order: &str, shopper: &str) -> pb::RedeemCouponResponse {
        let request = pb::RedeemCouponRequest {
            code: code.to_owned(),
            order_id: order.to_owned(),
            shopper_id: shopper.to_owned(),
        };
        let answer = self.client().redeem_coupon(request).await;
        answer.unwrap().into_inner()
    }

    async fn restores(&self, token: &str) -> pb::RestoreCartResponse {
        let request = pb::RestoreCartRequest {
            token: token.to_owned(),
        };
        let answer = self.client().restore_cart(request).await;
        answer.unwrap().into_inner()
    }
}

impl Scene {
    /// The cart once the item table has arrived, and it is worth that.
    async fn restores_at(&self, token: &str, value_minor: i64) -> pb::RestoreCartResponse {
        for _ in 0..200 {
            let back = self.restores(token).await;
            if back.value_minor == value_minor {
                return back;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!(
            "{value_minor} is not reached: {:?}",
            self.restores(token).await
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_orders_at_once_exactly_one_gets_the_coupon() {
    for kept in stores().await {
        let mut scene = open(&kept, &[1]).await;
        let action = scene.promises("ann").await;
        assert_eq!(
            (action.coupon_code.len(), action.restore_token.len()),
            (32, 64)
        );
        let orders: Vec<String> = (0..16).map(|number| format!("o{number}")).collect();
        let redeeming = orders
            .iter()
            .map(|order| scene.redeems(&action.coupon_code, order, "ann"));
        let answers = futures::future::join_all(redeeming).await;
        let status = |one: &pb::RedeemCouponResponse| one.status();
        let won: Vec<usize> = (0..16)
            .filter(|at| status(&answers[*at]) == Redeeming::Redeemed)
            .collect();
        let [winner] = won.as_slice() else {
            panic!("one wins: {answers:?}");
        };
        let lost = answers
            .iter()
            .filter(|one| status(one) == Redeeming::AlreadyRedeemed);
        assert_eq!(lost.count(), 15);
        let offer = action.decision.as_ref().unwrap().offer.clone().unwrap();
        let answer = &answers[*winner];
        assert_eq!(answer.percent_off.to_bits(), offer.percent_off.to_bits());
        assert_eq!(answer.discount_minor, offer.discount_minor);
        assert_eq!(answer.expires_at, action.offer_ends_at);
        assert!(!answer.again);
        scene.later(72 * HOUR);
        let again = scene
            .redeems(&action.coupon_code, &orders[*winner], "")
            .await;
        assert_eq!((again.status(), again.again), (Redeeming::Redeemed, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_taken_as_it_is_typed_until_it_expires_and_from_its_person_only() {
    for kept in stores().await {
        let mut scene = open(&kept, &[1]).await;
        let action = scene.promises("phone").await;
        let code = action.coupon_code.clone();
        let other = scene.redeems(&code, "o1", "bob").await;
        assert_eq!(other.status(), Redeeming::OtherPerson);
        let linked = scene.store.link("ann", "phone", "link-1", scene.now());
        linked.await.unwrap().unwrap();
        // Of another coupon, and with a signature that nobody made.
        let forged = [9, 31].map(|at| {
            let other = if code[at..].starts_with('A') {
                "B"
            } else {
                "A"
            };
            format!("{}{other}{}", &code[..at], &code[at + 1..])
        });
        for bad in [forged[0].as_str(), forged[1].as_str(), "nonsense"] {
            let answer = scene.redeems(bad, "o1", "").await;
            assert_eq!(answer.status(), Redeeming::Invalid, "{bad}");
        }
        let ends = kit::timestamp::decode(&action.offer_ends_at.unwrap()).unwrap();
        scene.later(ends - scene.now().0 - 1);
        let typed = format!("{}-{}", &code[..8], &code[8..]).to_lowercase();
        let answer = scene.redeems(&typed, "o1", "ann").await;
        assert_eq!(answer.status(), Redeeming::Redeemed);
        let late = scene.promises("eve").await;
        let ends = kit::timestamp::decode(&late.offer_ends_at.unwrap()).unwrap();
        scene.later(ends - scene.now().0);
        let answer = scene.redeems(&late.coupon_code, "o2", "eve").await;
        assert_eq!(answer.status(), Redeeming::Expired);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_links_stay_the_same_when_keys_are_changed_until_the_old_one_goes() {
    for kept in stores().await {
        let mut scene = open(&kept, &[1]).await;
        let first = scene.promises("ann").await;
        let at = scene.now();
        scene.close().await;
        let scene = open(&kept, &[2, 1]).await;
        scene.later(at.0 - scene.now().0 + 2_000);
        let mut actions = scene.actions("mail").await;
        let again = next(&mut actions).await;
        assert!(again.again);
        assert_eq!(again.coupon_code, first.coupon_code);
        assert_eq!(again.restore_token, first.restore_token);
        assert_eq!(again.offer_ends_at, first.offer_ends_at);
        assert_eq!(
            scene.restores(&first.restore_token).await.status(),
            Restoring::Restored
        );
        scene.close().await;
        let scene = open(&kept, &[2]).await;
        scene.later(at.0 - scene.now().0 + 3_000);
        let answer = scene.redeems(&first.coupon_code, "o1", "").await;
        assert_eq!(answer.status(), Redeeming::Invalid);
        assert_eq!(
            scene.restores(&first.restore_token).await.status(),
            Restoring::Invalid
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_brings_the_cart_back_at_todays_prices_and_tells_no_person() {
    for kept in stores().await {
        let mut scene = open(&kept, &[1]).await;
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        for item in ["1", "2", "nobody knows it"] {
            scene
                .happens("ann", feature_store::EventKind::AddToCart, item)
                .await;
        }
        scene.later(31 * MINUTE);
        let action = next(&mut actions).await;
        drop(actions);
        let at = scene.now();
        scene.close().await;
        let set = |setup: &mut Setup| {
            setup.tokens = keys(&[1]);
            // The cart has two of item 1 at 100.00.
            let peers = setup.peers.as_mut().unwrap();
            let mut second = item("2", 5_000, 3);
            second.unsellable = true;
            peers.items = vec![item("1", 9_000, 1), second];
        };
        let scene = Scene::open_with(&kept, POLICY, set).await;
        scene.later(at.0 - scene.now().0);
        let back = scene.restores_at(&action.restore_token, 9_000).await;
        assert_eq!(back.status(), Restoring::Restored);
        let mut lines: Vec<_> = back
            .lines
            .iter()
            .map(|line| {
                let changes: Vec<Change> = line.changes().collect();
                (
                    line.item_id.as_str(),
                    line.quantity_then,
                    line.quantity,
                    line.price_minor,
                    changes,
                )
            })
            .collect();
        // What was added at one moment may come in either order.
        lines.sort_by_key(|line| line.0);
        let few = vec![Change::FewerInStock, Change::Price];
        let gone = || vec![Change::Unavailable];
        assert_eq!(
            lines,
            [
                ("1", 2, 1, 9_000, few),
                ("2", 1, 0, 0, gone()),
                ("nobody knows it", 1, 0, 0, gone()),
            ]
        );
        assert_eq!((back.value_then_minor, back.value_minor), (40_000, 9_000));
        assert!(back.lines.iter().any(|line| line.name == "item 1"));
        assert!(!format!("{back:?}").contains("ann"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_link_is_none_and_an_old_one_has_expired() {
    for kept in stores().await {
        let mut scene = open(&kept, &[1]).await;
        let action = scene.promises("ann").await;
        let mut forged = action.restore_token.clone();
        let last = forged.pop().unwrap();
        forged.push(if last == '0' { '1' } else { '0' });
        assert_eq!(scene.restores(&forged).await.status(), Restoring::Invalid);
        assert_eq!(
            scene.restores(&action.coupon_code).await.status(),
            Restoring::Invalid
        );
        scene.later(31 * 24 * HOUR);
        let late = scene.restores(&action.restore_token).await;
        assert_eq!(late.status(), Restoring::Expired);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_messages_carry_neither_and_bad_requests_name_the_field() {
    let kept = stores().await.remove(0);
    let mut scene = Scene::open(&kept, POLICY).await;
    let action = scene.promises("ann").await;
    assert_eq!(
        (action.coupon_code.as_str(), action.restore_token.as_str()),
        ("", "")
    );
    assert!(action.offer_ends_at.is_some());
    let redeem = pb::RedeemCouponRequest {
        code: "c".to_owned(),
        order_id: "o".to_owned(),
        ..pb::RedeemCouponRequest::default()
    };
    let mut client = scene.client();
    let refused = client.redeem_coupon(redeem.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("tokens.keys"), "{refused:?}");
    let bad = pb::RedeemCouponRequest {
        order_id: String::new(),
        ..redeem
    };
    let refused = client.redeem_coupon(bad).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("order_id"), "{refused:?}");
    let empty = pb::RestoreCartRequest::default();
    let refused = client.restore_cart(empty).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("token"), "{refused:?}");
}

/// A decision about a cart that only the request knows; the stored one is another.
fn own_cart(shopper: &str) -> pb::DecideRequest {
    pb::DecideRequest {
        request_id: "own".to_owned(),
        mode: pb::decide_request::Mode::Commit.into(),
        cart: vec![line("2", 3, 2_000), line("3", 1, 500)],
        ..ask(shopper)
    }
}

/// A shop that knows items 2 and 3 at their prices of today.
async fn open_shop(kept: &Kept, numbers: &[u8]) -> Scene {
    let tokens = keys(numbers);
    let set = |setup: &mut Setup| {
        setup.tokens = tokens;
        let peers = setup.peers.as_mut().unwrap();
        peers.items = vec![item("2", 2_000, 9), item("3", 400, 9)];
    };
    Scene::open_with(kept, POLICY, set).await
}

/// Removes what codes and links stand for, as if it had never been kept; answers how many there were.
async fn lose_what_was_issued(kept: &Kept, answer: &pb::Decision) -> usize {
    let keys = policy::token::Keyring::new([(1, [1; 32])].into(), 1).unwrap();
    let shop = recovery::Config::default().key_prefix;
    let code = policy::coupon::verify(&keys, &shop, &answer.coupon_code, 0).unwrap();
    let link = policy::restore::verify(&keys, &shop, &answer.restore_token, 0).unwrap();
    let ids = [
        (Kind::Coupon, format!("{:016x}", code.serial)),
        (Kind::StoredCart, recovery::record::hex(&link.reference.0)),
    ];
    let keys = ids.map(|(kind, id)| Key {
        partition: Partition::of(&id),
        kind,
        id,
    });
    let store = kept.store.store();
    let stored = store.get_many(&keys).await.unwrap();
    let mut lost = 0;
    for (key, stored) in keys.into_iter().zip(stored) {
        let Some(stored) = stored else { continue };
        let delete = Commit {
            partition: key.partition,
            ops: vec![Op::Delete {
                key,
                expected: stored.version,
            }],
        };
        let outcomes = store.commit(vec![delete]).await.unwrap();
        assert_eq!(outcomes, [CommitOutcome::Done]);
        lost += 1;
    }
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_the_requests_own_cart_carries_a_code_and_a_link_to_that_cart() {
    for kept in stores().await {
        let mut scene = open_shop(&kept, &[1]).await;
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        let preview = pb::DecideRequest {
            mode: pb::decide_request::Mode::Preview.into(),
            ..own_cart("ann")
        };
        let preview = scene.world.decide(preview).await;
        assert!(preview.coupon_code.is_empty() && preview.restore_token.is_empty());
        let answer = scene.world.decide(own_cart("ann")).await;
        assert_eq!(answer.idempotency_key, "", "acting is the caller's");
        assert_eq!(
            (answer.coupon_code.len(), answer.restore_token.len()),
            (32, 64)
        );
        let ends = kit::timestamp::decode(&answer.offer_ends_at.unwrap()).unwrap();
        assert_eq!(ends, scene.now().0 + 48 * HOUR);
        nothing(&mut actions).await;
        let at = scene.now();
        scene.close().await;
        let scene = open_shop(&kept, &[2, 1]).await;
        scene.later(at.0 - scene.now().0 + MINUTE);
        assert_eq!(scene.world.decide(own_cart("ann")).await, answer);
        let back = scene.restores_at(&answer.restore_token, 6_400).await;
        let lines: Vec<_> = back
            .lines
            .iter()
            .map(|line| (line.item_id.as_str(), line.quantity, line.price_then_minor))
            .collect();
        assert_eq!(lines, [("2", 3, 2_000), ("3", 1, 500)]);
        let other = scene.redeems(&answer.coupon_code, "o1", "bob").await;
        assert_eq!(other.status(), Redeeming::OtherPerson);
        let redeemed = scene.redeems(&answer.coupon_code, "o1", "ann").await;
        assert_eq!(redeemed.status(), Redeeming::Redeemed);
        let offer = answer.offer.as_ref().unwrap();
        assert_eq!(
            (redeemed.discount_minor, redeemed.decision_id.as_str()),
            (offer.discount_minor, answer.decision_id.as_str())
        );
        assert_eq!(redeemed.expires_at, answer.offer_ends_at);
        assert_eq!(scene.world.decide(own_cart("ann")).await, answer);
        let second = scene.redeems(&answer.coupon_code, "o2", "ann").await;
        assert_eq!(second.status(), Redeeming::AlreadyRedeemed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_kept_from_being_issued_is_issued_when_the_answer_is_asked_for_again() {
    for kept in stores().await {
        let scene = open_shop(&kept, &[1]).await;
        scene.consents("ann", true).await;
        let answer = scene.world.decide(own_cart("ann")).await;
        assert_eq!(lose_what_was_issued(&kept, &answer).await, 2);
        let lost = scene.redeems(&answer.coupon_code, "o1", "ann").await;
        assert_eq!(lost.status(), Redeeming::Invalid);
        assert_eq!(scene.world.decide(own_cart("ann")).await, answer);
        let found = scene.redeems(&answer.coupon_code, "o1", "ann").await;
        assert_eq!(found.status(), Redeeming::Redeemed);
        scene.restores_at(&answer.restore_token, 6_400).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_message_is_handed_out_leaves_code_and_link_to_the_message() {
    for kept in stores().await {
        let mut scene = open_shop(&kept, &[1]).await;
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        let stored = pb::DecideRequest {
            cart: Vec::new(),
            ..own_cart("ann")
        };
        let answer = scene.world.decide(stored).await;
        assert_eq!(answer.idempotency_key, "ann/1/0");
        assert!(answer.coupon_code.is_empty() && answer.restore_token.is_empty());
        assert!(answer.offer_ends_at.is_none());
        let action = next(&mut actions).await;
        assert_eq!(action.decision, Some(answer));
        assert_eq!(
            (action.coupon_code.len(), action.restore_token.len()),
            (32, 64)
        );
    }
}
