//! Resolved lists of features, so that the same list is resolved once.

use std::collections::HashMap;
use std::sync::Arc;

use feature_store::{Plan, Registry, UnknownFeature};
use kit::Live;

/// Callers use a handful of lists; more than this means that somebody makes them up.
const KEPT: usize = 64;

/// Plans by the names asked for. A hit costs one hash of the names.
#[derive(Debug)]
pub(crate) struct Plans(Live<HashMap<Vec<String>, Arc<Plan>>>);

impl Plans {
    pub(crate) fn new() -> Self {
        Self(Live::new(HashMap::new()))
    }

    pub(crate) fn resolve(&self, names: &[String]) -> Result<Arc<Plan>, UnknownFeature> {
        let known = self.0.load();
        if let Some(plan) = known.get(names) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(Registry::standard().plan(names)?);
        let mut next = if known.len() < KEPT {
            HashMap::clone(&known)
        } else {
            HashMap::new()
        };
        next.insert(names.to_vec(), plan.clone());
        self.0.store(Arc::new(next));
        Ok(plan)
    }
}
