//! The weights of the sources, fitted to moments that the models have not seen.
//!
//! What each source says at each moment is collected once; then the weights are moved one after
//! the other over a grid to where MRR@20 of the next item plus recall@20 of the rest of the session
//! is greatest, until a round moves none. A weight only moves for a gain that is worth it, so that
//! a source that makes no difference keeps its default.

use feature_store::Event;
use rayon::prelude::*;
use retrieval::{Candidate, FusionWeights, Gate, Model, Normalisation, Source};

use crate::Error;
use crate::metrics::real;
use crate::moments::{Moment, moments, query, thinned};
use crate::sessions::{GAP, sessions};

/// Moments that weights are fitted to, at most and at least.
const MOST: usize = 1_500;
const FEWEST: usize = 50;
const PLACES: usize = 20;
/// Items that each source names, as serving asks.
const DEPTH: usize = 100;
const ROUNDS: usize = 4;
/// A move has to gain this part of the objective.
const WORTH: f64 = 0.002;
const GRID: [f64; 10] = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0];
/// Popularity may break ties and no more: what is popular is known to everybody.
const POPULAR_GRID: [f64; 5] = [0.0, 0.1, 0.25, 0.5, 1.0];
/// Bands of like prices in a category, and none.
const BANDS: [u32; 2] = [0, 4];

/// What was learned, and what it gained on the moments that it was learned from.
#[derive(Clone, Debug)]
pub(crate) struct LearnedFusion {
    pub(crate) weights: FusionWeights,
    pub(crate) moments: usize,
    /// MRR@20 + recall@20 with the defaults and with the weights.
    pub(crate) before: f64,
    pub(crate) after: f64,
}

impl LearnedFusion {
    /// A sentence for people.
    pub(crate) fn describe(&self) -> String {
        let Self {
            weights,
            moments,
            before,
            after,
        } = self;
        if *moments < FEWEST {
            return format!("keeps its defaults: {moments} moments are too few to learn from");
        }
        let of = |source: &Source| format!("{} {}", source.as_str(), weights.of(*source));
        let shown: Vec<String> = Source::ALL.iter().map(of).collect();
        format!(
            "{} ({:?}, {} price bands): MRR@20 + recall@20 on {moments} moments {before:.4} → \
             {after:.4}",
            shown.join(", "),
            weights.normalisation,
            weights.price_bands
        )
    }
}

/// Fits the weights to events in the order of time that `model` has not seen.
pub(crate) fn learn(model: &Model, fit: &[Event]) -> Result<LearnedFusion, Error> {
    let sessions = sessions(fit, GAP);
    let moments = thinned(moments(&sessions), MOST);
    let mut best = LearnedFusion {
        weights: FusionWeights::default(),
        moments: moments.len(),
        before: 0.0,
        after: 0.0,
    };
    if moments.len() < FEWEST {
        return Ok(best);
    }
    for price_bands in BANDS {
        let start = FusionWeights {
            price_bands,
            ..FusionWeights::default()
        };
        let cases = collect(&model.with_fusion(start.clone())?, &moments)?;
        for normalisation in Normalisation::ALL {
            let table = Table::of(&cases, normalisation);
            let start = FusionWeights {
                normalisation,
                ..start.clone()
            };
            if start == best.weights {
                best.before = table.objective(&start);
                best.after = best.before;
            }
            let (weights, after) = table.ascend(&start);
            if after > best.after * (1.0 + WORTH) {
                best = LearnedFusion {
                    weights,
                    after,
                    ..best
                };
            }
        }
    }
    Ok(best)
}

/// All that any source named at a moment, by ordinal, and where in it the right items are.
struct Case {
    named: Vec<Candidate>,
    /// Greatest score of each source.
    best: [f64; Source::COUNT],
    target: Option<usize>,
    /// Items of the rest of the session that were named, and how many there are in all.
    wanted: Vec<usize>,
    all_wanted: usize,
}

