//! A server that answers every role's calls, quickly or in a mood.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proto::v1 as pb;
use proto::v1::candidate_service_server::{CandidateService, CandidateServiceServer};
use proto::v1::catalog_service_server::{CatalogService, CatalogServiceServer};
use proto::v1::event_service_server::{EventService, EventServiceServer};
use proto::v1::feature_service_server::{FeatureService, FeatureServiceServer};
use proto::v1::recovery_service_server::{RecoveryService, RecoveryServiceServer};
use proto::v1::shopper_service_server::{ShopperService, ShopperServiceServer};
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Quick,
    /// Answers nothing in the first 100 ms of every second.
    Stalls,
    ShowsTheCart,
    Degraded,
    Refuses,
    /// Decides after half a minute.
    Hangs,
    /// Decides one at a time, 200 a second at most.
    Narrow,
    /// Each answer is wrong in a way of its method's own.
    Wrong,
    /// Names another generation from the 51st decision on.
    Swaps,
    /// Decides after 3 ms and says what its time went to, when asked.
    Timed,
    /// Degraded and slow while the file of `Shop::switch` exists.
    Switched,
}

/// The item that every stored cart holds.
const CARTED: &str = "load-item-0";

#[derive(Clone, Debug)]
struct Answers {
    mood: Mood,
    started: Instant,
    recent: Arc<Mutex<Vec<pb::Event>>>,
    decided: Arc<Mutex<Vec<String>>>,
    traced: Arc<Mutex<Vec<String>>>,
    switch: Arc<std::path::PathBuf>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Runs until dropped.
#[derive(Debug)]
pub(crate) struct Shop {
    address: std::net::SocketAddr,
    answers: Answers,
    _runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Shop {
    pub(crate) fn start(mood: Mood) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let answers = Answers {
            mood,
            started: Instant::now(),
            recent: Arc::default(),
            decided: Arc::default(),
            traced: Arc::default(),
            switch: Arc::new(folder.path().join("switch")),
            turn: Arc::default(),
        };
        let bind = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = runtime.block_on(bind).unwrap();
        let address = listener.local_addr().unwrap();
        // Without it an answer waits for the acknowledgement of the one before.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let (_, health) = tonic_health::server::health_reporter();
        let server = tonic::transport::Server::builder()
            .add_service(health)
            .add_service(CandidateServiceServer::new(answers.clone()))
            .add_service(CatalogServiceServer::new(answers.clone()))
            .add_service(EventServiceServer::new(answers.clone()))
            .add_service(FeatureServiceServer::new(answers.clone()))
            .add_service(RecoveryServiceServer::new(answers.clone()))
            .add_service(ShopperServiceServer::new(answers.clone()));
        runtime.spawn(server.serve_with_incoming(incoming));
        Self {
            address,
            answers,
            _runtime: runtime,
            _folder: folder,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Shoppers decided for, in the order asked.
    pub(crate) fn decided(&self) -> Vec<String> {
        self.answers.decided.lock().unwrap().clone()
    }
}

impl Shop {
    /// A file that switches a switched server.
    pub(crate) fn switch(&self) -> &std::path::Path {
        &self.answers.switch
    }

    /// Events pushed so far.
    pub(crate) fn events(&self) -> Vec<pb::Event> {
        self.answers.recent.lock().unwrap().clone()
    }

    /// The headers of the traces of decisions whose time was asked for.
    pub(crate) fn traced(&self) -> Vec<String> {
        self.answers.traced.lock().unwrap().clone()
    }
}

fn none<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not in this test"))
}

impl Answers {
    async fn stall(&self) {
        let into = self.started.elapsed().as_micros() % 1_000_000;
        if self.mood == Mood::Stalls && into < 100_000 {
            let left = 100_000 - u64::try_from(into).unwrap();
            tokio::time::sleep(Duration::from_micros(left)).await;
        }
    }

