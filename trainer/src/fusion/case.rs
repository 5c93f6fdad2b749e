//! What every source says at one moment, and how good an order of it is.

use std::collections::BTreeMap;

use retrieval::{Candidate, FusionWeights, Gate, Model, Normalisation, Source, SourceWeight};

use super::Asked;
use super::table::SHARES;
use crate::Error;
use crate::metrics::real;

const PLACES: usize = 20;

/// All that any source named at a moment, by ordinal, and where in it the right items are.
pub(super) struct Case {
    pub(super) rows: Vec<Row>,
    target: Option<usize>,
    /// Items of the rest of the session that were named, and how many there are in all.
    wanted: Vec<usize>,
    all_wanted: usize,
    is_basket: bool,
    pub(super) may_rebuy: bool,
}

/// What is said of an item by each source under each of [`SHARES`].
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) ordinal: u32,
    /// Whether the shopper dealt with it last.
    is_newest: bool,
    said: [[Said; SHARES.len()]; Source::COUNT],
}

/// Score against the source's best, 0 when it says nothing, and rank; of popularity what it adds
/// at weight 1.
#[derive(Copy, Clone, Debug, Default)]
struct Said {
    share: f32,
    rank: u32,
}

/// What all sources but one make of a row.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Rest {
    /// What they add.
    sum: f64,
    /// Whether any but popularity names the item.
    is_personal: bool,
    /// The whole score of an item that is only popular.
    filler: f64,
}

/// Memory for the scores of one case: those of its rows are `fixed` + weight × `moving`.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    rest: Vec<Rest>,
    /// What `fixed` and `moving` were made for.
    made_for: Option<SourceWeight>,
    fixed: Vec<f64>,
    moving: Vec<f64>,
    scores: Vec<f64>,
    sorted: Vec<f64>,
}

/// Which of [`SHARES`] a source has.
fn place_of(share: f32) -> usize {
    let place = SHARES.iter().position(|known| *known <= share);
    place.unwrap_or(SHARES.len() - 1)
}

impl Row {
    fn said(&self, source: Source, earlier: f32) -> Said {
        self.said[source as usize][place_of(earlier)]
    }

    pub(super) fn rest(&self, weights: &FusionWeights, without: Source) -> Rest {
        let mut rest = Rest::default();
        for source in Source::ALL.into_iter().filter(|one| *one != without) {
            let how = weights.of(source);
            let said = self.said(source, how.earlier);
            let adds = said.adds(source, how.normalisation);
            rest.sum += how.weight * adds * self.again(source, weights.again);
            if source == Source::Popularity {
                rest.filler = f64::from(said.share);
            } else {
                rest.is_personal |= said.share > 0.0;
            }
        }
        rest
    }

    /// What becomes of what a source adds.
    fn again(&self, source: Source, again: f32) -> f64 {
        if self.is_newest && source == Source::Revisit {
            f64::from(again)
        } else {
            1.0
        }
    }

    /// The score when a source has weight 0, and what it adds for each 1 of its weight.
    pub(super) fn parts(
        &self,
        rest: Rest,
        source: Source,
        how: SourceWeight,
        again: f32,
    ) -> (f64, f64) {
        let said = self.said(source, how.earlier);
        let adds = self.again(source, again) * said.adds(source, how.normalisation);
        let is_popularity = source == Source::Popularity;
        if rest.is_personal || !is_popularity && said.share > 0.0 {
            (1.0 + rest.sum, adds)
        } else if is_popularity {
            (adds, 0.0)
        } else {
            (rest.filler, 0.0)
        }
    }
}

impl Said {
    /// At weight 1.
    fn adds(self, source: Source, normalisation: Normalisation) -> f64 {
        let share = f64::from(self.share);
        if source == Source::Popularity || self.share <= 0.0 {
            share
        } else {
            normalisation.of(share, self.rank)
        }
    }
}

impl Lanes {
    /// Makes ready to weigh one source of a case in many ways; the weights say how the others are.
    pub(super) fn begin(&mut self, case: &Case, source: Source, weights: &FusionWeights) {
        self.made_for = None;
        self.rest.clear();
        let rows = case.rows.iter();
        self.rest.extend(rows.map(|row| row.rest(weights, source)));
    }

