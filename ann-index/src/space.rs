use std::sync::Arc;

use crate::ffi::dot;
use crate::index::check_query;
use crate::top::best_first;
use crate::{
    Bitmap, Error, ExactIndex, FaissIndex, Hit, Plan, ProbeRow, SearchParams, SearchReport,
    VectorIndex, Vectors,
};

/// Where the exact scan is taken without asking the probe table.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PlannerSettings {
    /// Below this many rows everything is scanned: as quick as an index, and never wrong.
    pub exact_rows: usize,
    /// At most this many allowed rows are scanned.
    pub exact_eligible: u64,
}

impl Default for PlannerSettings {
    fn default() -> Self {
        Self {
            exact_rows: 50_000,
            exact_eligible: 20_000,
        }
    }
}

/// One space of vectors with everything to search it: the vectors, an index when there is one,
/// and the measured table that says how far to probe.
#[derive(Debug)]
pub struct SpaceIndex {
    exact: ExactIndex,
    index: Option<FaissIndex>,
    probes: Vec<ProbeRow>,
    settings: PlannerSettings,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Choice {
    Scan,
    Probe(u32),
}

impl SpaceIndex {
    /// # Errors
    /// When the index does not have the rows and the dimension of the vectors.
    pub fn new(
        vectors: Arc<Vectors>,
        index: Option<FaissIndex>,
        probes: Vec<ProbeRow>,
        settings: PlannerSettings,
    ) -> Result<Self, Error> {
        if let Some(index) = &index {
            check_fit(&vectors, index)?;
        }
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
    pub fn index(&self) -> Option<&FaissIndex> {
        self.index.as_ref()
    }

    /// The index and how far to probe it, or the scan.
    fn choose(&self, k: usize, eligible: u64) -> (Option<&FaissIndex>, Choice) {
        let rows = self.exact.len();
        let Some(index) = self.index.as_ref().filter(|index| index.lists() > 0) else {
            return (None, Choice::Scan);
        };
        if rows < self.settings.exact_rows
            || eligible <= self.settings.exact_eligible
            || k as u64 >= eligible
        {
            return (None, Choice::Scan);
        }
        match probes_for(&self.probes, k, share(eligible, rows as u64), index.lists()) {
            // An index has to look at every row of a list it probes, allowed or not; when that
            // is more than there are allowed rows, scanning those is both cheaper and exact.
            Some(probes)
                if rows as u64 * u64::from(probes) / u64::from(index.lists()) < eligible =>
            {
                (Some(index), Choice::Probe(probes))
            }
            Some(_) | None => (None, Choice::Scan),
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
        if let (Some(index), Choice::Probe(nprobe)) = self.choose(k, eligible) {
            let params = SearchParams { nprobe };
            let report = probe(index, self.vectors(), query, k, params, allowed, out)?;
            // The lists probed may hold fewer allowed rows than asked for, although there are
            // enough elsewhere. That is the one case in which probing alone would lie.
            if out.len() == k {
                return Ok(report);
            }
        }
        self.exact.search(query, k, allowed, out)
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

/// A filter that leaves this much less than was measured counts as measured. Without it, a cart's
/// own items left out of a full table would cost the probes of the next narrower band.
const SLACK: f64 = 0.02;

/// Lists to probe by the table, or `None` when it measured nothing as narrow as this.
///
/// Rows for the nearest `k` that is not smaller, and the widest share of allowed rows that is not
/// above this one, are on the safe side; of several filter shapes the most demanding counts.
fn probes_for(table: &[ProbeRow], k: usize, selectivity: f64, lists: u32) -> Option<u32> {
    if table.is_empty() {
        return Some(guess(selectivity, lists));
    }
    let k = u32::try_from(k).unwrap_or(u32::MAX);
    let row_k = table
        .iter()
        .map(|row| row.k)
        .filter(|&row_k| row_k >= k)
        .min();
    let row_k = row_k.or_else(|| table.iter().map(|row| row.k).max())?;
    let fitting = || {
        let usable = |row: &&ProbeRow| row.k == row_k && row.selectivity <= selectivity + SLACK;
        table.iter().filter(usable)
    };
    let band = fitting()
        .map(|row| row.selectivity)
        .max_by(f64::total_cmp)?;
    let probes = fitting()
        .filter(|row| row.selectivity >= band)
        .map(|row| row.nprobe)
        .max()?;
    // More hits than were measured for are spread over more lists.
    let wider = u64::from(probes) * u64::from(k.max(row_k)) / u64::from(row_k.max(1));
    Some(u32::try_from(wider).unwrap_or(lists).clamp(1, lists))
}

/// Without measurements: an eighth of the lists, more as the filter narrows.
fn guess(selectivity: f64, lists: u32) -> u32 {
    let wanted = f64::from(lists) / 8.0 / selectivity.max(1e-6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is clamped to the range of the type"
    )]
    let probes = wanted.clamp(1.0, f64::from(lists)) as u32;
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

fn check_fit(vectors: &Vectors, index: &FaissIndex) -> Result<(), Error> {
    if index.dimension() != vectors.dimension() {
        return Err(Error::Dimension {
            expected: vectors.dimension(),
            found: index.dimension(),
        });
    }
    if index.len() != vectors.len() {
        return Err(Error::Invalid {
            field: "index",
            value: format!("{} rows over {} vectors", index.len(), vectors.len()),
            allowed: "it must hold every vector",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MaskKind;

    fn row(k: u32, selectivity: f64, kind: MaskKind, nprobe: u32) -> ProbeRow {
        ProbeRow {
            k,
            selectivity,
            kind,
            nprobe,
            recall: 0.95,
        }
    }

    #[test]
    fn the_table_answers_on_the_safe_side() {
        let table = [
            row(100, 1.0, MaskKind::Random, 8),
            row(100, 0.5, MaskKind::Random, 10),
            row(100, 0.5, MaskKind::Clustered, 20),
            row(100, 0.1, MaskKind::Random, 40),
            row(500, 1.0, MaskKind::Random, 30),
        ];
        assert_eq!(probes_for(&table, 50, 1.0, 256), Some(8));
        assert_eq!(
            probes_for(&table, 100, 0.9, 256),
            Some(20),
            "most demanding shape"
        );
        assert_eq!(probes_for(&table, 100, 0.2, 256), Some(40));
        assert_eq!(
            probes_for(&table, 100, 0.05, 256),
            None,
            "narrower than measured"
        );
        assert_eq!(
            probes_for(&table, 200, 1.0, 256),
            Some(30),
            "next k that was measured"
        );
        assert_eq!(
            probes_for(&table, 1_000, 1.0, 256),
            Some(60),
            "beyond the largest k"
        );
        assert_eq!(
            probes_for(&table, 1_000, 1.0, 40),
            Some(40),
            "never more than there are"
        );
    }

    #[test]
    fn probes_grow_as_the_filter_narrows_when_nothing_was_measured() {
        assert!(guess(0.01, 1024) > guess(1.0, 1024));
        assert_eq!(guess(1e-9, 64), 64);
    }
}
