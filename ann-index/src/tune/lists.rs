use super::masks::mask;
use super::{MaskKind, ProbeRow, TuneSettings, shapes, table_of, truth};
use crate::{Bitmap, CodeIndex, Error, Hit, VectorIndex, Vectors};

/// Finds, for each k, share and shape, the smallest budget whose mean recall over `queries` reaches
/// the target.
///
/// A walk answers with the best of the rows that it looked at, exactly. So a true neighbour is
/// answered if and only if its list is reached, and one walk over all lists tells for every
/// neighbour the budget from which on it is: no search has to be repeated.
pub(crate) fn tune_lists(
    index: &CodeIndex,
    exact: &dyn VectorIndex,
    queries: &[f32],
    settings: &TuneSettings,
) -> Result<Vec<ProbeRow>, Error> {
    let vectors = index.vectors();
    let bench = Bench {
        lists: index.list_of_rows(),
        sizes: sizes(index),
        queries: table_of(queries, vectors, index.lists())?,
        orders: Vec::new(),
    };
    let bench = bench.ordered(index);
    let mut rows = Vec::new();
    for &selectivity in &settings.bands {
        for &kind in shapes(selectivity) {
            let allowed = mask(vectors, kind, selectivity, settings.seed);
            let measured = bench.measure(exact, &allowed, kind, settings)?;
            rows.extend(
                measured
                    .into_iter()
                    .map(|row| ProbeRow { selectivity, ..row }),
            );
        }
    }
    Ok(rows)
}

fn sizes(index: &CodeIndex) -> Vec<u64> {
    let mut sizes = vec![0; index.lists() as usize];
    count(&index.list_of_rows(), None, &mut sizes);
    sizes
}

fn count(lists: &[u32], allowed: Option<&Bitmap>, counts: &mut [u64]) {
    for (id, &list) in (0u32..).zip(lists) {
        if allowed.is_none_or(|allowed| allowed.contains(id)) {
            counts[list as usize] += 1;
        }
    }
}

struct Bench {
    /// Which list each row is in.
    lists: Vec<u32>,
    /// Rows of each list.
    sizes: Vec<u64>,
    queries: Vectors,
    /// The lists as each query walks them.
    orders: Vec<Vec<usize>>,
}

impl Bench {
    fn ordered(mut self, index: &CodeIndex) -> Self {
        let rows = self
            .queries
            .as_slice()
            .chunks_exact(self.queries.dimension());
        self.orders = rows.map(|query| index.order_of_lists(query)).collect();
        self
    }

    fn measure(
        &self,
        exact: &dyn VectorIndex,
        allowed: &Bitmap,
        kind: MaskKind,
        settings: &TuneSettings,
    ) -> Result<Vec<ProbeRow>, Error> {
        let mut eligible = vec![0; self.sizes.len()];
        count(&self.lists, Some(allowed), &mut eligible);
        let deepest = settings.ks.iter().copied().max().unwrap_or(0) as usize;
        let truth = truth(exact, &self.queries, deepest.max(1), allowed)?;
        let needs: Vec<Vec<u64>> = self
            .orders
            .iter()
            .zip(&truth)
            .map(|(order, truth)| self.needs(order, &eligible, truth))
            .collect();
        let target = settings.target(kind);
        let measured = settings.ks.iter().map(|&k| {
            let (budget, recall) = smallest(&needs, k as usize, target);
            let budget = budget.max(u64::from(k));
            let scanned = self.scanned(&eligible, budget);
            ProbeRow {
                k,
                selectivity: 1.0,
                kind,
                nprobe: 0,
                budget,
                scanned,
                recall,
            }
        });
        Ok(measured.collect())
    }

    /// For each true neighbour, the smallest budget with which its list is reached.
    fn needs(&self, order: &[usize], eligible: &[u64], truth: &[Hit]) -> Vec<u64> {
        let mut before = vec![u64::MAX; self.sizes.len()];
        let mut seen = 0;
        for &list in order {
            before[list] = seen + 1;
            seen += eligible[list];
        }
        let list_of = |hit: &Hit| self.lists.get(hit.id as usize).copied().unwrap_or(0);
        truth
            .iter()
            .map(|hit| before[list_of(hit) as usize])
            .collect()
    }

