//! Learning how models are best used, from what came after the events that they learned from.

use std::collections::{BTreeMap, BTreeSet};

use feature_store::{Event, Item};
use ranking::Ranker;
use retrieval::{FusionWeights, Model};

use crate::{Error, Models, Options, fusion, ranker};

/// Models of a part of the log, ready to be asked.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) models: Models,
    pub(crate) model: Model,
    /// The files that `model` maps.
    _folder: tempfile::TempDir,
}

impl Trained {
    /// Of clean events in the order of time. Of the given items only those count that the events
    /// name: what is said of the others may stem from the events that are to be predicted.
    pub(crate) fn on(
        events: &[Event],
        items: &[Item],
        options: &Options,
        progress: &mut dyn FnMut(usize, f64),
    ) -> Result<Self, Error> {
        let seen: BTreeSet<&str> = events.iter().map(|event| event.item_id.as_str()).collect();
        let known = items
            .iter()
            .filter(|item| seen.contains(item.item_id.as_str()));
        let known: Vec<Item> = known.cloned().collect();
        let models = Models::train(events, &known, options, progress)?;
        let folder = draft_folder()?;
        let model = Model::load(&models.draft(folder.path())?)?;
        Ok(Self {
            models,
            model,
            _folder: folder,
        })
    }
}

/// A folder for models that are only looked at while training.
pub(crate) fn draft_folder() -> Result<tempfile::TempDir, Error> {
    tempfile::Builder::new()
        .prefix("cartwright-draft-")
        .tempdir()
        .map_err(|source| Error::Draft { source })
}

/// What a part of the log taught about the use of models that had not seen it.
#[derive(Debug)]
pub(crate) struct Learned {
    pub(crate) fusion: FusionWeights,
    pub(crate) ranker: Ranker,
    pub(crate) quality: BTreeMap<String, f64>,
    pub(crate) notes: Vec<String>,
}

impl Learned {
    /// Where there is nothing to learn from.
    pub(crate) fn nothing(why: &str) -> Self {
        let note = format!("keeps the order of retrieval: {why}");
        Self {
            fusion: FusionWeights::default(),
            ranker: Ranker::retrieval_order(&note),
            quality: BTreeMap::new(),
            notes: vec![format!("ranker {note}")],
        }
    }
}

/// Learns from events in the order of time that `model` has not seen; `past` came before them.
pub(crate) fn learn(model: &Model, past: &[Event], fit: &[Event]) -> Result<Learned, Error> {
    let fused = fusion::learn(model, past, fit)?;
    let ranked = ranker::learn(&model.with_fusion(fused.weights.clone())?, &[past], fit)?;
    Ok(Learned {
        quality: ranked.quality.into_iter().collect(),
        notes: vec![
            format!("fusion: {}", fused.describe()),
            format!("ranker: {}", ranked.ranker.describe()),
        ],
        fusion: fused.weights,
        ranker: ranked.ranker,
    })
}
