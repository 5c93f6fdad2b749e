use std::sync::Arc;

use super::masks::mask;
use super::{ProbeRow, TuneSettings, shapes, table_of, truth};
use crate::space::probe;
use crate::{
    Bitmap, Error, ExactIndex, FaissIndex, Hit, SearchParams, VectorIndex, Vectors, recall,
};

/// Finds, for each k, share and shape, the fewest lists whose mean recall over `queries` (row-major,
/// from held-out carts) reaches the target. When even all lists do not, the row says what they
/// reach.
///
/// # Errors
/// Queries of another dimension or not finite, no queries, an index without lists.
pub fn tune(
    index: &FaissIndex,
    vectors: &Arc<Vectors>,
    queries: &[f32],
    settings: &TuneSettings,
) -> Result<Vec<ProbeRow>, Error> {
    let exact = ExactIndex::new(Arc::clone(vectors));
    tune_with(index, &exact, vectors, queries, settings)
}

pub(super) fn tune_with(
    index: &FaissIndex,
    exact: &dyn VectorIndex,
    vectors: &Arc<Vectors>,
    queries: &[f32],
    settings: &TuneSettings,
) -> Result<Vec<ProbeRow>, Error> {
    let bench = Bench {
        index,
        vectors,
        queries: table_of(queries, vectors, index.lists())?,
    };
    let mut rows = Vec::new();
    for &selectivity in &settings.bands {
        for &kind in shapes(selectivity) {
            let allowed = mask(vectors, kind, selectivity, settings.seed);
            for &k in &settings.ks {
                let truth = truth(exact, &bench.queries, k as usize, &allowed)?;
                let (nprobe, recall) =
                    bench.fewest(k as usize, &allowed, &truth, settings.target(kind))?;
                rows.push(ProbeRow {
                    k,
                    selectivity,
                    kind,
                    nprobe,
                    budget: 0,
                    scanned: index.rows_of(nprobe),
                    recall,
                });
            }
        }
    }
    Ok(rows)
}

struct Bench<'a> {
    index: &'a FaissIndex,
    vectors: &'a Vectors,
    queries: Vectors,
}

impl Bench<'_> {
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
        let rows = self
            .queries
            .as_slice()
            .chunks_exact(self.queries.dimension());
        for (query, expected) in rows.zip(truth) {
            let params = SearchParams { nprobe };
            let allowed = Some(allowed);
            probe(
                self.index,
                self.vectors,
                query,
                k,
                params,
                allowed,
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