    /// Scores of the case that this was begun with, and memory to find the best among them.
    pub(super) fn scores(
        &mut self,
        case: &Case,
        source: Source,
        how: SourceWeight,
        again: f32,
    ) -> (&[f64], &mut Vec<f64>) {
        let unit = SourceWeight { weight: 1.0, ..how };
        if self.made_for != Some(unit) {
            self.made_for = Some(unit);
            let rows = case.rows.iter().zip(&self.rest);
            let parts = rows.map(|(row, rest)| row.parts(*rest, source, how, again));
            (self.fixed, self.moving) = parts.unzip();
        }
        self.scores.clear();
        let rows = self.fixed.iter().zip(&self.moving);
        self.scores
            .extend(rows.map(|(fixed, moving)| fixed + how.weight * moving));
        (&self.scores, &mut self.sorted)
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
    pub(super) fn of(asked: &Asked<'_>, models: &[Model], gate: &Gate) -> Result<Self, Error> {
        let newest = newest(asked, models);
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        for (at, model) in models.iter().enumerate() {
            let named = model.named(&asked.query, gate)?.candidates;
            let best = best(&named);
            for one in &named {
                let row = rows.entry(one.ordinal).or_default();
                (row.ordinal, row.is_newest) = (one.ordinal, newest == Some(one.ordinal));
                for said in &one.sources {
                    let best = best[said.source as usize];
                    row.said[said.source as usize][at] = Said {
                        share: narrow(said.score / best),
                        rank: said.rank,
                    };
                }
            }
        }
        let ordinals: Vec<u32> = rows.keys().copied().collect();
        let place = |item: &str| {
            let ordinal = models.first()?.catalogue().ordinal(item)?;
            ordinals.binary_search(&ordinal).ok()
        };
        Ok(Self {
            target: asked.next.and_then(place),
            wanted: asked.wanted.iter().filter_map(|item| place(item)).collect(),
            all_wanted: asked.wanted.len(),
            is_basket: asked.next.is_none(),
            may_rebuy: asked.query.rebuy,
            rows: rows.into_values().collect(),
        })
    }

    /// Whether a source names anything.
    pub(super) fn is_told_by(&self, source: Source) -> bool {
        let said = |row: &Row| {
            row.said[source as usize]
                .iter()
                .any(|said| said.share > 0.0)
        };
        self.rows.iter().any(said)
    }

    /// What the scores are worth; `sorted` is memory.
    pub(super) fn gain(&self, (scores, sorted): (&[f64], &mut Vec<f64>)) -> f64 {
        let least = least_near(scores, sorted);
        let wanted = self.wanted.iter().filter(|&&at| scores[at] >= least);
        let places = wanted.map(|&at| place(scores, at));
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

/// The known item that the shopper dealt with last.
fn newest(asked: &Asked<'_>, models: &[Model]) -> Option<u32> {
    let catalogue = models.first()?.catalogue();
    let recent = asked.query.recent.iter();
    let known = recent.filter_map(|one| Some((one.age, catalogue.ordinal(&one.item_id)?)));
    known
        .min_by_key(|(age, _)| *age)
        .map(|(_, ordinal)| ordinal)
}

/// The greatest score of each source; of popularity 2, so that a share is what it adds.
fn best(named: &[Candidate]) -> [f64; Source::COUNT] {
    let mut best = [0.0_f64; Source::COUNT];
    for said in named.iter().flat_map(|one| &one.sources) {
        let greatest = &mut best[said.source as usize];
        *greatest = greatest.max(said.score);
    }
    best[Source::Popularity as usize] = 2.0;
    best
}

/// The score that an item needs at least to be near the top: few are counted out that have it.
fn least_near(scores: &[f64], sorted: &mut Vec<f64>) -> f64 {
    if scores.len() <= PLACES {
        return f64::NEG_INFINITY;
    }
    sorted.clear();
    sorted.extend_from_slice(scores);
    let (_, least, _) = sorted.select_nth_unstable_by(PLACES - 1, |a, b| b.total_cmp(a));
    *least
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
    use super::*;

    #[test]
    fn the_earlier_of_equals_comes_first() {
        let scores = [1.0, 2.0, 1.0, 3.0, 1.0];
        let places: Vec<usize> = (0..5).map(|at| place(&scores, at)).collect();
        assert_eq!(places, [2, 1, 3, 0, 4]);
    }
}
