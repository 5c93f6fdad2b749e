//! Loaded snapshots.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kit::{Clock, Live, Problem};
use retrieval::{Gate, Kind, Model, Query, Recent};
use snapshot::Snapshot;

/// Items that the warm-up query pretends a shopper to have seen.
const WARM_UP_ITEMS: u32 = 5;

/// One loaded snapshot, and what of it can be sold right now.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: String,
    pub(crate) model: Model,
    pub(crate) gate: Live<Gate>,
    pub(crate) loaded_at_ms: i64,
    pub(crate) resident_bytes: u64,
}

impl Generation {
    /// Loads and warms up. Takes seconds for a large snapshot: not for a thread of the runtime.
    pub(crate) fn load(dir: &Path, clock: &Clock) -> Result<Self, retrieval::Error> {
        let snapshot = Snapshot::open(dir)?;
        let model = Model::load(&snapshot)?;
        let gate = Gate::open(model.catalogue().len());
        let generation = Self {
            id: snapshot.id().to_owned(),
            model,
            gate: Live::new(gate),
            loaded_at_ms: clock.now_ms(),
            resident_bytes: snapshot.manifest().resident_bytes,
        };
        let took = generation.warm_up()?;
        tracing::info!(
            generation = generation.id,
            items = generation.items(),
            ?took,
            "warmed up"
        );
        Ok(generation)
    }

    /// Items of the generation.
    pub(crate) fn items(&self) -> usize {
        self.model.catalogue().len()
    }

    /// A first query touches every source, so that the first shopper does not pay for it.
    fn warm_up(&self) -> Result<Duration, retrieval::Error> {
        let catalogue = self.model.catalogue();
        let seen = (0..WARM_UP_ITEMS).filter_map(|ordinal| catalogue.get(ordinal));
        let query = Query {
            recent: seen
                .map(|item| Recent {
                    item_id: item.item_id.clone(),
                    kind: Kind::View,
                    age: Duration::ZERO,
                })
                .collect(),
            k: 10,
            ..Query::default()
        };
        let started = Instant::now();
        self.model.retrieve(&query, &self.gate.load())?;
        Ok(started.elapsed())
    }
}

/// The generations that can be asked.
#[derive(Debug)]
pub(crate) struct Generations(Live<Option<Arc<Generation>>>);

impl Generations {
    /// None, until the first is loaded.
    pub(crate) fn none() -> Self {
        Self(Live::new(None))
    }

    /// From now on `generation` answers requests that pin none.
    pub(crate) fn activate(&self, generation: Arc<Generation>) {
        self.0.store(Arc::new(Some(generation)));
    }

    /// The generation that `pinned` names, or the live one when it is empty.
    pub(crate) fn get(&self, pinned: &str) -> Result<Arc<Generation>, Problem> {
        let Some(live) = self.live() else {
            return Err(Problem::Unavailable(
                "the snapshot is still being loaded".to_owned(),
            ));
        };
        if pinned.is_empty() || pinned == live.id {
            return Ok(live);
        }
        let said = format!("generation {pinned:?} is not held; held: {}", live.id);
        Err(Problem::Precondition(said))
    }

    /// The live generation.
    pub(crate) fn live(&self) -> Option<Arc<Generation>> {
        Option::clone(&self.0.load())
    }
}
