//! A batch of events: the good ones go to the store, the bad ones come back with a reason.

use feature_store::{Event, FeatureStore, Millis, Outcome, Rejection, store};
use proto::v1 as pb;

use crate::convert::event;

/// Decoded events, in the order of the request.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Where each event of the request went: refused here, or the next one of `events`.
    refused: Vec<Option<Rejection>>,
    events: Vec<Event>,
}

/// What became of one event.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) outcome: Outcome,
    /// None where the event could not be read.
    pub(crate) occurred_at: Option<Millis>,
}

impl Batch {
    pub(crate) fn decode(events: Vec<pb::Event>) -> Self {
        let mut batch = Self {
            refused: Vec::with_capacity(events.len()),
            events: Vec::new(),
        };
        for event in events {
            match event::decode(event) {
                Ok(event) => {
                    batch.events.push(event);
                    batch.refused.push(None);
                }
                Err(rejection) => batch.refused.push(Some(rejection)),
            }
        }
        batch
    }

    /// Takes the batch in; one answer per event of the request.
    pub(crate) async fn ingest(
        self,
        store: &FeatureStore,
        now: Millis,
    ) -> Result<Vec<Answered>, store::Error> {
        let outcomes = store.ingest(&self.events, now).await?;
        let mut answered = outcomes.into_iter().zip(self.events);
        Ok(self
            .refused
            .into_iter()
            .filter_map(|refused| match refused {
                Some(rejection) => Some(Answered {
                    outcome: Outcome::Rejected(rejection),
                    occurred_at: None,
                }),
                None => answered.next().map(|(outcome, event)| Answered {
                    outcome,
                    occurred_at: Some(event.occurred_at),
                }),
            })
            .collect())
    }
}
