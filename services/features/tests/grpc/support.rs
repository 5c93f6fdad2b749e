//! Starting a server, and the requests that tests start from.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _};
use feature_store::FeatureStore;
use features::{Config, Running};
use kit::{CancellationToken, Clock};
use prost_types::Timestamp;
use proto::v1::catalog_service_client::CatalogServiceClient;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::feature_service_client::FeatureServiceClient;
use proto::v1::shopper_service_client::ShopperServiceClient;
use proto::v1::{self as pb, event::Type};
use tempfile::TempDir;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

/// 2019-10-01 00:00 UTC.
pub(crate) const NOW_S: i64 = 1_569_888_000;

pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) channel: Channel,
    pub(crate) clock: Clock,
    pub(crate) store: FeatureStore,
    pub(crate) shutdown: CancellationToken,
    _data: TempDir,
}

/// A server whose clock stands at [`NOW_S`].
pub(crate) async fn server() -> Server {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        addr: "127.0.0.1:0".parse().unwrap(),
        admin: Some("127.0.0.1:0".parse().unwrap()),
        data: data.path().join("store"),
        drain: kit::config::Period::seconds(5),
        ..Config::default()
    };
    let clock = Clock::frozen(NOW_S * 1_000);
    let shutdown = CancellationToken::new();
    let store = features::open_store(&config).await.unwrap();
    let running = features::run(config, store.clone(), clock.clone(), shutdown.clone())
        .await
        .unwrap();
    let channel = Endpoint::from_shared(format!("http://{}", running.addr))
        .unwrap()
        .connect()
        .await
        .unwrap();
    Server {
        running,
        channel,
        clock,
        store,
        shutdown,
        _data: data,
    }
}

impl Server {
    pub(crate) fn events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel.clone()).max_encoding_message_size(usize::MAX)
    }

    pub(crate) fn features(&self) -> FeatureServiceClient<Channel> {
        FeatureServiceClient::new(self.channel.clone())
    }

    pub(crate) fn shoppers(&self) -> ShopperServiceClient<Channel> {
        ShopperServiceClient::new(self.channel.clone())
    }

    pub(crate) fn catalog(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn push(&self, events: Vec<pb::Event>) -> Vec<pb::EventResult> {
        let request = pb::PushEventsRequest { events };
        self.events()
            .push_events(request)
            .await
            .unwrap()
            .into_inner()
            .results
    }

    pub(crate) async fn cart(&self, shopper: &str) -> pb::Cart {
        let request = pb::GetCartRequest {
            shopper_id: shopper.to_owned(),
            now: None,
        };
        self.features()
            .get_cart(request)
            .await
            .unwrap()
            .into_inner()
            .cart
            .unwrap()
    }

    /// Stops the server and says how long that took.
    pub(crate) async fn stop(self) -> Duration {
        let started = std::time::Instant::now();
        self.shutdown.cancel();
        self.running.wait().await.unwrap();
        started.elapsed()
    }

    /// Calls a method with bytes that need not be a message.
    pub(crate) async fn raw(&self, method: &'static str, body: Vec<u8>) -> Result<Vec<u8>, Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client
            .ready()
            .await
            .map_err(|error| Status::unknown(error.to_string()))?;
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(method);
        client
            .unary(Request::new(body), path, RawCodec)
            .await
            .map(Response::into_inner)
    }
}

/// An add to cart, now.
pub(crate) fn event(id: &str, shopper: &str, item: &str) -> pb::Event {
    pb::Event {
        event_id: id.to_owned(),
        shopper_id: shopper.to_owned(),
        r#type: Type::AddToCart.into(),
        item_id: item.to_owned(),
        quantity: 1,
        price_minor: 1_999,
        currency: "USD".to_owned(),
        occurred_at: Some(Timestamp {
            seconds: NOW_S - 60,
            nanos: 0,
        }),
        category: "electronics.smartphone".to_owned(),
        brand: "acme".to_owned(),
        ..pb::Event::default()
    }
}

pub(crate) fn shopper(id: &str) -> pb::Entity {
    pb::Entity {
        id: Some(pb::entity::Id::ShopperId(id.to_owned())),
    }
}

pub(crate) fn item(id: &str) -> pb::Entity {
    pb::Entity {
        id: Some(pb::entity::Id::ItemId(id.to_owned())),
    }
}

/// The fields that a refusal names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let violations = status
        .get_details_bad_request()
        .map(|details| details.field_violations);
    violations
        .unwrap_or_default()
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

/// Passes bytes through as they are.
#[derive(Clone, Copy)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}
