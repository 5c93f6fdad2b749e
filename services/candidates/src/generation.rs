//! Loaded snapshots.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use generations::Role;
use kit::{Clock, Live};
use retrieval::{Gate, Kind, Model, Query, Recent, Sessions};
use snapshot::{Snapshot, Verdict};

use crate::erasures::Erasures;
use crate::gates;
use crate::overlay::Overlay;
use crate::role::ROLE;

/// Items that the warm-up query pretends a shopper to have seen.
const WARM_UP_ITEMS: u32 = 5;

/// One loaded snapshot, and what of it can be sold right now.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: String,
    /// Its sessions are those of `sessions`, or none for a reason that answers tell.
    pub(crate) model: Live<Model>,
    /// Past sessions without those of erased shoppers; only ever looked at to take more out.
    pub(crate) sessions: Mutex<Option<Sessions>>,
    /// Fingerprint of the key that the MACs of past sessions are made with.
    pub(crate) sessions_key: Option<String>,
    pub(crate) gate: Live<Gate>,
    pub(crate) loaded_at_ms: i64,
    pub(crate) resident_bytes: u64,
}

impl Generation {
    /// Loads and warms up. Takes seconds for a large snapshot: not for a thread of the runtime.
    pub(crate) fn load(snapshot: &Snapshot, clock: &Clock) -> Result<Self, retrieval::Error> {
        let model = Model::load(snapshot)?;
        let gate = Gate::open(model.catalogue().len());
        let privacy = snapshot.manifest().privacy.as_ref();
        let generation = Self {
            id: snapshot.id().to_owned(),
            sessions: Mutex::new(model.sessions().cloned()),
            sessions_key: privacy.and_then(|privacy| privacy.sessions_key.clone()),
            model: Live::new(model),
            gate: Live::new(gate),
            loaded_at_ms: clock.now_ms(),
            resident_bytes: snapshot.manifest().resident_bytes,
        };
        let took = generation.warm_up()?;
        tracing::info!(
            generation = generation.id,
            items = generation.model.guard().catalogue().len(),
            ?took,
            "warmed up"
        );
        Ok(generation)
    }

    /// A first query touches every source, so that the first shopper does not pay for it.
    fn warm_up(&self) -> Result<Duration, retrieval::Error> {
        let model = self.model.load();
        let catalogue = model.catalogue();
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
        model.retrieve(&query, &self.gate.load())?;
        Ok(started.elapsed())
    }
}

impl generations::Generation for Generation {
    fn id(&self) -> &str {
        &self.id
    }

    fn loaded_at_ms(&self) -> i64 {
        self.loaded_at_ms
    }

    fn items(&self) -> usize {
        self.model.guard().catalogue().len()
    }

    fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }
}

/// How this role makes a generation.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) clock: Clock,
    pub(crate) overlay: Overlay,
    pub(crate) erasures: Erasures,
}

impl Role for Candidates {
    type Generation = Generation;
    type Error = retrieval::Error;

    fn name(&self) -> &'static str {
        ROLE
    }

    fn load(&self, snapshot: &Snapshot) -> Result<Generation, retrieval::Error> {
        Generation::load(snapshot, &self.clock)
    }

    fn refusal(&self, error: &retrieval::Error) -> Verdict {
        gates::refusal(error)
    }

    fn inspect(&self, snapshot: &Snapshot) -> Vec<Verdict> {
        gates::inspect(snapshot)
    }

    fn examine(
        &self,
        new: &Generation,
        snapshot: &Snapshot,
        live: Option<&Generation>,
    ) -> Vec<Verdict> {
        gates::examine(new, snapshot, live)
    }

    /// What is sold out when it goes live was sold out before, and who was erased is out of it.
    fn warm(&self, generation: &Arc<Generation>) {
        self.overlay.lay_over(generation);
        self.erasures.lay_over(generation);
    }
}
