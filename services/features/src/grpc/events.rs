//! `EventService`.

use std::pin::Pin;
use std::time::{Duration, Instant};

use feature_store::{Millis, Outcome};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use kit::undecodable;
use proto::v1 as pb;
use proto::v1::event_service_server::EventService;
use tonic::{Request, Response, Status, Streaming};

use super::Context;
use crate::batch::{Answered, Batch};
use crate::convert::event;
use crate::error::status;
use crate::metrics::Times;

/// Requests of one stream that are worked on at a time; beyond that it is not read.
const IN_WORK: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Events(pub(super) Context);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl EventService for Events {
    async fn push_events(
        &self,
        request: Request<pb::PushEventsRequest>,
    ) -> Result<Response<pb::PushEventsResponse>, Status> {
        let results = self.push(request.into_inner().events).await?;
        Ok(Response::new(pb::PushEventsResponse { results }))
    }

    type StreamEventsStream = Answers<pb::StreamEventsResponse>;

    async fn stream_events(
        &self,
        request: Request<Streaming<pb::StreamEventsRequest>>,
    ) -> Result<Response<Self::StreamEventsStream>, Status> {
        let events = self.clone();
        // After a shutdown began nothing more is read; what was read is still answered.
        let stop = self.0.shutdown.clone().cancelled_owned();
        let answers = request
            .into_inner()
            .map_err(undecodable::refusal)
            .take_until(stop)
            .map_ok(move |request| {
                let events = events.clone();
                async move { events.answer(request).await }
            })
            .try_buffered(IN_WORK);
        Ok(Response::new(Box::pin(answers)))
    }
}

impl Events {
    async fn answer(
        &self,
        request: pb::StreamEventsRequest,
    ) -> Result<pb::StreamEventsResponse, Status> {
        let results = self.push(request.events).await?;
        Ok(pb::StreamEventsResponse {
            sequence: request.sequence,
            results,
        })
    }

    async fn push(&self, events: Vec<pb::Event>) -> Result<Vec<pb::EventResult>, Status> {
        event::check_batch(&events)?;
        let batch = Batch::decode(events);
        let (started, accepted_at) = (Instant::now(), self.0.now());
        let answered = batch
            .ingest(&self.0.store, accepted_at)
            .await
            .map_err(status)?;
        self.count(&answered, accepted_at, started.elapsed());
        let outcomes = answered.into_iter().map(|one| one.outcome);
        Ok(outcomes.map(event::encode_result).collect())
    }

    fn count(&self, answered: &[Answered], accepted_at: Millis, commit: Duration) {
        let readable_at = self.0.now();
        for one in answered {
            self.0.metrics.count(&one.outcome);
            if let (Outcome::Accepted, Some(occurred_at)) = (&one.outcome, one.occurred_at) {
                self.0.metrics.accepted(&Times {
                    occurred_at,
                    accepted_at,
                    readable_at,
                    commit,
                });
            }
        }
    }
}
