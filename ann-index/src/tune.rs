use crate::space::probe;
use crate::{
    Bitmap, Error, ExactIndex, FaissIndex, Hit, SearchParams, VectorIndex, Vectors, recall,
};
use std::sync::Arc;

/// Shape of a filter to measure with.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum MaskKind {
    /// Rows drawn evenly, as by stock.
    Random,
    /// The rows nearest to one row, as by a category: what is allowed lies together, and away
    /// from most queries.
    Clustered,
}

impl MaskKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Clustered => "clustered",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Random, Self::Clustered]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// The fewest lists that reached the target, and the recall measured with them.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct ProbeRow {
    pub k: u32,
    /// Share of allowed rows, 0 to 1.
    pub selectivity: f64,
    pub kind: MaskKind,
    pub nprobe: u32,
    pub recall: f64,
}

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct TuneSettings {
    pub ks: Vec<u32>,
    /// Mean recall to reach, 0 to 1.
    pub target_recall: f64,
    /// Shares of allowed rows.
    pub bands: Vec<f64>,
    pub seed: u64,
}

impl Default for TuneSettings {
    fn default() -> Self {
        Self {
            ks: vec![100],
            target_recall: 0.97,
            bands: vec![1.0, 0.5, 0.2, 0.1],
            seed: 1,
        }
    }
}

/// Finds, for each k, share and shape, the fewest lists whose mean recall over `queries` (row-major,
/// from held-out carts: queries that are items overstate recall) reaches the target. When even all
/// lists do not, the row says what they reach.
///
/// # Errors
/// Queries of another dimension or not finite, no queries, an index without lists.
pub fn tune(
    index: &FaissIndex,
    vectors: &Arc<Vectors>,
    queries: &[f32],
    settings: &TuneSettings,
) -> Result<Vec<ProbeRow>, Error> {
    let queries = Vectors::new(queries.to_vec(), vectors.dimension())?;
    if queries.is_empty() || index.lists() == 0 {
        let value = format!("{} queries, {} lists", queries.len(), index.lists());
        return Err(Error::Invalid {
            field: "tune",
            value,
            allowed: "at least one of each",
        });
    }
    let bench = Bench {
        index,
        exact: ExactIndex::new(Arc::clone(vectors)),
        queries,
    };
    let mut rows = Vec::new();
    for &selectivity in &settings.bands {
        for kind in shapes(selectivity) {
            let allowed = mask(vectors, *kind, selectivity, settings.seed);
            for &k in &settings.ks {
                let truth = bench.truth(k as usize, &allowed)?;
                let (nprobe, recall) =
                    bench.fewest(k as usize, &allowed, &truth, settings.target_recall)?;
                rows.push(ProbeRow {
                    k,
                    selectivity,
                    kind: *kind,
                    nprobe,
                    recall,
                });
            }
        }
    }
    Ok(rows)
}

/// All rows have no shape.
fn shapes(selectivity: f64) -> &'static [MaskKind] {
    if selectivity >= 1.0 {
        &[MaskKind::Random]
    } else {
        &[MaskKind::Random, MaskKind::Clustered]
    }
}

/// A filter of the shape and share asked for, the same for the same arguments.
#[must_use]
pub fn mask(vectors: &Arc<Vectors>, kind: MaskKind, selectivity: f64, seed: u64) -> Bitmap {
    let rows = vectors.len();
    let wanted = portion(rows, selectivity);
    if wanted == rows {
        return Bitmap::full(rows);
    }
    let mut ranked: Vec<(u64, u32)> = match kind {
        MaskKind::Random => (0u32..)
            .take(rows)
            .map(|id| (mix(seed ^ mix(u64::from(id))), id))
            .collect(),
        MaskKind::Clustered => return nearest_mask(vectors, wanted, seed),
    };
    ranked.select_nth_unstable(wanted.saturating_sub(1).min(rows - 1));
    Bitmap::from_ids(rows, ranked.into_iter().take(wanted).map(|(_, id)| id))
}

fn nearest_mask(vectors: &Arc<Vectors>, wanted: usize, seed: u64) -> Bitmap {
    let rows = vectors.len();
    let center = u32::try_from(mix(seed) % (rows.max(1) as u64)).unwrap_or(0);
    let mut near = Vec::new();
    let query = vectors.row(center).unwrap_or(&[]);
    // A search over a table's own row can only fail when there is no row, and then no bit is set.
    let _ = ExactIndex::new(Arc::clone(vectors)).search(query, wanted.max(1), None, &mut near);
    Bitmap::from_ids(rows, near.iter().take(wanted).map(|hit| hit.id))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "row counts are far below 2^52 and the share is clamped"
)]
fn portion(rows: usize, selectivity: f64) -> usize {
    (rows as f64 * selectivity.clamp(0.0, 1.0)).round() as usize
}

/// SplitMix64's finaliser: a fixed function, so that masks are the same everywhere.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

struct Bench<'a> {
    index: &'a FaissIndex,
    exact: ExactIndex,
    queries: Vectors,
}

impl Bench<'_> {
    fn each_query(&self) -> impl Iterator<Item = &[f32]> {
        self.queries
            .as_slice()
            .chunks_exact(self.queries.dimension())
    }

    fn truth(&self, k: usize, allowed: &Bitmap) -> Result<Vec<Vec<Hit>>, Error> {
        let one = |query| {
            let mut hits = Vec::new();
            self.exact
                .search(query, k, Some(allowed), &mut hits)
                .map(|_| hits)
        };
        self.each_query().map(one).collect()
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of queries are far below 2^52"
    )]
    fn recall_at(
        &self,
        nprobe: u32,
        k: usize,
        allowed: &Bitmap,
        truth: &[Vec<Hit>],
    ) -> Result<f64, Error> {
        let mut sum = 0.0;
        let mut hits = Vec::new();
        for (query, expected) in self.each_query().zip(truth) {
            let params = SearchParams { nprobe };
            let vectors = self.exact.vectors();
            probe(
                self.index,
                vectors,
                query,
                k,
                params,
                Some(allowed),
                &mut hits,
            )?;
            sum += recall(expected, &hits);
        }
        Ok(sum / truth.len() as f64)
    }

    /// Doubles the lists until the target is met, then halves the gap.
    fn fewest(
        &self,
        k: usize,
        allowed: &Bitmap,
        truth: &[Vec<Hit>],
        target: f64,
    ) -> Result<(u32, f64), Error> {
        let lists = self.index.lists();
        let (mut below, mut probes) = (0, 1);
        let mut reached = self.recall_at(probes, k, allowed, truth)?;
        while reached < target && probes < lists {
            below = probes;
            probes = probes.saturating_mul(2).min(lists);
            reached = self.recall_at(probes, k, allowed, truth)?;
        }
        while reached >= target && probes - below > 1 {
            let middle = below + (probes - below) / 2;
            let recall = self.recall_at(middle, k, allowed, truth)?;
            if recall >= target {
                (probes, reached) = (middle, recall);
            } else {
                below = middle;
            }
        }
        Ok((probes, reached))
    }
}
