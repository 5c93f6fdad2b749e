//! The weights of the sources, fitted to moments that the models have not seen.
//!
//! What each source says at each moment is collected once; then weight and normalisation of one
//! source after the other are moved over a grid to where MRR@20 of the next item plus recall@20 of
//! the rest of the session is greatest (of baskets, whose order says nothing, nDCG@20 plus
//! recall@20), until a round moves none. A source only moves for a gain
//! that is worth it, so that one that makes no difference keeps its default.

use feature_store::Event;
use rayon::prelude::*;
use retrieval::{
    Candidate, FusionWeights, Gate, Model, Normalisation, Query, Source, SourceWeight,
};

use crate::Error;
use crate::metrics::real;
use crate::moments::{Moment, moments, query, thinned};
use crate::sessions::{GAP, sessions};

/// Moments that weights are fitted to, at most and at least.
const MOST: usize = 1_000;
const FEWEST: usize = 50;
const PLACES: usize = 20;
/// Items that each source names, as serving asks.
const DEPTH: usize = 100;
const ROUNDS: usize = 3;
/// A move has to gain this part of the objective.
const WORTH: f64 = 0.002;
const GRID: [f64; 10] = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0];
/// Popularity may break ties and no more: what is popular is known to everybody.
const POPULAR_GRID: [f64; 5] = [0.0, 0.1, 0.25, 0.5, 1.0];
/// Other settings that are tried with the weights found.
const NEWEST: f32 = 0.1;
const PRICE_BANDS: u32 = 4;

/// What was learned, and what it gained on the moments that it was learned from.
#[derive(Clone, Debug)]
pub(crate) struct LearnedFusion {
    pub(crate) weights: FusionWeights,
    pub(crate) moments: usize,
    /// The objective with the defaults and with the weights.
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
        format!(
            "{}: the objective on {moments} moments {before:.4} → {after:.4}",
            weights.describe()
        )
    }
}

/// A question with its right answers.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) query: Query,
    /// What came next, where there is an order; `None` of a basket.
    pub(crate) next: Option<&'a str>,
    /// All that is wanted, each once.
    pub(crate) wanted: Vec<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(moment: &Moment<'a>) -> Self {
        let last = moment.before.last();
        let now = last.map_or(moment.next.occurred_at, |event| event.occurred_at);
        Self {
            query: query(&moment.before, now, Vec::new(), DEPTH),
            next: Some(&moment.next.item_id),
            wanted: moment.rest.clone(),
        }
    }
}

/// Fits the weights to events in the order of time that `model` has not seen.
pub(crate) fn learn(model: &Model, fit: &[Event]) -> Result<LearnedFusion, Error> {
    let sessions = sessions(fit, GAP);
    let moments = thinned(moments(&sessions), MOST);
    learn_from(model, &moments.iter().map(Asked::of).collect::<Vec<_>>())
}

