//! The way from events to a snapshot.
//!
//! Twice: first on the past, to learn on what followed how the models are best used, and to judge
//! all of it on what followed that; then on everything.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ann_index::Vectors;
use feature_store::{Event, Item, Millis, Registry};
use ranking::{Ranker, RiskModel};
use retrieval::files::{IndexOptions, write_fusion, write_index, write_queries, write_space_index};
use retrieval::{FusionWeights, Model};
use snapshot::{
    Builder, DataRange, Leaderboard, Manifest, Privacy, ProbeRow, Snapshot, Space, files,
};

use crate::clean::{Cleaned, clean};
use crate::leaderboard::{self, EvaluationOptions, Known};
use crate::look_back::{self, Learned, Trained, draft_folder};
use crate::models::Models;
use crate::parts::{self, Parts};
use crate::people::LeftOut;
use crate::report::{Stage, Step};
use crate::sessions::{GAP, sessions};
use crate::{Error, Options, TrainReport, covisitation, golden, held_out, risk};

/// Held-out predictions that are enough for a measure; their standard error is then about 1 %.
const PREDICTIONS: usize = 2_000;
/// What FAISS is compiled for.
pub(crate) const CPU_LEVEL: &str = "x86-64-v3";

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
        leaderboard: None,
        notes: Vec::new(),
        privacy: Privacy::default(),
    };
    let policy = golden::parse_policy(&options.policy)?;
    let events = run.leave_out(events);
    let cleaned = run.clean(&events)?;
    let Learned { ranker, fusion, .. } = run.look_back(&cleaned)?;
    let models = run.factorise(&cleaned)?;
    run.tell(Stage::Risk, "");
    let risk = risk::learn(&cleaned.events, items, options)?;
    run.quality.extend(risk.model.quality());
    run.notes.extend(risk.notes.iter().cloned());
    run.tell(Stage::Index, "");
    let folder = draft_folder()?;
    let draft = run.draft(&models, &fusion, &cleaned, folder.path())?;
    run.tell(Stage::Golden, "");
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
            golden::retrieve(&model, &models.covisitation.rows)?,
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
    leaderboard: Option<Leaderboard>,
    notes: Vec<String>,
    privacy: Privacy,
}

