//! What the decision log says in the end: what was decided twice, and what was lost.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Context as _;
use feature_store::FeatureStore;
use feature_store::store::{Log, LogEntry};
use proto::v1 as pb;
use recovery::record::Record;

use super::check::Truth;

/// Steps of a cart that nobody bought and nobody said no to.
const STEPS: u32 = 3;

/// The newest attempt of a step, and the key of its message; empty without one.
#[derive(Clone, Debug)]
struct Step {
    attempt: u32,
    key: String,
}

/// All decisions about one shopper.
#[derive(Clone, Debug, Default)]
struct Decided {
    /// By cart version and step.
    steps: BTreeMap<(u64, u32), Step>,
}

/// The decision log.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    pub(super) count: usize,
    /// (shopper, cart version, step, attempt) that were decided more than once.
    pub(super) double: usize,
    shoppers: HashMap<String, Decided>,
}

impl Decisions {
    pub(super) async fn read(store: &FeatureStore) -> anyhow::Result<Self> {
        let mut all = Self::default();
        let mut take = |_, entry: &LogEntry| {
            let record = <Record as prost::Message>::decode(entry.value.as_ref());
            all.add(&record.context("read the decision log")?)
        };
        let unseen = &mut |_, _| {};
        store.read_log(Log::Decisions, &mut take, unseen).await?;
        Ok(all)
    }

    fn add(&mut self, record: &Record) -> anyhow::Result<()> {
        self.count += 1;
        let Some(step) = record.step else {
            return Ok(());
        };
        let decision = <pb::Decision as prost::Message>::decode(record.decision.as_slice())?;
        let decided = self.shoppers.entry(record.shopper_id.clone()).or_default();
        let found = decided.steps.entry((step.cart_version, step.step));
        let new = Step {
            attempt: step.attempt,
            key: decision.idempotency_key,
        };
        match found {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(new);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                self.double += usize::from(place.get().attempt == step.attempt);
                if step.attempt > place.get().attempt {
                    place.insert(new);
                }
            }
        }
        Ok(())
    }

    /// What is owed to those who neither bought nor said no: a decision for each step of the cart,
    /// and, where it acts and they still agree, its message at a receiver.
    pub(super) fn lost(
        &self,
        truths: &HashMap<String, Truth>,
        arrived: &HashSet<String>,
    ) -> Vec<String> {
        let mut lost = Vec::new();
        let mut shoppers: Vec<_> = truths.iter().collect();
        shoppers.sort_by_key(|(shopper, _)| *shopper);
        for (shopper, truth) in shoppers {
            let told = &truth.told;
            if told.entered_at_ms.is_none() || told.is_over {
                continue;
            }
            let decided = self.shoppers.get(shopper);
            let steps = decided.map(|decided| &decided.steps);
            let version = steps
                .and_then(|steps| steps.last_key_value())
                .map_or(0, |((version, _), _)| *version);
            let agrees = truth.consented && told.silent_at_ms.is_none();
            for step in 0..STEPS {
                let taken = steps.and_then(|steps| steps.get(&(version, step)));
                match taken {
                    None => lost.push(format!("{shopper}/{version}/{step} was not decided")),
                    Some(taken)
                        if agrees && !taken.key.is_empty() && !arrived.contains(&taken.key) =>
                    {
                        lost.push(format!("{} did not arrive", taken.key));
                    }
                    Some(_) => {}
                }
            }
        }
        lost
    }
}
