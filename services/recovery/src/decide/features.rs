//! The features stage: one call for all that is known of the shoppers.

use std::time::Duration;

use kit::Deadline;
use kit::breaker::Breaker;
use kit::client::PeerChannel;
use proto::v1::feature_service_client::FeatureServiceClient;

use super::miss::Miss;
use crate::convert;
use crate::shopper::Shopper;

/// Asks the features role.
#[derive(Clone, Debug)]
pub(crate) struct FeaturesClient {
    client: FeatureServiceClient<PeerChannel>,
    breaker: Breaker,
}

impl FeaturesClient {
    pub(crate) fn new(channel: PeerChannel, breaker: Breaker) -> Self {
        let client = FeatureServiceClient::new(channel);
        Self {
            client: client.max_decoding_message_size(kit::MAX_MESSAGE_BYTES),
            breaker,
        }
    }

    /// How long to wait for the role; `longest` on a calm day.
    pub(crate) fn patience(&self, longest: Duration) -> Duration {
        self.breaker.patience(longest)
    }

    /// One shopper each, in the order asked, as of `now_ms`. At most 256.
    pub(crate) async fn read(
        &self,
        shoppers: &[&str],
        names: &[String],
        now_ms: i64,
        deadline: Deadline,
    ) -> Result<Vec<Shopper>, Miss> {
        let message = convert::features_request(shoppers, names, now_ms);
        let mut request = tonic::Request::new(message);
        deadline.apply(&mut request);
        let mut client = self.client.clone();
        let call = client.get_features(request);
        let answer = self.breaker.ask(deadline, call).await?;
        if answer.rows.len() == shoppers.len() {
            Ok(answer.rows.into_iter().map(convert::shopper).collect())
        } else {
            let (rows, asked) = (answer.rows.len(), shoppers.len());
            Err(Miss::Odd(format!("{rows} rows for {asked} shoppers")))
        }
    }
}