/// Fits the weights to questions about what `model` has not seen.
pub(crate) fn learn_from(model: &Model, moments: &[Asked<'_>]) -> Result<LearnedFusion, Error> {
    let mut best = LearnedFusion {
        weights: FusionWeights::default(),
        moments: moments.len(),
        before: 0.0,
        after: 0.0,
    };
    if moments.len() < FEWEST {
        return Ok(best);
    }
    let table = Table::collect(model, &best.weights, moments)?;
    best.before = table.objective(&best.weights);
    (best.weights, best.after) = table.ascend(&best.weights);
    let newest = FusionWeights {
        newest: NEWEST,
        ..best.weights.clone()
    };
    best.try_also(model, &newest, moments)?;
    let banded = FusionWeights {
        price_bands: PRICE_BANDS,
        ..best.weights.clone()
    };
    best.try_also(model, &banded, moments)?;
    Ok(best)
}

impl LearnedFusion {
    /// Takes other settings, with the weights that are best under them, where that is worth it.
    fn try_also(
        &mut self,
        model: &Model,
        start: &FusionWeights,
        moments: &[Asked<'_>],
    ) -> Result<(), Error> {
        let table = Table::collect(model, start, moments)?;
        let (weights, after) = table.ascend(start);
        if after > self.after * (1.0 + WORTH) {
            (self.weights, self.after) = (weights, after);
        }
        Ok(())
    }
}

/// All that any source named at a moment, by ordinal, and where in it the right items are.
struct Case {
    rows: Vec<Row>,
    target: Option<usize>,
    /// Items of the rest of the session that were named, and how many there are in all.
    wanted: Vec<usize>,
    all_wanted: usize,
    is_basket: bool,
    may_rebuy: bool,
}

/// What is said of an item.
struct Row {
    /// What it has whatever the weights.
    base: f64,
    /// What each source adds at weight 1, under each normalisation; popularity the same under all.
    parts: [[f32; Normalisation::ALL.len()]; Source::COUNT],
}

struct Table(Vec<Case>);

impl Table {
    fn collect(model: &Model, how: &FusionWeights, moments: &[Asked<'_>]) -> Result<Self, Error> {
        let model = model.with_fusion(how.clone())?;
        let gate = Gate::open(model.catalogue().len());
        let cases = moments
            .par_iter()
            .map(|moment| Ok(Case::of(moment, &named(&model, &gate, moment)?, &model)))
            .collect::<Result<_, Error>>()?;
        Ok(Self(cases))
    }

    /// The mean gain, summed in the order of the cases whatever the number of threads.
    fn objective(&self, weights: &FusionWeights) -> f64 {
        let gains: Vec<f64> = self
            .0
            .par_iter()
            .map_init(Vec::new, |scores, case| {
                scores.clear();
                scores.extend(case.rows.iter().map(|row| row.score(weights)));
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
                for moved in self.grid(source) {
                    let mut tried = best.clone();
                    tried.sources[source as usize] = moved;
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

    fn grid(&self, source: Source) -> Vec<SourceWeight> {
        let (weights, normalisations): (&[f64], &[Normalisation]) = match source {
            // Where nothing may be answered that was bought, there is nothing to learn of it.
            Source::Rebuy if !self.0.iter().any(|case| case.may_rebuy) => (&[], &[]),
            Source::Popularity => (&POPULAR_GRID, &[Normalisation::Best]),
            Source::Revisit
            | Source::Rebuy
            | Source::Sessions
            | Source::Covisitation
            | Source::Collaborative
            | Source::Content => (&GRID, &Normalisation::ALL),
        };
        let of = |normalisation| {
            let weights = weights.iter();
            weights.map(move |&weight| SourceWeight::new(weight, normalisation))
        };
        normalisations.iter().copied().flat_map(of).collect()
    }
}

/// What any source names at a moment, by ordinal.
fn named(model: &Model, gate: &Gate, asked: &Asked<'_>) -> Result<Vec<Candidate>, Error> {
    let mut named = model.named(&asked.query, gate)?.candidates;
    named.sort_unstable_by_key(|one| one.ordinal);
    Ok(named)
}

impl Row {
    fn of(one: &Candidate, best: &[f64; Source::COUNT]) -> Self {
        let mut parts = [[0.0; Normalisation::ALL.len()]; Source::COUNT];
        let (mut popular, mut is_personal) = (0.0, false);
        for said in &one.sources {
            if said.source == Source::Popularity {
                popular = said.score / 2.0;
            } else {
                is_personal = true;
                let share = said.score / best[said.source as usize];
                parts[said.source as usize] =
                    Normalisation::ALL.map(|how| narrow(how.of(share, said.rank)));
            }
        }
        if is_personal {
            parts[Source::Popularity as usize] = [narrow(popular); Normalisation::ALL.len()];
        }
        Self {
            base: if is_personal { 1.0 } else { popular },
            parts,
        }
    }

    fn score(&self, weights: &FusionWeights) -> f64 {
        let pairs = self.parts.iter().zip(&weights.sources);
        let added =
            pairs.map(|(part, how)| how.weight * f64::from(part[how.normalisation as usize]));
        self.base + added.sum::<f64>()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "half the memory, and enough to compare"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

impl Case {
    fn of(asked: &Asked<'_>, named: &[Candidate], model: &Model) -> Self {
        let mut best = [0.0_f64; Source::COUNT];
        for said in named.iter().flat_map(|one| &one.sources) {
            let greatest = &mut best[said.source as usize];
            *greatest = greatest.max(said.score);
        }
        let place = |item: &str| {
            let ordinal = model.catalogue().ordinal(item)?;
            named.binary_search_by_key(&ordinal, |one| one.ordinal).ok()
        };
        Self {
            target: asked.next.and_then(place),
            wanted: asked.wanted.iter().filter_map(|item| place(item)).collect(),
            all_wanted: asked.wanted.len(),
            is_basket: asked.next.is_none(),
            may_rebuy: asked.query.rebuy,
            rows: named.iter().map(|one| Row::of(one, &best)).collect(),
        }
    }

    fn gain(&self, scores: &[f64]) -> f64 {
        let places = self.wanted.iter().map(|&at| place(scores, at));
        let near: Vec<usize> = places.filter(|place| *place < PLACES).collect();
        let order = if self.is_basket {
            let best: f64 = (0..self.all_wanted.min(PLACES)).map(discount).sum();
            near.iter().copied().map(discount).sum::<f64>() / best.max(1.0)
        } else {
            let target = self.target.map(|at| place(scores, at));
            let target = target.filter(|place| *place < PLACES);
            target.map_or(0.0, |place| 1.0 / real(place + 1))
        };
        order + real(near.len()) / real(self.all_wanted.max(1))
    }
}

/// What an item wanted gains at a place, 0 being the first, as nDCG counts.
fn discount(place: usize) -> f64 {
    1.0 / real(place + 2).log2()
}

/// How many come before the item; of equal ones the earlier ordinal does.
fn place(scores: &[f64], at: usize) -> usize {
    let own = scores[at];
    let before = scores[..at].iter().filter(|&&score| score >= own).count();
    before + scores[at..].iter().filter(|&&score| score > own).count()
}

#[cfg(test)]
mod tests {
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
        let how = Normalisation::ALL.into_iter().cycle();
        let given = [0.7, 1.0, 0.4, 2.0, 0.6, 0.3, 0.5].into_iter().zip(how);
        let mut weights = FusionWeights {
            newest: 0.5,
            ..FusionWeights::default()
        };
        for (to, (weight, how)) in weights.sources.iter_mut().zip(given) {
            *to = SourceWeight::new(weight, how);
        }
        let model = model.with_fusion(weights.clone()).unwrap();
        let gate = Gate::open(model.catalogue().len());
        let sessions = sessions(fit, GAP);
        for moment in thinned(moments(&sessions), 40) {
            let asked = Asked::of(&moment);
            let named = named(&model, &gate, &asked).unwrap();
            let case = Case::of(&asked, &named, &model);
            for (one, row) in named.iter().zip(&case.rows) {
                let score = row.score(&weights);
                assert!((score - one.score).abs() < 1e-5, "{one:?} {score}");
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