    /// Rows that a budget looks at, in the mean over the queries.
    fn scanned(&self, eligible: &[u64], budget: u64) -> u64 {
        let mut sum = 0;
        for order in &self.orders {
            let mut seen = 0;
            for &list in order {
                if seen >= budget {
                    break;
                }
                seen += eligible[list];
                sum += self.sizes[list];
            }
        }
        sum / self.orders.len().max(1) as u64
    }
}

/// The smallest budget with which the target share of the first k neighbours is met, and the share
/// met with it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of neighbours are far below 2^52"
)]
fn smallest(needs: &[Vec<u64>], k: usize, target: f64) -> (u64, f64) {
    let mut all: Vec<u64> = needs
        .iter()
        .flat_map(|of| of.iter().take(k))
        .copied()
        .collect();
    if all.is_empty() {
        return (0, 1.0);
    }
    all.sort_unstable();
    let wanted = (target.clamp(0.0, 1.0) * all.len() as f64).ceil() as usize;
    let budget = all[wanted.clamp(1, all.len()) - 1];
    let met = all.partition_point(|&need| need <= budget);
    (budget, met as f64 / all.len() as f64)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ExactIndex;

    #[test]
    fn the_smallest_budget_is_the_one_that_meets_the_share() {
        let needs = [vec![1, 5, 9], vec![1, 1, 30]];
        assert_eq!(smallest(&needs, 3, 0.5), (1, 0.5));
        assert_eq!(smallest(&needs, 3, 0.6), (5, 4.0 / 6.0));
        assert_eq!(smallest(&needs, 2, 1.0), (5, 1.0));
        assert_eq!(smallest(&needs, 3, 1.0), (30, 1.0));
        assert_eq!(smallest(&[Vec::new()], 3, 1.0), (0, 1.0));
    }

    /// What the table says without searching is what searching gives.
    #[test]
    fn the_recall_of_the_table_is_the_recall_of_searches() {
        let number = |i: u32, j: u32| ((i * 31 + j * 17 + i * j) % 97) as f32 / 48.0 - 1.0;
        let data = (0..3_000u32).flat_map(|i| (0..12).map(move |j| number(i % 53 * 7 + i % 11, j)));
        let vectors = Arc::new(Vectors::new(data.collect(), 12).unwrap());
        let params = crate::BuildParams {
            nlist: 60,
            iterations: 5,
            seed: 1,
            threads: 1,
        };
        let index = CodeIndex::build_lists(Arc::clone(&vectors), &params).unwrap();
        let exact = ExactIndex::new(Arc::clone(&vectors));
        let queries: Vec<f32> = (0..20u32)
            .flat_map(|i| (0..12).map(move |j| number(i * 13 + 5, j) + number(i + 9, j)))
            .collect();
        let settings = TuneSettings {
            ks: vec![10, 40],
            target_recall: 0.9,
            bands: vec![1.0, 0.3],
            seed: 4,
        };
        let table = tune_lists(&index, &exact, &queries, &settings).unwrap();
        assert_eq!(table.len(), 2 + 4 * 2);
        for row in table {
            let allowed = mask(&vectors, row.kind, row.selectivity, 4);
            let (mut met, mut scanned) = (0.0, 0);
            for query in queries.chunks_exact(12) {
                let (k, mut out) = (row.k as usize, Vec::new());
                let mut truth = Vec::new();
                exact.search(query, k, Some(&allowed), &mut truth).unwrap();
                let report = index
                    .search_with(query, k, row.budget, Some(&allowed), &mut out)
                    .unwrap();
                met += crate::recall(&truth, &out) / 20.0;
                scanned += report.scanned;
            }
            // Rows that tie at the k-th place may be answered for each other.
            assert!(
                met >= row.recall - 0.02 && row.recall >= 0.9,
                "{row:?} {met}"
            );
            assert_eq!(scanned / 20, row.scanned, "{row:?}");
        }
    }
}