fn collect(model: &Model, moments: &[Moment<'_>]) -> Result<Vec<Case>, Error> {
    let gate = Gate::open(model.catalogue().len());
    moments
        .par_iter()
        .map(|moment| case(model, &gate, moment))
        .collect()
}

fn case(model: &Model, gate: &Gate, moment: &Moment<'_>) -> Result<Case, Error> {
    let last = moment.before.last();
    let now = last.map_or(moment.next.occurred_at, |event| event.occurred_at);
    let question = query(&moment.before, now, Vec::new(), DEPTH);
    let mut named = model.named(&question, gate)?.candidates;
    named.sort_unstable_by_key(|one| one.ordinal);
    let mut best = [0.0_f64; Source::COUNT];
    for said in named.iter().flat_map(|one| &one.sources) {
        let greatest = &mut best[said.source as usize];
        *greatest = greatest.max(said.score);
    }
    let place = |item: &str| {
        let ordinal = model.catalogue().ordinal(item)?;
        named.binary_search_by_key(&ordinal, |one| one.ordinal).ok()
    };
    Ok(Case {
        best,
        target: place(&moment.next.item_id),
        wanted: moment.rest.iter().filter_map(|item| place(item)).collect(),
        all_wanted: moment.rest.len(),
        named,
    })
}

/// What each source adds to each item at weight 1, under one normalisation.
struct Table<'a> {
    cases: Vec<(&'a Case, Vec<Row>)>,
}

struct Row {
    /// What the item has whatever the weights.
    base: f64,
    parts: [f64; Source::COUNT],
}

impl<'a> Table<'a> {
    fn of(cases: &'a [Case], normalisation: Normalisation) -> Self {
        let rows = |case: &'a Case| {
            let row = |one| Row::of(one, &case.best, normalisation);
            (case, case.named.iter().map(row).collect())
        };
        Self {
            cases: cases.iter().map(rows).collect(),
        }
    }

    /// MRR@20 + recall@20, summed in the order of the cases whatever the number of threads.
    fn objective(&self, weights: &FusionWeights) -> f64 {
        let gains: Vec<f64> = self
            .cases
            .par_iter()
            .map_init(Vec::new, |scores, (case, rows)| {
                scores.clear();
                scores.extend(rows.iter().map(|row| row.score(weights)));
                case.gain(scores)
            })
            .collect();
        gains.iter().sum::<f64>() / real(gains.len().max(1))
    }

    fn ascend(&self, start: &FusionWeights) -> (FusionWeights, f64) {
        let (mut best, mut most) = (start.clone(), self.objective(start));
        for _ in 0..ROUNDS {
            let before = most;
            for source in Source::ALL {
                let grid: &[f64] = match source {
                    // Nothing that was bought is asked for here.
                    Source::Rebuy => &[],
                    Source::Popularity => &POPULAR_GRID,
                    Source::Revisit
                    | Source::Sessions
                    | Source::Covisitation
                    | Source::Collaborative
                    | Source::Content => &GRID,
                };
                for &weight in grid {
                    let mut tried = best.clone();
                    tried.weights[source as usize] = weight;
                    let gained = self.objective(&tried);
                    if gained > most * (1.0 + WORTH) {
                        (best, most) = (tried, gained);
                    }
                }
            }
            if most <= before {
                break;
            }
        }
        (best, most)
    }
}

impl Row {
    fn of(one: &Candidate, best: &[f64; Source::COUNT], normalisation: Normalisation) -> Self {
        let mut parts = [0.0; Source::COUNT];
        let mut popular = 0.0;
        for said in &one.sources {
            if said.source == Source::Popularity {
                popular = said.score / 2.0;
            } else {
                let share = said.score / best[said.source as usize];
                parts[said.source as usize] = normalisation.of(share, said.rank);
            }
        }
        let is_personal = parts.iter().any(|&part| part > 0.0);
        if is_personal {
            parts[Source::Popularity as usize] = popular;
        }
        Self {
            base: if is_personal { 1.0 } else { popular },
            parts,
        }
    }

