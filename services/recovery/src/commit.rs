//! COMMIT: a decision is written once per request id, and answered from the log ever after.

use std::fmt::Display;

use feature_store::{DecisionCommit, FeatureStore};
use kit::Problem;
use prost::Message as _;
use proto::v1 as pb;

use crate::record::{Record, decision_id, fingerprint};
use crate::request::Request;

/// The decision log.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    store: FeatureStore,
}

impl Ledger {
    pub(crate) fn new(store: FeatureStore) -> Self {
        Self { store }
    }

    /// `redis` or `embedded`.
    pub(crate) fn store_name(&self) -> &'static str {
        self.store.store().name()
    }

    /// Whether the store is known not to answer.
    pub(crate) fn is_away(&self) -> bool {
        self.store.store().is_away()
    }

    /// The answer given before to this request id, when there was one.
    pub(crate) async fn find(&self, request: &Request) -> Result<Option<pb::Decision>, Problem> {
        let id = decision_id(&request.shopper_id, &request.request_id);
        let stored = self.store.decision(&request.shopper_id, &id).await;
        stored
            .map_err(|error| unavailable(&error))?
            .map(|bytes| answer_again(request, &bytes))
            .transpose()
    }

    /// Writes the record unless one with this request id came first; answers what is in the log.
    pub(crate) async fn keep(
        &self,
        request: &Request,
        record: &Record,
    ) -> Result<pb::Decision, Problem> {
        let id = decision_id(&request.shopper_id, &request.request_id);
        let bytes = record.encode_to_vec().into();
        let outcome = self
            .store
            .commit_decision(&request.shopper_id, &id, bytes)
            .await;
        match outcome.map_err(|error| unavailable(&error))? {
            DecisionCommit::Stored => decode(&record.decision),
            DecisionCommit::Existing(bytes) => answer_again(request, &bytes),
        }
    }
}

fn answer_again(request: &Request, bytes: &[u8]) -> Result<pb::Decision, Problem> {
    let record = Record::decode(bytes).map_err(damaged)?;
    if record.fingerprint == fingerprint(request) {
        decode(&record.decision)
    } else {
        Err(Problem::Conflict(format!(
            "request_id {:?} was committed for another request",
            request.request_id
        )))
    }
}

fn decode(decision: &[u8]) -> Result<pb::Decision, Problem> {
    pb::Decision::decode(decision).map_err(damaged)
}

fn damaged(error: impl Display) -> Problem {
    Problem::Internal(format!("the logged decision cannot be read: {error}"))
}

fn unavailable(error: &feature_store::store::Error) -> Problem {
    use feature_store::store::Error;
    match error {
        Error::Unavailable { .. } => Problem::Unavailable(format!("the decision log: {error}")),
        Error::Corrupt { .. } => Problem::Internal(format!("the decision log: {error}")),
    }
}
