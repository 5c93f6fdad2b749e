//! The way from events to a snapshot.
//!
//! Twice: first on what happened before the last tenth of the time, to measure on the rest and to
//! learn the order of candidates from it; then on everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use feature_store::{Event, Item, Millis, Registry};
use ranking::{LinearRanker, RiskModel};
use retrieval::Model;
use retrieval::files::{IndexOptions, write_index, write_queries};
use snapshot::{Builder, DataRange, Manifest, ProbeRow, Snapshot, Space, files};

use crate::clean::{Cleaned, clean};
use crate::evaluate::{EvaluationOptions, draft_folder, judge, split_by_time};
use crate::models::Models;
use crate::report::Step;
use crate::sessions::{GAP, sessions};
use crate::{Error, Options, TrainReport, covisitation, golden, held_out, ranker, risk};

const STEPS: u32 = 7;
/// Share of the time span that is learned from while measuring.
const PAST: f64 = 0.9;
/// Held-out predictions that are enough for a measure; their standard error is then about 1 %.
const PREDICTIONS: usize = 2_000;
/// What FAISS is compiled for.
const CPU_LEVEL: &str = "x86-64-v3";

/// Trains on events, in any order, and writes a snapshot to `out`. The events are cleaned as
/// serving would; `items` go before what events say of items. The same input and options give the
/// same snapshot id.
pub fn train(
    events: &[Event],
    items: &[Item],
    options: &Options,
    out: &Path,
    progress: &mut dyn FnMut(Step),
) -> Result<TrainReport, Error> {
    options.validate()?;
    let mut run = Run {
        options,
        items,
        progress,
        quality: BTreeMap::new(),
        notes: Vec::new(),
    };
    let policy = golden::parse_policy(&options.policy)?;
    let cleaned = run.clean(events)?;
    let ranker = run.look_back(&cleaned)?;
    let models = run.factorise(&cleaned)?;
    run.tell(5, "risk", "");
    let risk = risk::learn(&cleaned.events, options.idle)?;
    run.quality.extend(risk.model.quality());
    run.notes.extend(risk.notes.iter().cloned());
    run.tell(6, "index", "");
    let folder = draft_folder()?;
    let draft = run.draft(&models, &cleaned, folder.path())?;
    run.tell(7, "golden requests", "");
    let model = Model::load(&draft)?;
    let end = cleaned
        .events
        .last()
        .map_or(Millis(0), |event| event.occurred_at);
    let parts = [
        (files::RANKER, ranker.to_json()?.into_bytes()),
        (files::RISK, risk.model.to_json()?.into_bytes()),
        (files::POLICY, options.policy.clone().into_bytes()),
        (
            files::GOLDEN_RETRIEVE,
            golden::retrieve(&model, &cleaned.events)?,
        ),
        (
            files::GOLDEN_RISK,
            golden::risk(&risk.model, &risk.samples)?,
        ),
        (
            files::GOLDEN_POLICY,
            golden::policed(&policy, &models.catalogue, end)?,
        ),
    ];
    let snapshot = run.finish(&draft, &parts, &cleaned, out)?;
    Ok(run.report(snapshot, models, &risk.model, &ranker, cleaned))
}

struct Run<'a> {
    options: &'a Options,
    items: &'a [Item],
    progress: &'a mut dyn FnMut(Step),
    quality: BTreeMap<String, f64>,
    notes: Vec<String>,
}

