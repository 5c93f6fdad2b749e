mod table;
mod work;

use std::sync::Arc;

use crate::index::check_query;
use crate::simd::dot;
use crate::top::best_first;
use crate::{
    Bitmap, Budget, Error, ExactIndex, FaissIndex, Hit, Index, IndexKind, Plan, ProbeRow,
    SearchParams, SearchReport, VectorIndex, Vectors,
};

pub(crate) use work::Shape;

/// Where full vectors are scanned without asking what it costs.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PlannerSettings {
    /// Below this many rows everything is scanned.
    pub exact_rows: usize,
    /// At most this many allowed rows are scanned.
    pub exact_eligible: u64,
}

impl Default for PlannerSettings {
    fn default() -> Self {
        Self {
            exact_rows: 256,
            exact_eligible: 256,
        }
    }
}

/// One space of vectors with everything to search it: the vectors, an index when there is one,
/// and the measured table that says how far to look.
#[derive(Debug)]
pub struct SpaceIndex {
    exact: ExactIndex,
    index: Index,
    probes: Vec<ProbeRow>,
    settings: PlannerSettings,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Choice {
    /// Full vectors of the allowed rows.
    Full,
    /// Codes of all rows.
    Codes,
    /// Lists of codes until so many allowed rows were seen.
    Lists(Budget),
    /// So many lists of FAISS.
    Faiss(u32),
}

impl SpaceIndex {
    /// # Errors
    /// When the index does not have the rows and the dimension of the vectors.
    pub fn new(
        vectors: Arc<Vectors>,
        index: Index,
        probes: Vec<ProbeRow>,
        settings: PlannerSettings,
    ) -> Result<Self, Error> {
        check_fit(&vectors, &index)?;
        Ok(Self {
            exact: ExactIndex::new(vectors),
            index,
            probes,
            settings,
        })
    }

    #[must_use]
    pub fn vectors(&self) -> &Arc<Vectors> {
        self.exact.vectors()
    }

    #[must_use]
    pub fn kind(&self) -> IndexKind {
        self.index.kind()
    }

    /// The cheapest way that reaches the recall of the table; of two that cost the same the exact
    /// one. It depends on how many rows are asked for and allowed, and on nothing else.
    fn choose(&self, k: usize, eligible: u64) -> Choice {
        let rows = self.exact.len();
        if rows < self.settings.exact_rows
            || eligible <= self.settings.exact_eligible
            || k as u64 >= eligible
        {
            return Choice::Full;
        }
        let shape = self.shape();
        let mut choices = vec![(shape.full(eligible), Choice::Full)];
        choices.extend(self.by_index(&shape, k, eligible));
        let cheapest = choices.into_iter().min_by_key(|(work, _)| *work);
        cheapest.map_or(Choice::Full, |(_, choice)| choice)
    }

