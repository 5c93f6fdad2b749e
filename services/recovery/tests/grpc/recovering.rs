//! The loop around one person: left, decided, handed out, acknowledged; on both stores.

use std::sync::Arc;
use std::time::Duration;

use feature_store::{
    ConsentRecord, Event, EventKind, FeatureStore, Millis, Outcome, ProfileUpdate,
};
use kit::Clock;
use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::commit::{Kept, stores};
use crate::peers::Peers;
use crate::world::{NOW_MS, Setup, World, healthy, proposals};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for many sweeps and polls to pass without what must not come.
const NOTHING: Duration = Duration::from_millis(700);

/// Always worth sending; the coupon is worth most, and its cost needs the budget.
const POLICY: &str = r#"
version = "loop"
[[cap]]
window = "24h"
most = 1
[quiet_hours]
zones = ["UTC"]
[quiet_hours.email]
from = "22:00"
to = "07:00"
[holdout]
share = 0.05
salt = "loop"
[[arm]]
name = "reminder"
action = "reminder"
recovery = 0.2
[[arm]]
name = "coupon"
action = "percent_coupon"
percent_off = 0.05
max_discount_minor = 300
valid_for = "48h"
recovery = 0.9
"#;

struct Scene {
    world: World,
    store: FeatureStore,
    clock: Clock,
    events: i64,
}

/// The features role, over the store of the test.
fn features_of(store: &FeatureStore) -> Peers {
    let store = store.clone();
    let answer = move |request: pb::GetFeaturesRequest| {
        let store = store.clone();
        let reading = async move { rows(&store, &request).await };
        let runtime = tokio::runtime::Handle::current();
        Ok(tokio::task::block_in_place(|| runtime.block_on(reading)))
    };
    Peers {
        features: Arc::new(answer),
        candidates: Arc::new(|_| Ok(proposals(&["8", "9"]))),
        ..healthy()
    }
}

async fn rows(store: &FeatureStore, request: &pb::GetFeaturesRequest) -> pb::GetFeaturesResponse {
    let now = Millis(kit::timestamp::decode(request.now.as_ref().unwrap()).unwrap());
    let mut rows = Vec::new();
    for entity in &request.entities {
        let Some(pb::entity::Id::ShopperId(id)) = &entity.id else {
            panic!("only shoppers are asked for");
        };
        let view = store.shoppers(&[id], now).await.unwrap().remove(0);
        let view = view.unwrap_or_default();
        let line = |line: &feature_store::CartLine| pb::CartLine {
            item_id: line.item_id.clone(),
            quantity: line.quantity,
            price_minor: line.price_minor,
            currency: line.currency.clone(),
            ..pb::CartLine::default()
        };
        rows.push(pb::FeatureRow {
            entity: Some(entity.clone()),
            values: request
                .features
                .iter()
                .map(|_| pb::FeatureValue::default())
                .collect(),
            cart: Some(pb::Cart {
                lines: view.cart.lines.iter().map(line).collect(),
                version: view.cart.version,
                ..pb::Cart::default()
            }),
            profile: Some(pb::ProfileSummary {
                consented_channels: view
                    .consented_channels()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                messages_7d: view.messages_7d(),
                ..pb::ProfileSummary::default()
            }),
            ..pb::FeatureRow::default()
        });
    }
    pb::GetFeaturesResponse {
        rows,
        ..pb::GetFeaturesResponse::default()
    }
}

impl Scene {
    /// Noon of 1 January 2026, UTC.
    async fn open(kept: &Kept, policy: &str) -> Self {
        let clock = Clock::frozen(NOW_MS + 12 * HOUR);
        let setup = Setup {
            peers: Some(features_of(&kept.store)),
            store: Some(kept.store.clone()),
            policy: Some(policy.to_owned()),
            clock: clock.clone(),
            ..Setup::default()
        };
        Self {
            world: setup.start().await,
            store: kept.store.clone(),
            clock,
            events: 0,
        }
    }

    fn now(&self) -> Millis {
        Millis(self.clock.now_ms())
    }

    fn later(&self, ms: i64) {
        self.clock.advance_to(self.clock.now_ms() + ms);
    }

    async fn happens(&mut self, shopper: &str, kind: EventKind, item: &str) {
        self.events += 1;
        let event = Event {
            event_id: format!("e{}", self.events),
            shopper_id: shopper.to_owned(),
            kind,
            item_id: item.to_owned(),
            price_minor: if item.is_empty() { 0 } else { 10_000 },
            currency: if item.is_empty() { "" } else { "EUR" }.to_owned(),
            occurred_at: self.now(),
            ..Event::default()
        };
        let outcomes = self.store.ingest(&[event], self.now()).await.unwrap();
        assert_eq!(outcomes, [Outcome::Accepted]);
    }

    async fn consents(&self, shopper: &str, granted: bool) {
        let profile = ProfileUpdate {
            time_zone: Some("UTC".to_owned()),
            jurisdiction: Some("DE".to_owned()),
            ..ProfileUpdate::default()
        };
        self.store
            .set_profile(shopper, profile)
            .await
            .unwrap()
            .unwrap();
        let record = ConsentRecord {
            purpose: "marketing".to_owned(),
            channel: "email".to_owned(),
            granted,
            wording: "v1".to_owned(),
            at: self.now(),
            jurisdiction: String::new(),
        };
        self.store
            .set_consent(shopper, vec![record])
            .await
            .unwrap()
            .unwrap();
    }

    /// Somebody who agreed and has something in the cart.
    async fn fills_a_cart(&mut self, shopper: &str) {
        self.consents(shopper, true).await;
        self.happens(shopper, EventKind::AddToCart, "1").await;
    }

    async fn actions(&self, group: &str) -> Streaming<pb::Action> {
        let request = pb::StreamActionsRequest {
            group: group.to_owned(),
            consumer: "one".to_owned(),
            lease: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            channels: Vec::new(),
        };
        let mut client = self.client();
        client.stream_actions(request).await.unwrap().into_inner()
    }

    fn client(&self) -> RecoveryServiceClient<Channel> {
        self.world.client.clone()
    }

    async fn ack(&self, group: &str, action: &pb::Action) {
        let request = pb::AckActionsRequest {
            group: group.to_owned(),
            ack_ids: vec![action.ack_id.clone()],
        };
        self.client().ack_actions(request).await.unwrap();
    }
}

async fn next(actions: &mut Streaming<pb::Action>) -> pb::Action {
    let next = timeout(PATIENCE, actions.message()).await;
    next.expect("an action comes").unwrap().unwrap()
}

async fn nothing(actions: &mut Streaming<pb::Action>) {
    let next = timeout(NOTHING, actions.message()).await;
    assert!(next.is_err(), "{next:?}");
}

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

/// Waits until so many decisions are in the log.
async fn decided(scene: &Scene, count: usize) {
    for _ in 0..400 {
        if crate::commit::logged(&scene.store).await.len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{count} decisions were not made");
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
