use std::sync::Arc;

use super::faiss::tune_with;
use super::{ProbeRow, TuneSettings, tune_lists};
use crate::space::Shape;
use crate::{
    BuildParams, CodeIndex, Error, ExactIndex, FaissIndex, Index, IndexKind, VectorIndex, Vectors,
};

/// Fewer rows than this are not worth a list: their codes are scanned in a few microseconds.
const ENOUGH_FOR_LISTS: usize = 5_000;
/// Fewer rows than this are not worth codes.
const ENOUGH_FOR_CODES: usize = 256;
/// More rows than this get one number of lists and no candidate of FAISS: every candidate costs a
/// k-means over a sample of all rows.
const MANY: usize = 250_000;
/// Lists tried, in square roots of the number of rows.
const LISTS: [usize; 2] = [4, 8];
/// Fewer queries than this say too little: the answer stays exact.
const ENOUGH_QUERIES: usize = 30;
/// An answer that is not exact must cost at most one part in so many of one that is.
const WORTH: u64 = 2;

/// The index that was chosen, its table, and what else was measured.
#[derive(Debug)]
pub struct Chosen {
    pub index: Index,
    /// Empty for an index that needs no table, because it is exact.
    pub probes: Vec<ProbeRow>,
    pub considered: Vec<Considered>,
}

/// A candidate: what a search with it costs, and the least recall of its table.
#[derive(Clone, Debug, PartialEq)]
pub struct Considered {
    pub kind: IndexKind,
    pub lists: u32,
    /// Bytes that a search brings in, in the mean over ks and bands.
    pub work: u64,
    pub recall: f64,
}

/// What to choose from and how to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct ChooseSettings {
    /// Kinds that may be chosen; a scan always may.
    pub kinds: Vec<IndexKind>,
    /// Seed of k-means.
    pub seed: u32,
    pub threads: u32,
    pub tune: TuneSettings,
}

impl Default for ChooseSettings {
    fn default() -> Self {
        Self {
            kinds: IndexKind::ALL.to_vec(),
            seed: 1,
            threads: 2,
            tune: TuneSettings::default(),
        }
    }
}

/// Builds the index with the least work that reaches the target in every band, of the kinds
/// allowed. Exact ones always do; another must be worth it. With fewer than 30 queries (row-major,
/// from held-out carts) the answer stays exact.
///
/// # Errors
/// Queries of another dimension or not finite, a build that fails.
pub fn choose(
    vectors: &Arc<Vectors>,
    queries: &[f32],
    settings: &ChooseSettings,
) -> Result<Chosen, Error> {
    let contest = Contest {
        vectors,
        queries,
        settings,
    };
    let codes = contest.codes();
    let mut exact = vec![contest.weigh(IndexKind::Scan, 0, &[])];
    if codes.is_some() && settings.kinds.contains(&IndexKind::Codes) {
        exact.push(contest.weigh(IndexKind::Codes, 0, &[]));
    }
    let rest = match &codes {
        Some(codes) => contest.approximate(codes)?,
        None => contest.approximate(&ExactIndex::new(Arc::clone(vectors)))?,
    };
    let cheapest = |of: &[Considered]| of.iter().min_by_key(|one| one.work).cloned();
    let bar = cheapest(&exact).map_or(0, |best| best.work / WORTH);
    let considered = exact.iter().chain(rest.iter().map(|(one, _, _)| one));
    let considered = considered.cloned().collect();
    let target = settings.tune.target_recall;
    let worth = rest
        .into_iter()
        .filter(|(one, _, _)| one.work <= bar && one.recall >= target)
        .min_by_key(|(one, _, _)| one.work);
    let (index, probes) = match (worth, cheapest(&exact), codes) {
        (Some((_, index, probes)), _, _) => (index, probes),
        (None, Some(best), Some(codes)) if best.kind == IndexKind::Codes => {
            (Index::Codes(codes), Vec::new())
        }
        (None, _, _) => (Index::Scan, Vec::new()),
    };
    Ok(Chosen {
        index,
        probes,
        considered,
    })
}

type Candidate = (Considered, Index, Vec<ProbeRow>);