    /// What the index offers, with its work.
    fn by_index(&self, shape: &Shape, k: usize, eligible: u64) -> Vec<(u64, Choice)> {
        let selectivity = share(eligible, shape.rows);
        let effort = table::effort(&self.probes, k, selectivity);
        let (k, filtered) = (k as u64, eligible < shape.rows);
        match &self.index {
            Index::Scan => Vec::new(),
            Index::Codes(_) => vec![(shape.codes(k, eligible), Choice::Codes)],
            Index::Lists(_) => {
                let all = (shape.lists(k, shape.rows, filtered), Choice::Codes);
                let some = effort.filter(|effort| effort.budget.uneven < eligible);
                let some = some.map(|effort| {
                    let work = shape.lists(k, effort.scanned, filtered);
                    (work, Choice::Lists(effort.budget))
                });
                [all].into_iter().chain(some).collect()
            }
            Index::Faiss(index) => {
                let nprobe = match (effort, self.probes.is_empty()) {
                    (Some(effort), _) => effort.nprobe.clamp(1, index.lists()),
                    (None, true) => guess(selectivity, index.lists()),
                    (None, false) => return Vec::new(),
                };
                let work = shape.faiss(k, index.rows_of(nprobe));
                vec![(work, Choice::Faiss(nprobe))]
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape {
            rows: self.exact.len() as u64,
            dimension: self.exact.dimension() as u64,
            lists: u64::from(self.index.lists()),
        }
    }
}

impl VectorIndex for SpaceIndex {
    fn dimension(&self) -> usize {
        self.exact.dimension()
    }

    fn len(&self) -> usize {
        self.exact.len()
    }

    fn search(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&Bitmap>,
        out: &mut Vec<Hit>,
    ) -> Result<SearchReport, Error> {
        check_query(self, query, k, allowed)?;
        let eligible = allowed.map_or(self.len() as u64, Bitmap::count);
        match (self.choose(k, eligible), &self.index) {
            (Choice::Codes, Index::Codes(index) | Index::Lists(index)) => {
                index.search(query, k, allowed, out)
            }
            (Choice::Lists(budget), Index::Lists(index)) => {
                index.search_with(query, k, budget, allowed, out)
            }
            (Choice::Faiss(nprobe), Index::Faiss(index)) => {
                let params = SearchParams { nprobe };
                let report = probe(index, self.vectors(), query, k, params, allowed, out)?;
                // The lists probed may hold fewer allowed rows than asked for, although there are
                // enough elsewhere. That is the one case in which probing alone would lie.
                if out.len() == k {
                    return Ok(report);
                }
                self.exact.search(query, k, allowed, out)
            }
            (Choice::Full | Choice::Codes | Choice::Lists(_) | Choice::Faiss(_), _) => {
                self.exact.search(query, k, allowed, out)
            }
        }
    }
}

/// Searches the index for twice as many, and keeps the best by their full vectors: 8-bit codes
/// misplace rows near the k-th.
pub(crate) fn probe(
    index: &FaissIndex,
    vectors: &Vectors,
    query: &[f32],
    k: usize,
    params: SearchParams,
    allowed: Option<&Bitmap>,
    out: &mut Vec<Hit>,
) -> Result<SearchReport, Error> {
    let report = index.search_with(query, k.saturating_mul(2), params, allowed, out)?;
    for hit in out.iter_mut() {
        hit.score = vectors
            .row(hit.id)
            .map_or(f32::NEG_INFINITY, |row| dot(query, row));
    }
    out.sort_unstable_by(best_first);
    out.truncate(k);
    // Codes are rounded, so even a probe of every list is not a scan of the vectors.
    Ok(SearchReport {
        plan: Plan::Approximate,
        ..report
    })
}

/// Without measurements: an eighth of the lists, more as the filter narrows.
fn guess(selectivity: f64, lists: u32) -> u32 {
    let wanted = f64::from(lists) / 8.0 / selectivity.max(1e-6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is clamped to the range of the type"
    )]
    let probes = wanted.clamp(1.0, f64::from(lists.max(1))) as u32;
    probes
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn check_fit(vectors: &Vectors, index: &Index) -> Result<(), Error> {
    let (rows, dimension) = match index {
        Index::Scan => return Ok(()),
        Index::Codes(index) | Index::Lists(index) => (index.len(), index.dimension()),
        Index::Faiss(index) => (index.len(), index.dimension()),
    };
    if dimension != vectors.dimension() {
        return Err(Error::Dimension {
            expected: vectors.dimension(),
            found: dimension,
        });
    }
    if rows != vectors.len() {
        return Err(Error::Invalid {
            field: "index",
            value: format!("{rows} rows over {} vectors", vectors.len()),
            allowed: "it must hold every vector",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_grow_as_the_filter_narrows_when_nothing_was_measured() {
        assert!(guess(0.01, 1024) > guess(1.0, 1024));
        assert_eq!(guess(1e-9, 64), 64);
    }
}