impl Run<'_> {
    fn tell(&mut self, number: u32, name: &'static str, detail: &str) {
        (self.progress)(Step {
            number,
            of: STEPS,
            name,
            detail: detail.to_owned(),
        });
    }

    fn clean(&mut self, events: &[Event]) -> Result<Cleaned, Error> {
        self.tell(1, "cleaning", "");
        let cleaned = clean(events);
        let counts = &cleaned.counts;
        let refused: Vec<String> = counts
            .rejected
            .iter()
            .map(|(why, count)| format!("{count} {why}"))
            .collect();
        let refused = if refused.is_empty() {
            "none".to_owned()
        } else {
            refused.join(", ")
        };
        if !cleaned.events.iter().any(|event| !event.item_id.is_empty()) {
            return Err(Error::NoEvents {
                events: events.len(),
                refused,
            });
        }
        self.notes.push(format!(
            "events: {} accepted, {} duplicates, rejected: {refused}",
            counts.accepted, counts.duplicates
        ));
        Ok(cleaned)
    }

    /// Trains on the past, measures on the rest, learns the ranker from it.
    fn look_back(&mut self, cleaned: &Cleaned) -> Result<LinearRanker, Error> {
        self.tell(2, "measuring on held-out events", "");
        let (past, rest) = split_by_time(&cleaned.events, PAST);
        if !past.iter().any(|event| !event.item_id.is_empty()) {
            let note = "keeps the order of retrieval: the log has no past to learn from";
            self.notes.push(format!("ranker {note}"));
            return Ok(LinearRanker::retrieval_order(note));
        }
        let models = Models::train(&past, &self.known(&past), self.options, &mut |_, _| {})?;
        let folder = draft_folder()?;
        let model = Model::load(&models.draft(folder.path())?)?;
        let wanted = EvaluationOptions {
            k: 20,
            most: PREDICTIONS,
        };
        let evaluation = judge(&model, &models.popularity, &rest, &wanted)?;
        if evaluation.predictions == 0 {
            self.notes
                .push("quality: the last tenth of the time predicts nothing".to_owned());
        } else {
            self.quality.extend(evaluation.named());
            self.notes
                .push(format!("quality: {}", evaluation.summary()));
        }
        self.tell(3, "ranker", "");
        let ranked = ranker::learn(&model, &rest)?;
        self.quality.extend(ranked.quality);
        self.notes
            .push(format!("ranker: {}", ranked.ranker.describe()));
        Ok(ranked.ranker)
    }

    /// The given items that the past had seen: what is said of the others may stem from the events
    /// that are to be predicted.
    fn known(&self, past: &[Event]) -> Vec<Item> {
        let seen: BTreeSet<&str> = past.iter().map(|event| event.item_id.as_str()).collect();
        let is_seen = |item: &&Item| seen.contains(item.item_id.as_str());
        self.items.iter().filter(is_seen).cloned().collect()
    }

    fn factorise(&mut self, cleaned: &Cleaned) -> Result<Models, Error> {
        let Self {
            options,
            items,
            progress,
            ..
        } = self;
        let models = Models::train(&cleaned.events, items, options, &mut |iteration, loss| {
            let detail = format!(
                "iteration {iteration} of {}, loss {loss:.1}",
                options.iterations
            );
            progress(Step {
                number: 4,
                of: STEPS,
                name: "factorisation",
                detail,
            });
        })?;
        self.notes.extend(model_notes(&models, cleaned, options));
        Ok(models)
    }

    /// The models with their index and held-out carts, in a snapshot of their own.
    fn draft(&mut self, models: &Models, cleaned: &Cleaned, at: &Path) -> Result<Snapshot, Error> {
        let mut builder = Builder::new(at)?;
        models.write(&mut builder)?;
        let (_, rest) = split_by_time(&cleaned.events, PAST);
        let carts = held_out::carts(models, &rest)?;
        let embeddings = &models.embeddings;
        let index = IndexOptions {
            seed: self.options.seed,
            ..IndexOptions::default()
        };
        let few = held_out::few(&carts, embeddings.dimension);
        let index = write_index(&mut builder, embeddings, &few, &index)?;
        let bands = held_out::BANDS;
        if carts.is_empty() {
            self.notes
                .push("held-out carts: none, so nothing to measure recall with".to_owned());
        } else {
            let (k, seed) = (held_out::NEIGHBOURS, self.options.seed);
            write_queries(&mut builder, embeddings, &carts, k, &bands, seed)?;
        }
        Ok(builder.finish(self.manifest(cleaned, index.space, index.probes))?)
    }

    fn manifest(&self, cleaned: &Cleaned, space: Space, probes: Vec<ProbeRow>) -> Manifest {
        let at = |event: Option<&Event>| event.map_or(0, |event| event.occurred_at.0);
        Manifest {
            schema_fingerprint: Registry::standard().fingerprint().to_owned(),
            cpu_level: CPU_LEVEL.to_owned(),
            data: DataRange {
                from_ms: at(cleaned.events.first()),
                to_ms: at(cleaned.events.last()),
                events: cleaned.counts.accepted,
            },
            seed: self.options.seed,
            probes,
            spaces: vec![space],
            ..Manifest::default()
        }
    }

    /// All files of the draft, the parts that belong to them, and the full manifest.
    fn finish(
        &self,
        draft: &Snapshot,
        parts: &[(&str, Vec<u8>)],
        cleaned: &Cleaned,
        out: &Path,
    ) -> Result<Snapshot, Error> {
        let manifest = draft.manifest();
        let mut builder = Builder::new(out)?;
        let mut size = 0;
        for (name, entry) in &manifest.files {
            builder.write(name, &draft.read(name)?)?;
            size += entry.size;
        }
        for (name, bytes) in parts {
            builder.write(name, bytes)?;
        }
        let space = manifest.spaces.first().cloned().unwrap_or_default();
        Ok(builder.finish(Manifest {
            // Texts and hash tables take about as much again as their files.
            resident_bytes: 2 * size,
            created_at_ms: self.options.created_at_ms,
            parent: self.options.parent.clone(),
            quality: self.quality.clone(),
            notes: self.notes.clone(),
            ..self.manifest(cleaned, space, manifest.probes.clone())
        })?)
    }

    fn report(
        self,
        snapshot: Snapshot,
        models: Models,
        risk: &RiskModel,
        ranker: &LinearRanker,
        cleaned: Cleaned,
    ) -> TrainReport {
        TrainReport {
            snapshot,
            als_loss: models.loss,
            risk: risk.describe(),
            ranker: ranker.describe(),
            notes: self.notes,
            quality: self.quality,
            counts: cleaned.counts,
        }
    }
}

fn model_notes(models: &Models, cleaned: &Cleaned, options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    let dimension = models.embeddings.dimension;
    if dimension < options.dimension {
        notes.push(format!(
            "factors: {dimension} dimensions instead of {}, a third of the fewer of shoppers and \
             items",
            options.dimension
        ));
    }
    let capped = covisitation::capped(&sessions(&cleaned.events, GAP), &models.catalogue);
    if capped > 0 {
        notes.push(format!(
            "co-visitation: {capped} sessions count with their latest {} items only",
            covisitation::LONGEST
        ));
    }
    let unpriced = models
        .catalogue
        .items()
        .iter()
        .filter(|item| item.price_minor == 0)
        .count();
    if unpriced > 0 {
        notes.push(format!(
            "items: {unpriced} of {} have no price",
            models.catalogue.len()
        ));
    }
    notes
}
