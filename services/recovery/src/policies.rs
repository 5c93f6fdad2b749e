//! The policies that decisions were made by: kept in the store before the first decision that names
//! one, so that every decision of the log can be made again.

use std::collections::BTreeSet;
use std::sync::Arc;

use feature_store::FeatureStore;
use kit::{Live, Problem};
use policy::Policy;

use crate::commit::unavailable;
use crate::record::hex;

/// Those that this process knows to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    kept: Arc<Live<BTreeSet<[u8; 32]>>>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            kept: Arc::new(Live::new(BTreeSet::new())),
        }
    }
}

impl Policies {
    /// Sees to it that the policy is kept. One write in the life of a process and a
    /// policy, seldom two: of two that are noted at the same time one may be forgotten.
    pub(crate) async fn keep(&self, store: &FeatureStore, policy: &Policy) -> Result<(), Problem> {
        let id = policy.id();
        if self.kept.guard().contains(&id) {
            return Ok(());
        }
        let text = policy.text().to_owned().into();
        let kept = store.keep_policy(&hex(&id), text).await;
        kept.map_err(|error| unavailable("the policies", &error))?;
        let mut known = BTreeSet::clone(&self.kept.guard());
        known.insert(id);
        self.kept.store(Arc::new(known));
        Ok(())
    }
}

/// The policy of that id.
pub(crate) async fn find(store: &FeatureStore, id: &[u8]) -> Result<Option<Policy>, Problem> {
    let text = store.policy(&hex(id)).await;
    let text = text.map_err(|error| unavailable("the policies", &error))?;
    let text = text.and_then(|text| String::from_utf8(text.into()).ok());
    Ok(text.and_then(|text| Policy::parse(&text).ok()))
}
