//! A shopper's recent items, read from `features`.

use std::time::Duration;

use kit::client::PeerChannel;
use kit::{Deadline, MAX_MESSAGE_BYTES, Problem, timestamp};
use proto::v1 as pb;
use proto::v1::feature_service_client::FeatureServiceClient;
use retrieval::Recent;
use tonic::{Code, Request, Status};

use crate::convert;

/// By how much two timers set to the same deadline may differ.
const TIMER_SLACK: Duration = Duration::from_millis(10);

/// Asks `features`, where there is one.
#[derive(Clone, Debug)]
pub(crate) struct Shoppers(Option<FeatureServiceClient<PeerChannel>>);

impl Shoppers {
    pub(crate) fn new(channel: Option<PeerChannel>) -> Self {
        Self(channel.map(|channel| {
            FeatureServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES)
        }))
    }

    /// What the shopper dealt with lately, as of `now_ms`. Nothing for an unknown shopper.
    pub(crate) async fn recent(
        &self,
        shopper_id: &str,
        now_ms: i64,
        deadline: Deadline,
    ) -> Result<Vec<Recent>, Problem> {
        let Some(mut client) = self.0.clone() else {
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
        let answer = deadline.bound(client.get_features(request)).await;
        let answer = answer
            .ok_or_else(too_late)?
            .map_err(|status| problem(&status, deadline))?;
        let rows = answer.into_inner().rows;
        let recent = rows
            .into_iter()
            .next()
            .map(|row| row.recent_items)
            .unwrap_or_default();
        Ok(convert::recent_of_shopper(recent, now_ms))
    }
}

fn too_late() -> Problem {
    Problem::Deadline("the time ran out while features was asked".to_owned())
}

/// What a failure of `features` means to our caller. A timer of either end that runs out cancels.
fn problem(status: &Status, deadline: Deadline) -> Problem {
    let cancelled = status.code() == Code::Cancelled && deadline.remaining() < TIMER_SLACK;
    if status.code() == Code::DeadlineExceeded || cancelled || deadline.expired() {
        return too_late();
    }
    Problem::Unavailable(format!("features did not answer: {}", status.message()))
}
