//! What the guard holds at each hand-out and at each time again: hours, consent, money, erasure; and
//! that whoever commits first wins; on both stores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use feature_store::store::Log;
use feature_store::{Event, EventKind, FeatureStore, Millis, Outcome, ProfileUpdate, Settings};
use kit::config::Secret;
use pb::redeem_coupon_response::Status as Redeeming;
use pb::restore_cart_response::Status as Restoring;
use policy::Inputs;
use policy::person::Person;
use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use tonic::Streaming;
use tonic::transport::Endpoint;

use crate::commit::{Kept, logged, stores};
use crate::overtaken::Overtaken;
use crate::scene::{HOUR, MINUTE, NOTHING, POLICY, Scene, decided, next, nothing};
use crate::world::{Setup, ask, line};

/// As [`POLICY`], with money for one coupon, held for so long.
fn money_for_one(hold: &str) -> String {
    format!(
        "{POLICY}\n[budget]\namount_minor = 300\nperiod = \"month\"\nhold = \"{hold}\"\npacing = false\n"
    )
}

fn commit(shopper: &str) -> pb::DecideRequest {
    pb::DecideRequest {
        request_id: "leaving".to_owned(),
        mode: pb::decide_request::Mode::Commit.into(),
        ..ask(shopper)
    }
}

/// Once a second.
async fn the_budget_is_looked_at() {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
}

fn has_offer(action: &pb::Action) -> bool {
    action.decision.as_ref().unwrap().offer.is_some()
}

impl Scene {
    async fn lives_in(&self, shopper: &str, zone: &str) {
        let profile = ProfileUpdate {
            time_zone: Some(zone.to_owned()),
            ..ProfileUpdate::default()
        };
        let set = self.store.set_profile(shopper, profile).await;
        set.unwrap().unwrap();
    }

    /// The cart is left, and the action about it is what comes next.
    async fn is_sent(&mut self, shopper: &str, actions: &mut Streaming<pb::Action>) -> pb::Action {
        self.fills_a_cart(shopper).await;
        self.later(31 * MINUTE);
        let action = next(actions).await;
        assert_eq!(action.shopper_id, shopper);
        self.ack("mail", &action).await;
        action
    }

    /// Every row that the group was handed is over.
    async fn owes_nothing_to(&self, group: &str) {
        let places = self.store.store().group_places(Log::Outbox).await;
        let ends = self.store.queue_ends(Log::Outbox).await.unwrap();
        let ends: BTreeMap<_, _> = ends.into_iter().collect();
        for place in places.unwrap() {
            let is_over = place.open > ends[&place.partition];
            assert!(is_over || place.group != group, "{place:?}");
        }
    }

