//! What any tonic server would do at least: the answer is there already. A header names how much is
//! done: `empty` answers nothing, `same` the answer of the real role, `read` reads the values from
//! Redis as well.

use std::collections::HashMap;
use std::sync::Arc;

use kit::Live;
use prost::Message as _;
use proto::v1 as pb;
use proto::v1::feature_service_client::FeatureServiceClient;
use proto::v1::feature_service_server::{FeatureService, FeatureServiceServer};
use redis::aio::MultiplexedConnection;
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};

/// The header that names how much is to be done.
pub(crate) const WANTED: &str = "wanted";

type Answers = HashMap<Vec<pb::Entity>, Arc<pb::GetFeaturesResponse>>;

struct Echo {
    answers: Live<Answers>,
    upstream: FeatureServiceClient<Channel>,
    redis: Reads,
}

#[tonic::async_trait]
impl FeatureService for Echo {
    async fn get_features(
        &self,
        request: Request<pb::GetFeaturesRequest>,
    ) -> Result<Response<pb::GetFeaturesResponse>, Status> {
        let wanted = wanted(request.metadata()).to_owned();
        let request = request.into_inner();
        if wanted == "empty" {
            return Ok(Response::new(pb::GetFeaturesResponse::default()));
        }
        if wanted == "read" {
            self.redis.read(&request.entities).await;
        }
        let answer = match self.answers.load().get(&request.entities) {
            Some(known) => known.clone(),
            None => self.learn(request).await?,
        };
        Ok(Response::new(pb::GetFeaturesResponse::clone(&answer)))
    }

    async fn get_cart(
        &self,
        _: Request<pb::GetCartRequest>,
    ) -> Result<Response<pb::GetCartResponse>, Status> {
        Err(Status::unimplemented("an echo of GetFeatures"))
    }
}

fn wanted(metadata: &MetadataMap) -> &str {
    let value = metadata.get(WANTED);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or("same")
}

impl Echo {
    async fn learn(
        &self,
        request: pb::GetFeaturesRequest,
    ) -> Result<Arc<pb::GetFeaturesResponse>, Status> {
        let entities = request.entities.clone();
        let answer = self.upstream.clone().get_features(request).await?;
        let answer = Arc::new(answer.into_inner());
        let mut answers = Answers::clone(&self.answers.load());
        answers.insert(entities, answer.clone());
        self.answers.store(Arc::new(answers));
        Ok(answer)
    }
}

/// Raw reads of shoppers' values, pipelined.
#[derive(Clone)]
pub(crate) struct Reads {
    connection: MultiplexedConnection,
    keys: Arc<HashMap<String, String>>,
}

impl Reads {
    /// Finds the keys of all shoppers.
    pub(crate) async fn open(url: &str) -> Self {
        let client = redis::Client::open(url).expect("a url");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("connects");
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg("*:s:shopper-*")
            .query_async(&mut connection)
            .await
            .expect("lists");
        let named = keys.into_iter().filter_map(|key| {
            let id = key.rsplit(':').next()?.to_owned();
            Some((id, key))
        });
        Self {
            connection,
            keys: Arc::new(named.collect()),
        }
    }

    /// A hash for each shopper, with what was answered under the features' names.
    pub(crate) async fn lay_out(
        &self,
        question: &pb::GetFeaturesRequest,
        answer: &pb::GetFeaturesResponse,
    ) {
        let mut pipeline = redis::Pipeline::with_capacity(question.entities.len());
        for (entity, row) in question.entities.iter().zip(&answer.rows) {
            let hash = pipeline.cmd("HSET").arg(hash_of(entity));
            for (name, value) in question.features.iter().zip(&row.values) {
                hash.arg(name).arg(value.encode_to_vec());
            }
        }
        let mut connection = self.connection.clone();
        let written: redis::RedisResult<()> = pipeline.query_async(&mut connection).await;
        written.expect("writes");
    }

    pub(crate) async fn read_features(&self, question: &pb::GetFeaturesRequest) {
        let mut pipeline = redis::Pipeline::with_capacity(question.entities.len());
        for entity in &question.entities {
            let fields = &question.features;
            pipeline.cmd("HMGET").arg(hash_of(entity)).arg(fields);
        }
        let mut connection = self.connection.clone();
        let rows: Vec<Vec<Vec<u8>>> = pipeline.query_async(&mut connection).await.expect("reads");
        let expected = question.entities.len() * question.features.len();
        assert_eq!(rows.iter().map(Vec::len).sum::<usize>(), expected);
        std::hint::black_box(rows);
    }

    pub(crate) async fn read(&self, entities: &[pb::Entity]) {
        let mut pipeline = redis::Pipeline::with_capacity(entities.len());
        for entity in entities {
            if let Some(pb::entity::Id::ShopperId(id)) = &entity.id
                && let Some(key) = self.keys.get(id)
            {
                pipeline.cmd("GET").arg(key);
            }
        }
        let mut connection = self.connection.clone();
        let values: Vec<Vec<u8>> = pipeline.query_async(&mut connection).await.expect("reads");
        assert_eq!(values.len(), entities.len(), "every shopper has a value");
        std::hint::black_box(values);
    }
}

fn hash_of(entity: &pb::Entity) -> String {
    match &entity.id {
        Some(pb::entity::Id::ShopperId(id)) => format!("features:{id}"),
        _ => String::new(),
    }
}

/// Serves until it is killed.
pub(crate) fn serve(redis: &str, upstream: String) {
    crate::runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let addr = listener.local_addr().expect("is bound");
        let upstream = FeatureServiceClient::connect(upstream).await;
        let echo = Echo {
            answers: Live::new(Answers::new()),
            upstream: upstream.expect("connects"),
            redis: Reads::open(redis).await,
        };
        println!("http://{addr}");
        Server::builder()
            .add_service(FeatureServiceServer::new(echo))
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
            .await
            .expect("serves");
    });
}