struct Contest<'a> {
    vectors: &'a Arc<Vectors>,
    queries: &'a [f32],
    settings: &'a ChooseSettings,
}

impl Contest<'_> {
    /// `None` when there are too few rows, or numbers that codes cannot hold.
    fn codes(&self) -> Option<CodeIndex> {
        let enough = self.vectors.len() >= ENOUGH_FOR_CODES;
        let build = || CodeIndex::build_scan(Arc::clone(self.vectors)).ok();
        enough.then(build).flatten()
    }

    /// Every candidate that is not exact, with its table.
    fn approximate(&self, exact: &dyn VectorIndex) -> Result<Vec<Candidate>, Error> {
        let ChooseSettings { kinds, tune, .. } = self.settings;
        let rows = self.vectors.len();
        let enough = self.queries.len() / self.vectors.dimension() >= ENOUGH_QUERIES;
        let mut candidates = Vec::new();
        if rows < ENOUGH_FOR_LISTS || !enough {
            return Ok(candidates);
        }
        let [few, more] = LISTS;
        let numbers: &[usize] = if rows > MANY { &[more] } else { &[few, more] };
        if kinds.contains(&IndexKind::Lists) {
            for &roots in numbers {
                let params = self.params(roots);
                // Numbers that codes cannot hold leave the other kinds.
                let Ok(index) = CodeIndex::build_lists(Arc::clone(self.vectors), &params) else {
                    continue;
                };
                let table = tune_lists(&index, exact, self.queries, tune)?;
                let considered = self.weigh(IndexKind::Lists, index.lists(), &table);
                candidates.push((considered, Index::Lists(index), table));
            }
        }
        if kinds.contains(&IndexKind::Faiss) && (rows <= MANY || kinds.len() == 1) {
            let vectors = self.vectors;
            let params = self.params(few);
            let index =
                FaissIndex::build_ivf_sq8(vectors.as_slice(), vectors.dimension(), &params)?;
            let table = tune_with(&index, exact, vectors, self.queries, tune)?;
            let considered = self.weigh(IndexKind::Faiss, index.lists(), &table);
            candidates.push((considered, Index::Faiss(index), table));
        }
        Ok(candidates)
    }

    fn params(&self, roots: usize) -> BuildParams {
        let rows = self.vectors.len();
        let lists = (rows.isqrt() * roots).min(rows / 16).clamp(1, 65_536);
        BuildParams {
            nlist: u32::try_from(lists).unwrap_or(1),
            iterations: 6,
            seed: self.settings.seed,
            threads: self.settings.threads,
        }
    }

    /// Weighs a kind as serving will use it: whatever it is, where few rows are allowed those are
    /// scored by their full vectors.
    fn weigh(&self, kind: IndexKind, lists: u32, table: &[ProbeRow]) -> Considered {
        let shape = Shape {
            rows: self.vectors.len() as u64,
            dimension: self.vectors.dimension() as u64,
            lists: u64::from(lists),
        };
        let TuneSettings { ks, bands, .. } = &self.settings.tune;
        let mut works = Vec::new();
        for &selectivity in bands {
            for &k in ks {
                let rows = table
                    .iter()
                    .filter(|row| (row.k, row.selectivity.to_bits()) == (k, selectivity.to_bits()));
                let scanned = rows.map(|row| row.scanned).max().unwrap_or(0);
                let (k, filtered) = (u64::from(k), selectivity < 1.0);
                let eligible = portion(shape.rows, selectivity);
                let by_index = match kind {
                    IndexKind::Scan => u64::MAX,
                    IndexKind::Codes => shape.codes(k, eligible),
                    IndexKind::Lists => shape.lists(k, scanned, filtered),
                    IndexKind::Faiss => shape.faiss(k, scanned),
                };
                works.push(by_index.min(shape.full(eligible)));
            }
        }
        Considered {
            kind,
            lists,
            work: works.iter().sum::<u64>() / works.len().max(1) as u64,
            recall: table.iter().map(|row| row.recall).fold(1.0, f64::min),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "row counts are far below 2^52"
)]
fn portion(rows: u64, selectivity: f64) -> u64 {
    (rows as f64 * selectivity) as u64
}
