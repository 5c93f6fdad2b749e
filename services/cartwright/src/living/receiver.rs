//! Takes actions from whoever hands them out, in the way of a system that sends messages.

use std::time::Duration;

use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;

use super::Arrival;
use crate::remote::{self, Access, Channel};

const GROUP: &str = "mail";
/// Acknowledgements that are sent together.
const ACKS: usize = 64;
/// The wait before the next server is asked.
const WAIT: Duration = Duration::from_millis(50);
/// Without an action for so long, what is not acknowledged yet is.
const QUIET: Duration = Duration::from_millis(50);
/// A stream that says nothing for so long is left: its server may hang.
const SILENCE: Duration = Duration::from_secs(10);

/// Who receives.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) name: String,
    pub(crate) lease: Duration,
    /// Servers, asked one after the other when the one before is gone.
    pub(crate) urls: Vec<String>,
    /// One in so many is never acknowledged the first time, so that it comes again; 0 for none.
    pub(crate) forgets: u32,
}

impl Receiver {
    /// Receives for ever. `keep` has to make an arrival safe: it is acknowledged after that.
    pub(crate) async fn run(
        &self,
        mut keep: impl FnMut(Arrival) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut count = 0;
        loop {
            for url in &self.urls {
                if let Ok(channel) = remote::connect(url, &Access::default()).await {
                    self.read(channel, &mut keep, &mut count).await?;
                }
                tokio::time::sleep(WAIT).await;
            }
        }
    }

    /// Reads until the server goes; fails only where an arrival cannot be kept.
    async fn read(
        &self,
        channel: Channel,
        keep: &mut impl FnMut(Arrival) -> anyhow::Result<()>,
        count: &mut u32,
    ) -> anyhow::Result<()> {
        let mut client = RecoveryServiceClient::new(channel);
        let request = pb::StreamActionsRequest {
            group: GROUP.to_owned(),
            consumer: self.name.clone(),
            lease: prost_types::Duration::try_from(self.lease).ok(),
            channels: vec!["email".to_owned()],
        };
        let Ok(actions) = client.stream_actions(request).await else {
            return Ok(());
        };
        let mut actions = actions.into_inner();
        let mut acks = Acks::default();
        let mut silent = Duration::ZERO;
        while silent < SILENCE {
            let Ok(next) = tokio::time::timeout(QUIET, actions.message()).await else {
                silent += QUIET;
                if self.acknowledge(&mut client, &mut acks).await.is_err() {
                    return Ok(());
                }
                continue;
            };
            let Ok(Some(action)) = next else {
                return Ok(());
            };
            silent = Duration::ZERO;
            *count += 1;
            keep(Arrival::of(&action))?;
            let forgets = self.forgets > 0 && count.is_multiple_of(self.forgets);
            acks.add(action, forgets);
            if acks.reports.len() >= ACKS && self.acknowledge(&mut client, &mut acks).await.is_err()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells that they were sent, and then that they need not come again.
    async fn acknowledge(
        &self,
        client: &mut RecoveryServiceClient<Channel>,
        acks: &mut Acks,
    ) -> Result<(), tonic::Status> {
        let Acks { ids, reports } = std::mem::take(acks);
        if !reports.is_empty() {
            let request = pb::ReportOutcomesRequest { reports };
            client.report_outcomes(request).await?;
        }
        if !ids.is_empty() {
            let request = pb::AckActionsRequest {
                group: GROUP.to_owned(),
                ack_ids: ids,
            };
            client.ack_actions(request).await?;
        }
        Ok(())
    }
}

/// What is to be said of actions that are kept.
#[derive(Debug, Default)]
struct Acks {
    ids: Vec<String>,
    reports: Vec<pb::OutcomeReport>,
}

impl Acks {
    fn add(&mut self, action: pb::Action, forgets: bool) {
        self.reports.push(pb::OutcomeReport {
            shopper_id: action.shopper_id,
            decision_id: action.decision_id,
            kind: pb::outcome_report::Kind::Sent.into(),
            occurred_at: action.handed_out_at,
            ..pb::OutcomeReport::default()
        });
        if action.again || !forgets {
            self.ids.push(action.ack_id);
        }
    }
}
