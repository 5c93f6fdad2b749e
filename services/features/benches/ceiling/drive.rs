//! The client: always as many requests in flight, on two connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proto::v1 as pb;
use proto::v1::feature_service_client::FeatureServiceClient;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::Plan;
use crate::echo::{Reads, WANTED};
use crate::shop::Shop;

const CONNECTIONS: usize = 2;
/// Different requests; each shopper is asked about in turn.
const QUESTIONS: usize = 100;

/// What is measured, from the least work to the most.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Pipelined reads of the values that hold all of a shopper, without gRPC, as many at a time.
    Raw,
    /// Pipelined reads of the features themselves, as a store keeps them that computes them when they
    /// are written: a hash for each shopper, a field for each feature.
    RawFeatures,
    Empty,
    Echo,
    EchoAndRead,
    GetFeatures,
}

impl Target {
    pub(crate) const ALL: [Self; 6] = [
        Self::Raw,
        Self::RawFeatures,
        Self::Empty,
        Self::Echo,
        Self::EchoAndRead,
        Self::GetFeatures,
    ];

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Raw => "raw GET of each shopper, no gRPC",
            Self::RawFeatures => "raw HMGET of the features",
            Self::Empty => "empty gRPC answer",
            Self::Echo => "echo of the same answer",
            Self::EchoAndRead => "echo and raw reads",
            Self::GetFeatures => "GetFeatures",
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::EchoAndRead => "read",
            Self::Raw | Self::RawFeatures | Self::Echo | Self::GetFeatures => "same",
        }
    }
}

/// Requests a second, by round and target.
pub(crate) type Windows = Vec<[f64; Target::ALL.len()]>;

pub(crate) struct Driver {
    questions: Arc<Vec<pb::GetFeaturesRequest>>,
    in_flight: usize,
    window: Duration,
    rounds: u32,
}

impl Driver {
    pub(crate) fn new(shop: &Shop, entities: usize, plan: &Plan) -> Self {
        let names = feature_names();
        let mut shoppers = shop.shoppers.iter().cycle();
        let question = |_| pb::GetFeaturesRequest {
            entities: shoppers
                .by_ref()
                .take(entities)
                .map(|id| entity(id))
                .collect(),
            features: names.clone(),
            ..pb::GetFeaturesRequest::default()
        };
        Self {
            questions: Arc::new((0..QUESTIONS).map(question).collect()),
            in_flight: usize::try_from(plan.in_flight).expect("is small"),
            window: plan.window,
            rounds: plan.rounds,
        }
    }

    /// Windows of all targets, forwards and backwards in turn, after one that warms up.
    pub(crate) async fn run(
        &self,
        [features, echo]: [&str; 2],
        redis: &str,
    ) -> Result<Windows, Status> {
        let (features, echo) = (clients(features).await, clients(echo).await);
        let reads = Reads::open(redis).await;
        self.lay_out(&mut features[0].clone(), &reads).await?;
        let mut windows = Windows::new();
        for round in 0..=self.rounds {
            let mut rates = [0.0; Target::ALL.len()];
            let mut order = Target::ALL;
            if round % 2 == 1 {
                order.reverse();
            }
            for target in order {
                let clients = if target == Target::GetFeatures {
                    &features
                } else {
                    &echo
                };
                rates[target as usize] = self.window(target, clients, &reads).await?;
            }
            if round > 0 {
                windows.push(rates);
            }
        }
        Ok(windows)
    }

    /// Writes the features of all shoppers of the questions, to be read one by one.
    async fn lay_out(
        &self,
        features: &mut FeatureServiceClient<Channel>,
        reads: &Reads,
    ) -> Result<(), Status> {
        for question in self.questions.iter() {
            let answer = features.get_features(question.clone()).await?;
            reads.lay_out(question, answer.get_ref()).await;
        }
        Ok(())
    }

    async fn window(
        &self,
        target: Target,
        clients: &[FeatureServiceClient<Channel>],
        reads: &Reads,
    ) -> Result<f64, Status> {
        let over = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let lanes: Vec<_> = (0..self.in_flight)
            .map(|lane| {
                let (over, next) = (over.clone(), next.clone());
                let questions = self.questions.clone();
                let mut client = clients[lane % clients.len()].clone();
                let reads = reads.clone();
                tokio::spawn(async move {
                    let mut done = 0_u32;
                    while !over.load(Ordering::Relaxed) {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let question = &questions[at % questions.len()];
                        match target {
                            Target::Raw => reads.read(&question.entities).await,
                            Target::RawFeatures => reads.read_features(question).await,
                            Target::Empty
                            | Target::Echo
                            | Target::EchoAndRead
                            | Target::GetFeatures => ask(&mut client, target, question).await?,
                        }
                        done += 1;
                    }
                    Ok::<u32, Status>(done)
                })
            })
            .collect();
        tokio::time::sleep(self.window).await;
        over.store(true, Ordering::Relaxed);
        let mut done = 0;
        for lane in lanes {
            done += lane.await.expect("ends")?;
        }
        Ok(f64::from(done) / started.elapsed().as_secs_f64())
    }
}

async fn ask(
    client: &mut FeatureServiceClient<Channel>,
    target: Target,
    question: &pb::GetFeaturesRequest,
) -> Result<(), Status> {
    let mut request = Request::new(question.clone());
    let wanted = MetadataValue::from_static(target.wanted());
    request.metadata_mut().insert(WANTED, wanted);
    let answer = client.get_features(request).await?;
    let rows = &answer.get_ref().rows;
    let values: usize = rows.iter().map(|row| row.values.len()).sum();
    let expected = question.entities.len() * question.features.len();
    assert!(
        values == expected || target == Target::Empty,
        "{values} values"
    );
    Ok(())
}

async fn clients(url: &str) -> Vec<FeatureServiceClient<Channel>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = FeatureServiceClient::connect(url.to_owned()).await;
        clients.push(client.expect("connects"));
    }
    clients
}

fn entity(id: &str) -> pb::Entity {
    pb::Entity {
        id: Some(pb::entity::Id::ShopperId(id.to_owned())),
    }
}

/// 25 counts, and one of each other way in which a feature is computed.
fn feature_names() -> Vec<String> {
    let kinds = [
        "view",
        "add_to_cart",
        "remove_from_cart",
        "checkout_start",
        "purchase",
    ];
    let windows = ["5m", "1h", "24h", "7d", "30d"];
    let counts = kinds
        .iter()
        .flat_map(|kind| windows.map(|window| format!("shopper.{kind}_count_{window}")));
    counts
        .chain(OTHERS.map(|name| format!("shopper.{name}")))
        .collect()
}

const OTHERS: [&str; 25] = [
    "cart_value_minor",
    "cart_currency",
    "cart_line_count",
    "cart_units",
    "cart_max_price_minor",
    "cart_items",
    "cart_version",
    "cart_age_s",
    "cart_idle_s",
    "idle_s",
    "add_to_cart_interval_count",
    "add_to_cart_interval_mean_s",
    "add_to_cart_interval_last_s",
    "session_event_count",
    "session_age_s",
    "top_category",
    "top_category_share",
    "top_categories",
    "top_brand",
    "top_price_band",
    "recent_items",
    "spent_30d_minor",
    "purchase_tendency",
    "is_new",
    "consented_channels",
];