    /// What a decision meets before it is made.
    async fn behave(&self) -> Result<(), Status> {
        match self.mood {
            Mood::Refuses => return Err(Status::resource_exhausted("try later")),
            Mood::Hangs => tokio::time::sleep(Duration::from_secs(30)).await,
            Mood::Narrow => {
                let _turn = self.turn.lock().await;
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
            Mood::Timed => tokio::time::sleep(Duration::from_millis(3)).await,
            Mood::Switched if self.switch.exists() => {
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            Mood::Quick
            | Mood::Stalls
            | Mood::ShowsTheCart
            | Mood::Degraded
            | Mood::Wrong
            | Mood::Swaps
            | Mood::Switched => {}
        }
        Ok(())
    }

    fn recent(&self, shopper: Option<&pb::Entity>) -> Vec<pb::RecentItem> {
        let Some(pb::entity::Id::ShopperId(shopper)) = shopper.and_then(|e| e.id.as_ref()) else {
            return Vec::new();
        };
        let events = self.recent.lock().unwrap();
        let own = events.iter().filter(|e| e.shopper_id == *shopper);
        own.map(|event| pb::RecentItem {
            item_id: event.item_id.clone(),
            event_type: 1,
            occurred_at: event.occurred_at,
        })
        .collect()
    }
}

#[tonic::async_trait]
impl FeatureService for Answers {
    async fn get_features(
        &self,
        request: Request<pb::GetFeaturesRequest>,
    ) -> Result<Response<pb::GetFeaturesResponse>, Status> {
        self.stall().await;
        let request = request.into_inner();
        // Only the carts read back before the run name no features.
        let status = if self.mood == Mood::Wrong {
            pb::feature_value::Status::NotFound
        } else {
            pb::feature_value::Status::Present
        };
        let value = pb::FeatureValue {
            status: status.into(),
            ..pb::FeatureValue::default()
        };
        let line = pb::CartLine {
            item_id: CARTED.into(),
            ..pb::CartLine::default()
        };
        let rows = request.entities.into_iter().map(|entity| pb::FeatureRow {
            values: vec![value.clone(); request.features.len()],
            cart: Some(pb::Cart {
                lines: vec![line.clone()],
                ..pb::Cart::default()
            }),
            recent_items: self.recent(Some(&entity)),
            entity: Some(entity),
            profile: None,
        });
        Ok(Response::new(pb::GetFeaturesResponse {
            rows: rows.collect(),
            ..pb::GetFeaturesResponse::default()
        }))
    }

    async fn get_cart(
        &self,
        _: Request<pb::GetCartRequest>,
    ) -> Result<Response<pb::GetCartResponse>, Status> {
        none()
    }
}

#[tonic::async_trait]
impl EventService for Answers {
    async fn push_events(
        &self,
        request: Request<pb::PushEventsRequest>,
    ) -> Result<Response<pb::PushEventsResponse>, Status> {
        let events = request.into_inner().events;
        let status = if self.mood == Mood::Wrong {
            pb::event_result::Status::Duplicate
        } else {
            pb::event_result::Status::Accepted
        };
        let accepted = pb::EventResult {
            status: status.into(),
            ..pb::EventResult::default()
        };
        let results = vec![accepted; events.len()];
        self.recent.lock().unwrap().extend(events);
        Ok(Response::new(pb::PushEventsResponse { results }))
    }

    type StreamEventsStream = tokio_stream::Empty<Result<pb::StreamEventsResponse, Status>>;

    async fn stream_events(
        &self,
        _: Request<Streaming<pb::StreamEventsRequest>>,
    ) -> Result<Response<Self::StreamEventsStream>, Status> {
        none()
    }
}

#[tonic::async_trait]
impl CandidateService for Answers {
    async fn retrieve(
        &self,
        request: Request<pb::RetrieveRequest>,
    ) -> Result<Response<pb::RetrieveResponse>, Status> {
        let less = u32::from(self.mood == Mood::Wrong);
        let candidates = (0..request.into_inner().k - less).map(|n| pb::Candidate {
            item_id: format!("candidate-{n}"),
            ..pb::Candidate::default()
        });
        Ok(Response::new(pb::RetrieveResponse {
            candidates: candidates.collect(),
            generation: "g1".into(),
            ..pb::RetrieveResponse::default()
        }))
    }

    async fn similar_items(
        &self,
        _: Request<pb::SimilarItemsRequest>,
    ) -> Result<Response<pb::RetrieveResponse>, Status> {
        none()
    }
}

#[tonic::async_trait]
impl RecoveryService for Answers {
    type StreamActionsStream = tokio_stream::Empty<Result<pb::Action, Status>>;

    async fn stream_actions(
        &self,
        _: Request<pb::StreamActionsRequest>,
    ) -> Result<Response<Self::StreamActionsStream>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn ack_actions(
        &self,
        _: Request<pb::AckActionsRequest>,
    ) -> Result<Response<pb::AckActionsResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn dismiss(
        &self,
        _: Request<pb::DismissRequest>,
    ) -> Result<Response<pb::DismissResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn upsert_campaign(
        &self,
        _: Request<pb::UpsertCampaignRequest>,
    ) -> Result<Response<pb::UpsertCampaignResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn get_campaign(
        &self,
        _: Request<pb::GetCampaignRequest>,
    ) -> Result<Response<pb::CampaignState>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn list_campaigns(
        &self,
        _: Request<pb::ListCampaignsRequest>,
    ) -> Result<Response<pb::ListCampaignsResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn redeem_coupon(
        &self,
        _: Request<pb::RedeemCouponRequest>,
    ) -> Result<Response<pb::RedeemCouponResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn restore_cart(
        &self,
        _: Request<pb::RestoreCartRequest>,
    ) -> Result<Response<pb::RestoreCartResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn list_dead_letters(
        &self,
        _: Request<pb::ListDeadLettersRequest>,
    ) -> Result<Response<pb::ListDeadLettersResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn redrive_dead_letters(
        &self,
        _: Request<pb::RedriveDeadLettersRequest>,
    ) -> Result<Response<pb::RedriveDeadLettersResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn get_decision(
        &self,
        _: Request<pb::GetDecisionRequest>,
    ) -> Result<Response<pb::GetDecisionResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn report_outcomes(
        &self,
        _: Request<pb::ReportOutcomesRequest>,
    ) -> Result<Response<pb::ReportOutcomesResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn decide(
        &self,
        request: Request<pb::DecideRequest>,
    ) -> Result<Response<pb::Decision>, Status> {
        let asked = request.metadata().clone();
        let request = request.into_inner();
        self.decided
            .lock()
            .unwrap()
            .push(request.shopper_id.clone());
        self.behave().await?;
        let shows_the_cart = matches!(self.mood, Mood::ShowsTheCart | Mood::Wrong);
        let shown = pb::ShownItem {
            item_id: if shows_the_cart {
                CARTED
            } else {
                "candidate-1"
            }
            .into(),
            ..pb::ShownItem::default()
        };
        let switched = self.mood == Mood::Switched && self.switch.exists();
        let degraded =
            (self.mood == Mood::Degraded || switched).then(|| "rank: no ranker".to_owned());
        let later = self.decided.lock().unwrap().len() > 50;
        let generation = if self.mood == Mood::Swaps && later {
            "g2"
        } else {
            "g1"
        };
        let mut response = Response::new(pb::Decision {
            decision_id: request.request_id,
            shopper_id: request.shopper_id,
            action: pb::decision::Action::Reminder.into(),
            items: vec![shown],
            propensity: 1.0,
            degraded: degraded.into_iter().collect(),
            generation: generation.into(),
            ..pb::Decision::default()
        });
        if self.mood == Mood::Timed && asked.get("cartwright-timing").is_some() {
            let traced = asked.get("traceparent").unwrap().to_str().unwrap();
            self.traced.lock().unwrap().push(traced.to_owned());
            let timing = "features;dur=1.5, rank;dur=1".parse().unwrap();
            response.metadata_mut().insert("server-timing", timing);
        }
        Ok(response)
    }

    async fn rank(
        &self,
        request: Request<pb::RankRequest>,
    ) -> Result<Response<pb::RankResponse>, Status> {
        let mut item_ids = request.into_inner().item_ids;
        if self.mood == Mood::Wrong {
            item_ids.pop();
        }
        let items = item_ids.into_iter().map(|item_id| pb::RankedItem {
            item_id,
            score: 1.0,
        });
        Ok(Response::new(pb::RankResponse {
            items: items.collect(),
            generation: "g1".into(),
            ..pb::RankResponse::default()
        }))
    }

    async fn decide_batch(
        &self,
        _: Request<pb::DecideBatchRequest>,
    ) -> Result<Response<pb::DecideBatchResponse>, Status> {
        none()
    }
}

#[tonic::async_trait]
impl CatalogService for Answers {
    async fn upsert_items(
        &self,
        request: Request<pb::UpsertItemsRequest>,
    ) -> Result<Response<pb::UpsertItemsResponse>, Status> {
        let ok = pb::ItemResult {
            status: pb::item_result::Status::Ok.into(),
            ..pb::ItemResult::default()
        };
        let results = vec![ok; request.into_inner().items.len()];
        Ok(Response::new(pb::UpsertItemsResponse { results }))
    }

    async fn set_availability(
        &self,
        _: Request<pb::SetAvailabilityRequest>,
    ) -> Result<Response<pb::SetAvailabilityResponse>, Status> {
        none()
    }

    async fn get_items(
        &self,
        _: Request<pb::GetItemsRequest>,
    ) -> Result<Response<pb::GetItemsResponse>, Status> {
        none()
    }

    type StreamItemUpdatesStream = tokio_stream::Empty<Result<pb::ItemUpdates, Status>>;

    async fn stream_item_updates(
        &self,
        _: Request<pb::StreamItemUpdatesRequest>,
    ) -> Result<Response<Self::StreamItemUpdatesStream>, Status> {
        none()
    }
}

#[tonic::async_trait]
impl ShopperService for Answers {
    async fn set_profile(
        &self,
        _: Request<pb::SetProfileRequest>,
    ) -> Result<Response<pb::SetProfileResponse>, Status> {
        Ok(Response::new(pb::SetProfileResponse {}))
    }

    async fn set_consent(
        &self,
        _: Request<pb::SetConsentRequest>,
    ) -> Result<Response<pb::SetConsentResponse>, Status> {
        Ok(Response::new(pb::SetConsentResponse {}))
    }

    async fn link_identity(
        &self,
        _: Request<pb::LinkIdentityRequest>,
    ) -> Result<Response<pb::LinkIdentityResponse>, Status> {
        none()
    }

    async fn unlink_identity(
        &self,
        _: Request<pb::UnlinkIdentityRequest>,
    ) -> Result<Response<pb::UnlinkIdentityResponse>, Status> {
        none()
    }

    type ExportShopperStream = tokio_stream::Empty<Result<pb::ExportedRecord, Status>>;

    async fn export_shopper(
        &self,
        _: Request<pb::ExportShopperRequest>,
    ) -> Result<Response<Self::ExportShopperStream>, Status> {
        none()
    }

    async fn erase_shopper(
        &self,
        _: Request<pb::EraseShopperRequest>,
    ) -> Result<Response<pb::EraseShopperResponse>, Status> {
        none()
    }

    async fn get_profile(
        &self,
        _: Request<pb::GetProfileRequest>,
    ) -> Result<Response<pb::GetProfileResponse>, Status> {
        none()
    }
}
