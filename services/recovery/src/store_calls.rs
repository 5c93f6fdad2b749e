//! Tells the metrics how calls to the store go.

use std::time::Duration;

use feature_store::store::{Call, Error, Observer};
use kit::metrics::StoreMetrics;

/// Counts the calls of this role.
#[derive(Debug)]
pub(crate) struct StoreCalls(pub(crate) StoreMetrics);

impl Observer for StoreCalls {
    fn called(&self, call: Call, took: Duration, error: Option<&Error>) {
        self.0.called(call.as_str(), took, error.map(Error::kind));
    }

    fn conflicted(&self, commits: usize) {
        self.0.conflicted(commits);
    }
}
