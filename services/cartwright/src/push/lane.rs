//! One lane: a batch after the other, again while the server is away.

use std::time::Duration;

use proto::v1 as pb;
use proto::v1::event_result::Status as Outcome;
use proto::v1::event_service_client::EventServiceClient;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::{Code, Status};

use super::{LANES, News, Numbered, Refusal, Settings, Totals};
use crate::failure::Failure;
use crate::remote::{self, Channel};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Sends one batch after the other.
#[derive(Debug)]
pub(super) struct Lane {
    client: EventServiceClient<Channel>,
    say: mpsc::Sender<News>,
    patience: Duration,
    pace: Option<Pace>,
}

impl Lane {
    pub(super) fn new(channel: Channel, settings: &Settings, say: mpsc::Sender<News>) -> Self {
        Self {
            client: EventServiceClient::new(channel),
            say,
            patience: settings.patience,
            pace: settings.rate.map(Pace::new),
        }
    }

    /// Sends until there is nothing more to send.
    pub(super) async fn run(
        mut self,
        mut batches: mpsc::Receiver<Vec<Numbered>>,
    ) -> anyhow::Result<()> {
        while let Some(batch) = batches.recv().await {
            if let Some(pace) = &mut self.pace {
                pace.wait_for(batch.len()).await;
            }
            let (lines, events): (Vec<u64>, Vec<pb::Event>) = batch
                .into_iter()
                .map(|numbered| (numbered.line, numbered.event))
                .unzip();
            let request = pb::PushEventsRequest { events };
            let results = self.send(&request).await?;
            self.tell(&lines, &request.events, &results).await;
        }
        Ok(())
    }

    /// Pushing again is harmless, so a server that is away is asked again, ever less often.
    async fn send(
        &mut self,
        request: &pb::PushEventsRequest,
    ) -> anyhow::Result<Vec<pb::EventResult>> {
        let give_up = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.client.push_events(request.clone()).await {
                Ok(response) => return complete(response.into_inner(), request.events.len()),
                Err(status) if is_away(&status) && Instant::now() + pause < give_up => {
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                Err(status) => return Err(remote::refused("push events", &status)),
            }
        }
    }

    async fn tell(&self, lines: &[u64], events: &[pb::Event], results: &[pb::EventResult]) {
        let mut totals = Totals::default();
        for ((line, event), result) in lines.iter().zip(events).zip(results) {
            totals.pushed += 1;
            match result.status() {
                Outcome::Accepted => totals.accepted += 1,
                Outcome::Duplicate => totals.duplicate += 1,
                Outcome::Rejected | Outcome::Unspecified => {
                    totals.rejected += 1;
                    let reason = result.reason.clone();
                    let refusal = Refusal {
                        line: *line,
                        reason,
                        raw: event.event_id.clone(),
                    };
                    drop(self.say.send(News::Refused(refusal)).await);
                }
            }
        }
        drop(self.say.send(News::Answered(totals)).await);
    }
}

fn complete(
    response: pb::PushEventsResponse,
    events: usize,
) -> anyhow::Result<Vec<pb::EventResult>> {
    if response.results.len() == events {
        return Ok(response.results);
    }
    let got = response.results.len();
    Err(Failure::new(format!(
        "the server answered {got} results for {events} events"
    ))
    .into())
}

/// A connection that breaks in the middle of a request says UNKNOWN or CANCELLED.
fn is_away(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled
    )
}

/// Holds a lane to its share of the rate.
#[derive(Debug)]
struct Pace {
    each: Duration,
    next: Instant,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        let lanes = u32::try_from(LANES).unwrap_or(u32::MAX);
        let each = Duration::from_secs(1) * lanes / per_second.max(1);
        Self {
            each,
            next: Instant::now(),
        }
    }

    async fn wait_for(&mut self, events: usize) {
        sleep_until(self.next).await;
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        self.next = self.next.max(Instant::now()) + self.each.saturating_mul(events);
    }
}
