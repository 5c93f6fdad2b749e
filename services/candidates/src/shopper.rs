//! A shopper's recent items, read from `features`.

use kit::breaker::{Breaker, Trouble};
use kit::client::PeerChannel;
use kit::{Deadline, MAX_MESSAGE_BYTES, Problem, timestamp};
use proto::v1 as pb;
use proto::v1::feature_service_client::FeatureServiceClient;
use retrieval::Recent;
use tonic::{Code, Request};

use crate::convert;

/// Asks `features`, where there is one.
#[derive(Clone, Debug)]
pub(crate) struct Shoppers {
    client: Option<FeatureServiceClient<PeerChannel>>,
    breaker: Breaker,
}

impl Shoppers {
    pub(crate) fn new(channel: Option<PeerChannel>, breaker: Breaker) -> Self {
        let client = channel.map(|channel| {
            FeatureServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES)
        });
        Self { client, breaker }
    }

    /// What the shopper dealt with lately, as of `now_ms`. Nothing for an unknown shopper.
    pub(crate) async fn recent(
        &self,
        shopper_id: &str,
        now_ms: i64,
        deadline: Deadline,
    ) -> Result<Vec<Recent>, Problem> {
        let Some(mut client) = self.client.clone() else {
            let said = "this server has no features url, so it cannot look up a shopper; give recent_items";
            return Err(Problem::Precondition(said.to_owned()));
        };
        let mut request = Request::new(pb::GetFeaturesRequest {
            entities: vec![pb::Entity {
                id: Some(pb::entity::Id::ShopperId(shopper_id.to_owned())),
            }],
            features: Vec::new(),
            now: Some(timestamp::encode(now_ms)),
            include: vec![pb::Include::RecentItems.into()],
        });
        deadline.apply(&mut request);
        let call = client.get_features(request);
        let answer = self.breaker.ask(deadline, call).await;
        let rows = answer.map_err(problem)?.rows;
        let recent = rows
            .into_iter()
            .next()
            .map(|row| row.recent_items)
            .unwrap_or_default();
        Ok(convert::recent_of_shopper(recent, now_ms))
    }
}

/// What a failure of `features` means to our caller.
fn problem(trouble: Trouble) -> Problem {
    match trouble {
        Trouble::Late(_) | Trouble::Unaffordable { .. } => {
            Problem::Deadline("the time ran out while features was asked".to_owned())
        }
        Trouble::Open(away) => {
            let seconds = away.as_secs_f64();
            Problem::Unavailable(format!(
                "features has not answered for {seconds:.1} s and is not asked; give recent_items"
            ))
        }
        Trouble::Answered(status) => {
            let said = format!("features did not answer: {}", status.message());
            if status.code() == Code::ResourceExhausted {
                Problem::Overloaded(said)
            } else {
                Problem::Unavailable(said)
            }
        }
    }
}