impl Run<'_> {
    fn tell(&mut self, stage: Stage, detail: &str) {
        (self.progress)(Step {
            stage,
            detail: detail.to_owned(),
        });
    }

    /// The events of people who were not erased.
    fn leave_out<'e>(&mut self, events: &'e [Event]) -> Cow<'e, [Event]> {
        let (kept, left_out) = self.options.people.leave_out(events);
        self.notes.push(match left_out {
            Some(LeftOut { shoppers, events }) => {
                format!("privacy: {events} events of erased shoppers are left out; {shoppers} of their ids could be read")
            }
            None => {
                "privacy: nobody said who was erased, so everybody in the events counts".to_owned()
            }
        });
        self.privacy.erased_shoppers = left_out.map(|one| one.shoppers);
        self.privacy.erased_events = left_out.map(|one| one.events);
        kept
    }

    fn clean(&mut self, events: &[Event]) -> Result<Cleaned, Error> {
        self.tell(Stage::Cleaning, "");
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

    /// Trains on the past, learns on what followed how that is best used, and judges all of it on
    /// what followed that.
    fn look_back(&mut self, cleaned: &Cleaned) -> Result<Learned, Error> {
        let parts = Parts::of(&cleaned.events);
        if !parts::teaches(parts.past) {
            let learned = Learned::nothing("the log has no past to learn from");
            self.notes.extend(learned.notes.iter().cloned());
            let note = "leaderboard: nothing was measured, since the log has no past to learn from";
            self.notes.push(note.to_owned());
            return Ok(learned);
        }
        let past = self.train(Stage::Past, parts.past)?;
        self.tell(Stage::Fit, "");
        let learned = look_back::learn(&past.model, parts.past, parts.fit)?;
        self.quality.extend(learned.quality.clone());
        self.notes.extend(learned.notes.iter().cloned());
        self.tell(Stage::Judge, "");
        let known = Known::new(parts.past, &[parts.past, parts.fit]);
        let options = EvaluationOptions {
            most: PREDICTIONS,
            ..EvaluationOptions::default()
        };
        let found = leaderboard::judge(&past, &learned, &known, parts.judge, &options)?;
        self.notes.extend(found.notes);
        self.quality
            .extend(found.leaderboard.iter().flat_map(leaderboard::named));
        self.leaderboard = found.leaderboard;
        Ok(learned)
    }

    fn train(&mut self, stage: Stage, events: &[Event]) -> Result<Trained, Error> {
        let (items, options) = (self.items, self.options);
        Trained::on(events, items, options, &mut self.iterations(stage))
    }

    fn factorise(&mut self, cleaned: &Cleaned) -> Result<Models, Error> {
        let (items, options) = (self.items, self.options);
        let mut progress = self.iterations(Stage::Factorisation);
        let models = Models::train(&cleaned.events, items, options, &mut progress)?;
        drop(progress);
        self.notes.extend(model_notes(&models, cleaned, options));
        self.notes.extend(people_notes(&models));
        self.privacy = Privacy {
            min_people: models.min_people,
            pairs_left_out: models.covisitation.left_out,
            items_left_out: models.rare_items,
            sessions_key: options.people.fingerprint(),
            ..self.privacy.clone()
        };
        if self.privacy.sessions_key.is_none() {
            let said = "privacy: past sessions carry no MAC of their shopper, since no privacy key was \
                        given: those of somebody who is erased stay until the next training";
            self.notes.push(said.to_owned());
        }
        Ok(models)
    }

    /// Tells each iteration of a factorisation.
    fn iterations(&mut self, stage: Stage) -> impl FnMut(usize, f64) {
        let of = self.options.iterations;
        move |iteration, loss| {
            let detail = format!("iteration {iteration} of {of}, loss {loss:.1}");
            (self.progress)(Step { stage, detail });
        }
    }

    /// The models with their index and held-out carts, in a snapshot of their own.
    fn draft(
        &mut self,
        models: &Models,
        fusion: &FusionWeights,
        cleaned: &Cleaned,
        at: &Path,
    ) -> Result<Snapshot, Error> {
        let mut builder = Builder::new(at)?;
        let mut spaces = models.write(&mut builder)?;
        write_fusion(&mut builder, fusion)?;
        let late = Parts::of(&cleaned.events).judge;
        let carts = held_out::carts(models, late)?;
        let embeddings = &models.embeddings;
        let options = IndexOptions {
            seed: self.options.seed,
            ..IndexOptions::default()
        };
        let few = held_out::few(&carts, embeddings.dimension);
        let index = write_index(&mut builder, embeddings, &few, &options)?;
        let bands = held_out::BANDS;
        if carts.is_empty() {
            self.notes
                .push("held-out carts: none, so nothing to measure recall with".to_owned());
        } else {
            let (k, seed) = (held_out::NEIGHBOURS, self.options.seed);
            write_queries(&mut builder, embeddings, &carts, k, &bands, seed)?;
        }
        let mut probes = index.probes;
        if let Some(collaborative) = spaces.first_mut() {
            *collaborative = index.space;
        }
        for (space, entry) in models.spaces.iter().zip(spaces.iter_mut().skip(1)) {
            let carts = held_out::content_carts(models, space, late);
            let few = held_out::few(&carts, space.dimension);
            let vectors = Arc::new(Vectors::new(space.vectors.clone(), space.dimension)?);
            let report = write_space_index(&mut builder, &space.name, &vectors, &few, &options)?;
            probes.extend(report.probes);
            *entry = report.space;
        }
        Ok(builder.finish(self.manifest(cleaned, spaces, probes))?)
    }

    fn manifest(&self, cleaned: &Cleaned, spaces: Vec<Space>, probes: Vec<ProbeRow>) -> Manifest {
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
            spaces,
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
        Ok(builder.finish(Manifest {
            // Texts and hash tables take about as much again as their files.
            resident_bytes: 2 * size,
            created_at_ms: self.options.created_at_ms,
            parent: self.options.parent.clone(),
            quality: self.quality.clone(),
            leaderboard: self.leaderboard.clone(),
            notes: self.notes.clone(),
            privacy: Some(self.privacy.clone()),
            ..self.manifest(cleaned, manifest.spaces.clone(), manifest.probes.clone())
        })?)
    }

    fn report(
        self,
        snapshot: Snapshot,
        models: Models,
        risk: &RiskModel,
        ranker: &Ranker,
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

/// What was left out because few people did it, or that nothing was.
fn people_notes(models: &Models) -> Vec<String> {
    let (people, pairs) = (models.min_people, &models.covisitation);
    if people == 1 {
        let said =
            "privacy: pairs of items and vectors are published whoever made them, be it one person";
        return vec![said.to_owned()];
    }
    let (left_out, rare) = (pairs.left_out, models.rare_items);
    let (of, items) = (pairs.pairs, models.catalogue.len());
    vec![format!(
        "privacy: {left_out} of {of} pairs of items were made by fewer than {people} people and are \
         left out of co-visitation; {rare} of {items} items were dealt with by fewer and have no \
         vector"
    )]
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
    if let Some(half_life) = models.half_life {
        let days = half_life.as_secs() / 86_400;
        notes.push(format!(
            "co-visitation: a session counts half as much for every {days} days of its age"
        ));
    }
    notes.extend(models.spaces.iter().map(|space| space.describe()));
    notes.extend(
        options
            .vectors
            .iter()
            .filter_map(|given| given.note(&models.catalogue)),
    );
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
