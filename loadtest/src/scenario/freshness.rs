//! `freshness`: pushes an event and reads until it can be seen.

use std::sync::Arc;

use jiff::Timestamp;
use proto::v1 as pb;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::feature_service_client::FeatureServiceClient;
use tokio::time::Instant;
use tonic::Status;

use super::{Shop, events, failed, plain};
use crate::check;
use crate::measured::{Answer, Failure};
use crate::prepare;
use crate::random::Random;
use crate::targets::{Pool, Role};

#[derive(Debug)]
pub(crate) struct Freshness {
    shop: Arc<Shop>,
    pool: Pool,
}

const OPERATION: &str = "PushEvents until GetFeatures";

impl Freshness {
    pub(super) fn new(shop: &Arc<Shop>) -> anyhow::Result<Self> {
        Ok(Self {
            shop: Arc::clone(shop),
            pool: shop.targets.need(Role::Features)?,
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        let Some(event) = self.event(request, Timestamp::now()) else {
            return plain(
                OPERATION,
                Err(Failure::wrong("population", "it has no item")),
            );
        };
        match self.until_readable(request, event).await {
            Ok(checked) => plain(OPERATION, checked),
            Err(status) => failed(OPERATION, &status),
        }
    }

    fn event(&self, request: u64, now: Timestamp) -> Option<pb::Event> {
        let mut random = Random::of(self.shop.seed, request);
        let item = self.shop.population.item(&mut random)?;
        let id = format!("{}-{request}", self.shop.run);
        let visitor = events::visitor(&self.shop.run, request);
        Some(prepare::event(
            &visitor,
            &id,
            pb::event::Type::View,
            item,
            now,
        ))
    }

    async fn until_readable(
        &self,
        request: u64,
        event: pb::Event,
    ) -> Result<Result<(), Failure>, Status> {
        let give_up = Instant::now() + self.shop.timeout;
        let asked = pb::PushEventsRequest {
            events: vec![event.clone()],
        };
        let mut events = EventServiceClient::new(self.pool.pick(request));
        let pushed = events
            .push_events(self.shop.request(request, asked))
            .await?;
        if let Err(failure) = check::events(1, pushed.get_ref()) {
            return Ok(Err(failure));
        }
        while Instant::now() < give_up {
            if self.readable(request, &event).await? {
                return Ok(Ok(()));
            }
        }
        Ok(Err(Failure::wrong(
            "freshness",
            "the event cannot be read within the timeout",
        )))
    }

    async fn readable(&self, request: u64, event: &pb::Event) -> Result<bool, Status> {
        let asked = pb::GetFeaturesRequest {
            entities: vec![prepare::entity(&event.shopper_id)],
            include: vec![pb::Include::RecentItems.into()],
            ..pb::GetFeaturesRequest::default()
        };
        // Another connection than the event's, as a reader's would be.
        let mut features = FeatureServiceClient::new(self.pool.pick(request.wrapping_add(1)));
        let answer = features
            .get_features(self.shop.request(request, asked))
            .await?;
        let rows = answer.into_inner().rows;
        let mut recent = rows.iter().flat_map(|row| &row.recent_items);
        // A later event of the same visitor and item may have taken its place.
        Ok(recent.any(|seen| {
            seen.item_id == event.item_id && millis(seen.occurred_at) >= millis(event.occurred_at)
        }))
    }
}

fn millis(at: Option<prost_types::Timestamp>) -> i64 {
    at.map_or(i64::MIN, |at| {
        at.seconds * 1_000 + i64::from(at.nanos / 1_000_000)
    })
}
