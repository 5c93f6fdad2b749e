//! A shop in which carts are left: the role over a store, events, and a clock that the test turns.

use std::sync::Arc;
use std::time::Duration;

use feature_store::{
    ConsentRecord, Event, EventKind, FeatureStore, Millis, Outcome, ProfileUpdate,
};
use kit::Clock;
use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::commit::Kept;
use crate::peers::Peers;
use crate::world::{NOW_MS, Setup, World, healthy, proposals};

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for many sweeps and polls to pass without what must not come.
pub(crate) const NOTHING: Duration = Duration::from_millis(700);

/// Always worth sending; the coupon is worth most, and its cost needs the budget.
pub(crate) const POLICY: &str = r#"
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

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) store: FeatureStore,
    pub(crate) clock: Clock,
    pub(crate) events: i64,
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
            item_id: line.item_id.to_string(),
            quantity: line.quantity,
            price_minor: line.price_minor,
            currency: line.currency.to_string(),
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
    pub(crate) async fn open(kept: &Kept, policy: &str) -> Self {
        Self::open_with(kept, policy, |_| {}).await
    }

    pub(crate) async fn open_with(kept: &Kept, policy: &str, set: impl FnOnce(&mut Setup)) -> Self {
        let clock = Clock::frozen(NOW_MS + 12 * HOUR);
        let mut setup = Setup {
            peers: Some(features_of(&kept.store)),
            store: Some(kept.store.clone()),
            policy: Some(policy.to_owned()),
            clock: clock.clone(),
            ..Setup::default()
        };
        set(&mut setup);
        Self {
            world: setup.start().await,
            store: kept.store.clone(),
            clock,
            events: 0,
        }
    }

    /// Ends the role, as a new one is to take over.
    pub(crate) async fn close(self) {
        self.world.running.stop();
        self.world.running.wait().await.unwrap();
    }

    pub(crate) fn now(&self) -> Millis {
        Millis(self.clock.now_ms())
    }

    pub(crate) fn later(&self, ms: i64) {
        self.clock.advance_to(self.clock.now_ms() + ms);
    }

    pub(crate) async fn happens(&mut self, shopper: &str, kind: EventKind, item: &str) {
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

    pub(crate) async fn consents(&self, shopper: &str, granted: bool) {
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
    pub(crate) async fn fills_a_cart(&mut self, shopper: &str) {
        self.consents(shopper, true).await;
        self.happens(shopper, EventKind::AddToCart, "1").await;
    }

    pub(crate) async fn actions(&self, group: &str) -> Streaming<pb::Action> {
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

    pub(crate) fn client(&self) -> RecoveryServiceClient<Channel> {
        self.world.client.clone()
    }

    pub(crate) async fn ack(&self, group: &str, action: &pb::Action) {
        let request = pb::AckActionsRequest {
            group: group.to_owned(),
            ack_ids: vec![action.ack_id.clone()],
        };
        self.client().ack_actions(request).await.unwrap();
    }
}

pub(crate) async fn next(actions: &mut Streaming<pb::Action>) -> pb::Action {
    let next = timeout(PATIENCE, actions.message()).await;
    next.expect("an action comes").unwrap().unwrap()
}

pub(crate) async fn nothing(actions: &mut Streaming<pb::Action>) {
    let next = timeout(NOTHING, actions.message()).await;
    assert!(next.is_err(), "{next:?}");
}

/// Waits until so many decisions are in the log.
pub(crate) async fn decided(scene: &Scene, count: usize) {
    for _ in 0..400 {
        if crate::commit::logged(&scene.store).await.len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{count} decisions were not made");
}