    /// How often each step was put off before it was decided, in the order of the log.
    async fn attempts(&self) -> Vec<(u32, u32)> {
        let records = logged(&self.store).await;
        let steps = records.iter().filter_map(|record| record.step);
        steps.map(|step| (step.step, step.attempt)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_are_those_of_the_shoppers_own_zone() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.fills_a_cart("bob").await;
        // Noon of UTC is nine in the evening there.
        scene.lives_in("ann", "Asia/Tokyo").await;
        scene.later(31 * MINUTE);
        decided(&scene, 2).await;
        scene.later(HOUR);
        let mut actions = scene.actions("mail").await;
        let action = next(&mut actions).await;
        assert_eq!(action.shopper_id, "bob");
        scene.ack("mail", &action).await;
        nothing(&mut actions).await;
        // Seven in the morning there, and ten in the evening here.
        scene.later(8 * HOUR + 30 * MINUTE);
        assert_eq!(next(&mut actions).await.shopper_id, "ann");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_falls_into_the_night_is_decided_in_the_morning() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.later(9 * HOUR + 50 * MINUTE);
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        nothing(&mut actions).await;
        assert!(logged(&scene.store).await.is_empty());
        scene.later(9 * HOUR);
        assert_eq!(next(&mut actions).await.idempotency_key, "ann/1/0");
        assert_eq!(scene.attempts().await, [(0, 0)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_asked_for_early_waits_for_the_cap() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let mut actions = scene.actions("mail").await;
        scene.is_sent("ann", &mut actions).await;
        scene.happens("ann", EventKind::AddToCart, "2").await;
        let decision = scene.world.decide(commit("ann")).await;
        assert_eq!(decision.idempotency_key, "ann/2/0");
        nothing(&mut actions).await;
        scene.later(24 * HOUR);
        assert_eq!(next(&mut actions).await.idempotency_key, "ann/2/0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_the_shop_told_of_hold_the_next_one_back() {
    let policy = format!("{POLICY}\n[caps]\nmax_messages_7d = 2\n");
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &policy).await;
        let mut actions = scene.actions("mail").await;
        for _ in 0..2 {
            scene.happens("ann", EventKind::MessageSent, "").await;
            scene.later(1_000);
        }
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        nothing(&mut actions).await;
        assert!(logged(&scene.store).await.is_empty());
        scene.later(7 * 24 * HOUR);
        assert_eq!(next(&mut actions).await.idempotency_key, "ann/1/0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_names_channels_skips_the_others_for_good() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        decided(&scene, 1).await;
        let request = pb::StreamActionsRequest {
            group: "texts".to_owned(),
            consumer: "one".to_owned(),
            channels: vec!["sms".to_owned()],
            ..pb::StreamActionsRequest::default()
        };
        let streamed = scene.client().stream_actions(request).await;
        nothing(&mut streamed.unwrap().into_inner()).await;
        scene.owes_nothing_to("texts").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_may_have_arrived_does_not_go_again_at_night() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.later(9 * HOUR);
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        let first = next(&mut actions).await;
        scene.later(HOUR);
        nothing(&mut actions).await;
        scene.later(9 * HOUR);
        let second = next(&mut actions).await;
        assert!(second.again);
        assert_eq!(second.decision_id, first.decision_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_acknowledged_comes_again_after_its_offer_and_its_money_were_forgotten() {
    let without_cap = POLICY.replace("[[cap]]\nwindow = \"24h\"\nmost = 1\n", "");
    let budget =
        "\n[budget]\namount_minor = 900\nperiod = \"month\"\nhold = \"1h\"\npacing = false\n";
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &format!("{without_cap}{budget}")).await;
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        let first = next(&mut actions).await;
        assert!(has_offer(&first));
        scene.later(25 * HOUR);
        let both = [next(&mut actions).await, next(&mut actions).await];
        let again = both.iter().find(|one| one.again).unwrap();
        assert_eq!(again.decision_id, first.decision_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_was_taken_back_goes_to_no_other_group() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        decided(&scene, 1).await;
        scene.later(11 * HOUR);
        let mut actions = scene.actions("mail").await;
        nothing(&mut actions).await;
        drop(actions);
        scene.later(8 * HOUR);
        decided(&scene, 2).await;
        let taken_back = &logged(&scene.store).await[0];
        let mut others = scene.actions("push").await;
        let action = next(&mut others).await;
        assert_ne!(action.decision_id, taken_back.decision_id());
        scene.ack("push", &action).await;
        nothing(&mut others).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsubscription_counts_at_once_and_nothing_is_decided_again() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        scene.fills_a_cart("ann").await;
        scene.fills_a_cart("bob").await;
        scene.later(31 * MINUTE);
        decided(&scene, 2).await;
        scene
            .happens("ann", EventKind::MessageUnsubscribed, "")
            .await;
        let mut actions = scene.actions("mail").await;
        let action = next(&mut actions).await;
        assert_eq!(action.shopper_id, "bob");
        scene.ack("mail", &action).await;
        nothing(&mut actions).await;
        scene.later(3 * HOUR);
        nothing(&mut actions).await;
        assert_eq!(logged(&scene.store).await.len(), 2);
        scene.owes_nothing_to("mail").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_held_until_its_action_is_taken_back_and_then_free_at_once() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &money_for_one("48h")).await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        decided(&scene, 1).await;
        scene.fills_a_cart("bob").await;
        scene.later(20 * MINUTE);
        the_budget_is_looked_at().await;
        scene.later(11 * MINUTE);
        decided(&scene, 2).await;
        scene.happens("ann", EventKind::Purchase, "1").await;
        let mut actions = scene.actions("mail").await;
        let action = next(&mut actions).await;
        assert_eq!(action.shopper_id, "bob");
        assert!(!has_offer(&action), "the money was held for another");
        scene.ack("mail", &action).await;
        nothing(&mut actions).await;
        assert!(has_offer(&scene.is_sent("eve", &mut actions).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_stays_spent_when_its_hold_would_have_ended() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &money_for_one("1h")).await;
        let mut actions = scene.actions("mail").await;
        assert!(has_offer(&scene.is_sent("ann", &mut actions).await));
        scene.later(2 * HOUR);
        assert!(!has_offer(&scene.is_sent("bob", &mut actions).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_waited_longer_than_its_money_was_held_is_decided_again_in_an_hour() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &money_for_one("1h")).await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        decided(&scene, 1).await;
        scene.later(2 * HOUR);
        let mut actions = scene.actions("mail").await;
        nothing(&mut actions).await;
        scene.later(HOUR);
        assert_eq!(next(&mut actions).await.idempotency_key, "ann/1/0");
        assert_eq!(scene.attempts().await, [(0, 0), (0, 1)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_terms_never_hold_is_decided_five_times_again_and_no_more() {
    let policy = money_for_one("1m").replace(
        "[quiet_hours.email]\nfrom = \"22:00\"\nto = \"07:00\"\n",
        "",
    );
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &policy).await;
        scene.fills_a_cart("ann").await;
        scene.later(31 * MINUTE);
        for attempt in 0..6_usize {
            decided(&scene, attempt + 1).await;
            scene.later(2 * MINUTE);
            let mut actions = scene.actions("mail").await;
            nothing(&mut actions).await;
            drop(actions);
            scene.later(HOUR << attempt);
        }
        scene.later(24 * HOUR);
        decided(&scene, 7).await;
        let mut expected: Vec<(u32, u32)> = (0..6).map(|attempt| (0, attempt)).collect();
        expected.push((1, 0));
        assert_eq!(scene.attempts().await, expected);
    }
}

/// A decision about a cart that only the request knows; its answer is the hand-out.
fn own_cart(shopper: &str) -> pb::DecideRequest {
    pb::DecideRequest {
        cart: vec![line("2", 1, 20_000)],
        ..commit(shopper)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_answers_at_once_one_has_the_last_money_and_it_stays_spent() {
    for kept in stores().await {
        let scene = Scene::open(&kept, &money_for_one("1h")).await;
        let shoppers = ["ann", "bob", "eve", "kim"];
        for shopper in shoppers.iter().chain(&["lee"]) {
            scene.consents(shopper, true).await;
        }
        let deciding = shoppers.map(|shopper| scene.world.decide(own_cart(shopper)));
        let answers = futures::future::join_all(deciding).await;
        let offers = answers.iter().filter(|answer| answer.offer.is_some());
        assert_eq!(offers.count(), 1, "{answers:?}");
        let preview = pb::DecideRequest {
            mode: pb::decide_request::Mode::Preview.into(),
            ..own_cart("lee")
        };
        let preview = scene.world.decide(preview).await;
        assert!(preview.offer.is_none(), "{preview:?}");
        scene.later(2 * HOUR);
        the_budget_is_looked_at().await;
        let late = scene.world.decide(own_cart("lee")).await;
        assert!(late.offer.is_none(), "{late:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_holds_another_pays() {
    for kept in stores().await {
        let policy = money_for_one("1h");
        let mut scene = Scene::open(&kept, &policy).await;
        let clock = scene.clock.clone();
        let other = Scene::open_with(&kept, &policy, |setup| setup.clock = clock).await;
        let mut actions = other.actions("mail").await;
        scene.fills_a_cart("ann").await;
        the_budget_is_looked_at().await;
        let answer = scene.world.decide(commit("ann")).await;
        let action = next(&mut actions).await;
        assert_eq!(action.decision_id, answer.decision_id);
        assert!(has_offer(&action));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_spent_another_does_not_promise() {
    for kept in stores().await {
        let policy = money_for_one("1h");
        let scene = Scene::open(&kept, &policy).await;
        let clock = scene.clock.clone();
        let other = Scene::open_with(&kept, &policy, |setup| setup.clock = clock).await;
        scene.consents("ann", true).await;
        scene.consents("bob", true).await;
        the_budget_is_looked_at().await;
        let spends = scene.world.decide(own_cart("ann")).await;
        let late = other.world.decide(own_cart("bob")).await;
        assert!(spends.offer.is_some() && late.offer.is_none(), "{late:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_goes_too_fast_has_its_price_in_the_next_decision() {
    let budget = "\n[budget]\namount_minor = 1_200\nperiod = \"month\"\n";
    for kept in stores().await {
        let scene = Scene::open(&kept, &format!("{POLICY}{budget}")).await;
        for shopper in ["ann", "bob", "eve", "kim"] {
            scene.consents(shopper, true).await;
        }
        for shopper in ["ann", "bob", "eve"] {
            scene.world.decide(own_cart(shopper)).await;
        }
        for _ in 0..3 {
            scene.later(6 * HOUR);
            the_budget_is_looked_at().await;
        }
        scene.world.decide(own_cart("kim")).await;
        let records = logged(&scene.store).await;
        let last = records.iter().find(|record| record.shopper_id == "kim");
        let inputs = Inputs::decode(&last.unwrap().inputs).unwrap();
        assert!(inputs.lambda > 0.0, "{inputs:?}");
    }
}

/// A role for which somebody else is quicker once.
async fn overtaken(kept: &Kept) -> (Scene, Arc<Overtaken>) {
    let overtaken = Overtaken::over(kept.store.store().clone());
    let store = FeatureStore::new(overtaken.clone(), Settings::default());
    let set = |setup: &mut Setup| setup.store = Some(store);
    (Scene::open_with(kept, POLICY, set).await, overtaken)
}

/// Something that ann does at that moment.
fn does(kept: &Kept, kind: EventKind, item: &str, at: Millis) -> impl Future<Output = ()> + use<> {
    let event = Event {
        event_id: "quicker".to_owned(),
        shopper_id: "ann".to_owned(),
        kind,
        item_id: item.to_owned(),
        price_minor: 10_000,
        currency: "EUR".to_owned(),
        occurred_at: at,
        ..Event::default()
    };
    let store = kept.store.clone();
    async move {
        let outcomes = store.ingest(&[event], at).await.unwrap();
        assert_eq!(outcomes, [Outcome::Accepted]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_between_the_check_and_the_commit_of_a_hand_out_keeps_the_action_in() {
    for kept in stores().await {
        let (mut scene, overtaken) = overtaken(&kept).await;
        scene.fills_a_cart("ann").await;
        scene.fills_a_cart("bob").await;
        scene.later(31 * MINUTE);
        decided(&scene, 2).await;
        overtaken.before_a_write_of("ann", does(&kept, EventKind::Purchase, "1", scene.now()));
        let mut actions = scene.actions("mail").await;
        let action = next(&mut actions).await;
        assert_eq!(action.shopper_id, "bob");
        scene.ack("mail", &action).await;
        nothing(&mut actions).await;
        assert!(overtaken.happened());
        let ann = sections(&kept, "ann").await;
        assert!(ann.actions.is_empty() && ann.sends == Person::default().sends);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_cart_changes_before_its_commit_is_not_decided() {
    for kept in stores().await {
        let (mut scene, overtaken) = overtaken(&kept).await;
        scene.fills_a_cart("ann").await;
        let at = Millis(scene.now().0 + 31 * MINUTE);
        overtaken.before_a_write_of("ann", does(&kept, EventKind::AddToCart, "2", at));
        let mut actions = scene.actions("mail").await;
        scene.later(31 * MINUTE);
        nothing(&mut actions).await;
        assert!(overtaken.happened());
        assert!(logged(&scene.store).await.is_empty());
        scene.later(31 * MINUTE);
        assert_eq!(next(&mut actions).await.idempotency_key, "ann/2/0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_a_cart_that_changed_meanwhile_takes_no_step_of_the_new_one() {
    for kept in stores().await {
        let (mut scene, overtaken) = overtaken(&kept).await;
        scene.fills_a_cart("ann").await;
        overtaken.before_a_write_of("ann", does(&kept, EventKind::AddToCart, "2", scene.now()));
        let answer = scene.world.decide(commit("ann")).await;
        assert!(overtaken.happened());
        assert_eq!(
            (answer.cart_version, answer.idempotency_key.as_str()),
            (1, "")
        );
        assert!(scene.attempts().await.is_empty());
    }
}

/// What recovery keeps of somebody.
async fn sections(kept: &Kept, shopper: &str) -> Person {
    let read = kept.store.stored_shoppers(&[shopper]).await.unwrap();
    Person::decode(read[0].shopper.recovery()).unwrap()
}

async fn with_keys(kept: &Kept) -> Scene {
    let tokens = recovery::Tokens {
        keys: Some(Secret::new(format!("1:{}", "01".repeat(32)))),
        ..recovery::Tokens::default()
    };
    Scene::open_with(kept, POLICY, |setup| setup.tokens = tokens).await
}

impl Scene {
    async fn restoring(&self, token: &str) -> Restoring {
        let token = token.to_owned();
        let restore = pb::RestoreCartRequest { token };
        let restored = self.client().restore_cart(restore).await;
        restored.unwrap().into_inner().status()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_links_of_somebody_erased_stand_for_nothing() {
    for kept in stores().await {
        let mut scene = with_keys(&kept).await;
        let mut actions = scene.actions("mail").await;
        let action = scene.is_sent("ann", &mut actions).await;
        let erased = scene.store.erase("ann", scene.now()).await;
        erased.unwrap().unwrap();
        let redeem = pb::RedeemCouponRequest {
            code: action.coupon_code,
            order_id: "o1".to_owned(),
            ..pb::RedeemCouponRequest::default()
        };
        let redeemed = scene.client().redeem_coupon(redeem).await.unwrap();
        assert_eq!(redeemed.into_inner().status(), Redeeming::Invalid);
        let restored = scene.restoring(&action.restore_token).await;
        assert_eq!(restored, Restoring::Invalid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_at_its_moment_although_its_token_tells_the_minute() {
    for kept in stores().await {
        let mut scene = with_keys(&kept).await;
        scene.later(1);
        let mut actions = scene.actions("mail").await;
        let action = scene.is_sent("ann", &mut actions).await;
        scene.later(30 * 24 * HOUR - 1);
        let token = &action.restore_token;
        assert_eq!(scene.restoring(token).await, Restoring::Restored);
        scene.later(1);
        assert_eq!(scene.restoring(token).await, Restoring::Expired);
    }
}

/// More than a stream takes up that nobody reads.
const MANY: usize = 150;

impl Scene {
    /// A stream that takes up little, and holds what it takes for a minute.
    async fn little_by_little(&self, consumer: &str) -> Streaming<pb::Action> {
        let url = format!("http://{}", self.world.running.addr);
        let narrow = Endpoint::from_shared(url)
            .unwrap()
            .initial_stream_window_size(4_096);
        let channel = narrow.connect().await.unwrap();
        let request = pb::StreamActionsRequest {
            group: "mail".to_owned(),
            consumer: consumer.to_owned(),
            lease: Some(prost_types::Duration {
                seconds: 60,
                nanos: 0,
            }),
            ..pb::StreamActionsRequest::default()
        };
        let mut client = RecoveryServiceClient::new(channel);
        let stream = client.stream_actions(request).await;
        stream.unwrap().into_inner()
    }

    /// A reader who stops before the first of many actions.
    async fn is_read_slowly(&mut self) -> Streaming<pb::Action> {
        for number in 0..MANY {
            self.fills_a_cart(&format!("shopper-{number}")).await;
        }
        self.later(31 * MINUTE);
        decided(self, MANY).await;
        let stream = self.little_by_little("slow").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        stream
    }
}

async fn all(actions: &mut Streaming<pb::Action>) -> Vec<pb::Action> {
    let mut all = Vec::new();
    while let Ok(action) = tokio::time::timeout(NOTHING, actions.message()).await {
        all.extend(action.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_anothers_while_it_waited_for_a_slow_reader_does_not_leave() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &POLICY.replace("0.05\nsalt", "0.0\nsalt")).await;
        let mut slow = scene.is_read_slowly().await;
        scene.later(61_000);
        let taken = all(&mut scene.little_by_little("quick").await).await;
        assert_eq!(taken.len(), MANY);
        let left = all(&mut slow).await;
        assert!(left.len() < MANY && left.iter().all(|action| !action.again));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_late_for_a_slow_reader_is_theirs_for_a_while() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, &POLICY.replace("0.05\nsalt", "0.0\nsalt")).await;
        let mut slow = scene.is_read_slowly().await;
        let stopped = kit::timestamp::encode(scene.now().0 + 48 * HOUR);
        scene.later(50_000);
        let left = all(&mut slow).await;
        assert_eq!(left.len(), MANY);
        let late = |action: &&pb::Action| action.offer_ends_at != Some(stopped);
        let late: Vec<&str> = left.iter().filter(late).map(id).collect();
        scene.later(20_000);
        let taken = all(&mut scene.little_by_little("quick").await).await;
        assert!(!late.is_empty() && !taken.is_empty());
        assert!(taken.iter().map(id).all(|one| !late.contains(&one)));
    }
}

fn id(action: &pb::Action) -> &str {
    &action.decision_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_caller_hands_out_counts_as_any_other() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let mut actions = scene.actions("mail").await;
        scene.fills_a_cart("ann").await;
        let own_cart = |request_id: &str| pb::DecideRequest {
            request_id: request_id.to_owned(),
            cart: vec![line("2", 3, 2_000)],
            ..commit("ann")
        };
        let first = scene.world.decide(own_cart("one")).await;
        assert_ne!(first.action(), pb::decision::Action::Nothing);
        let second = scene.world.decide(own_cart("two")).await;
        assert_eq!(second.action(), pb::decision::Action::Nothing);
        let why = second.reasons.join("; ");
        assert!(
            why.contains("the shopper has enough messages for now"),
            "{why}"
        );
        // What was answered stands, and counts once.
        assert_eq!(scene.world.decide(own_cart("one")).await, first);
        scene.later(31 * MINUTE);
        nothing(&mut actions).await;
        scene.later(24 * HOUR - 31 * MINUTE);
        let action = next(&mut actions).await;
        assert_eq!(action.idempotency_key, "ann/1/0");
    }
}
