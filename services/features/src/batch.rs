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

    /// Takes the batch in; one outcome per event of the request.
    pub(crate) async fn ingest(
        self,
        store: &FeatureStore,
        now: Millis,
    ) -> Result<Vec<Outcome>, store::Error> {
        let mut outcomes = store.ingest(&self.events, now).await?.into_iter();
        Ok(self
            .refused
            .into_iter()
            .filter_map(|refused| match refused {
                Some(rejection) => Some(Outcome::Rejected(rejection)),
                None => outcomes.next(),
            })
            .collect())
    }
}