    fn score(&self, weights: &FusionWeights) -> f64 {
        let pairs = self.parts.iter().zip(&weights.weights);
        self.base + pairs.map(|(part, weight)| part * weight).sum::<f64>()
    }
}

impl Case {
    fn gain(&self, scores: &[f64]) -> f64 {
        let target = self.target.map(|at| place(scores, at));
        let near = target.filter(|place| *place < PLACES);
        let reciprocal = near.map_or(0.0, |place| 1.0 / real(place + 1));
        let found = self.wanted.iter().filter(|&&at| place(scores, at) < PLACES);
        reciprocal + real(found.count()) / real(self.all_wanted.max(1))
    }
}

/// How many come before the item; of equal ones the earlier ordinal does.
fn place(scores: &[f64], at: usize) -> usize {
    let own = scores[at];
    let before = scores[..at].iter().filter(|&&score| score >= own).count();
    before + scores[at..].iter().filter(|&&score| score > own).count()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use feature_store::Millis;

    use super::*;
    use crate::look_back::draft_folder;
    use crate::{Models, Options};

    /// Shoppers walk in a circle of 40 items, six at a time.
    fn log() -> Vec<Event> {
        let event = |at: usize| {
            let (session, step) = (at / 6, at % 6);
            Event {
                event_id: format!("{at:06}"),
                shopper_id: format!("s{session}"),
                item_id: format!("i{:02}", (session * 7 + step) % 40),
                occurred_at: Millis(i64::try_from(at).unwrap() * 60_000),
                ..Event::default()
            }
        };
        (0..1_800).map(event).collect()
    }

    fn model(events: &[Event]) -> (tempfile::TempDir, Model) {
        let models = Models::train(events, &[], &Options::default(), &mut |_, _| {}).unwrap();
        let folder = draft_folder().unwrap();
        let model = Model::load(&models.draft(folder.path()).unwrap()).unwrap();
        (folder, model)
    }

    #[test]
    fn learning_never_loses_on_what_it_learns_from_and_repeats_to_the_last_digit() {
        let events = log();
        let (past, fit) = events.split_at(1_200);
        let (_folder, model) = model(past);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build()
                .unwrap()
                .install(|| learn(&model, fit))
                .unwrap()
        };
        let (one, three) = (on(1), on(3));
        assert!(one.after >= one.before && one.before > 0.0, "{one:?}");
        assert_eq!(one.weights, three.weights);
        assert_eq!(one.after.to_bits(), three.after.to_bits());
    }

    #[test]
    fn scores_here_are_the_scores_that_serving_gives() {
        let events = log();
        let (past, fit) = events.split_at(1_200);
        let (_folder, model) = model(past);
        let weights = FusionWeights {
            normalisation: Normalisation::Root,
            weights: [0.7, 1.0, 0.4, 2.0, 0.6, 0.3, 0.5],
            ..FusionWeights::default()
        };
        let model = model.with_fusion(weights.clone()).unwrap();
        let sessions = sessions(fit, GAP);
        let moments = thinned(moments(&sessions), 40);
        for case in collect(&model, &moments).unwrap() {
            let served: BTreeMap<u32, f64> = case
                .named
                .iter()
                .map(|one| (one.ordinal, one.score))
                .collect();
            for one in &case.named {
                let score = Row::of(one, &case.best, weights.normalisation).score(&weights);
                assert!(
                    (score - served[&one.ordinal]).abs() < 1e-9,
                    "{one:?} {score}"
                );
            }
        }
    }

    #[test]
    fn a_log_that_shows_nothing_keeps_the_defaults() {
        let events = log();
        let (_folder, model) = model(&events);
        let learned = learn(&model, &events[..6]).unwrap();
        assert_eq!(learned.weights, FusionWeights::default());
        assert!(learned.describe().contains("too few"));
    }

    #[test]
    fn the_earlier_of_equals_comes_first() {
        let scores = [1.0, 2.0, 1.0, 3.0, 1.0];
        let places: Vec<usize> = (0..5).map(|at| place(&scores, at)).collect();
        assert_eq!(places, [2, 1, 3, 0, 4]);
    }
}
