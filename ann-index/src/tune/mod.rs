//! Measures how far an index has to look for a recall, and by that chooses the index.
//!
//! Everything is measured in rows and never in time, so that the same input gives the same choice,
//! table and bytes on any machine. Queries must be those of held-out carts: queries that are items
//! of the index overstate recall.

mod choose;
mod faiss;
mod lists;
mod masks;

use std::sync::Arc;

pub use choose::{ChooseSettings, Chosen, Considered, choose};
pub use faiss::tune;
pub use masks::{MaskKind, mask};

pub(crate) use lists::tune_lists;

use crate::{Bitmap, Error, Hit, VectorIndex, Vectors};

/// The least effort that reached the target, and the recall measured with it.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct ProbeRow {
    pub k: u32,
    /// Share of allowed rows, 0 to 1.
    pub selectivity: f64,
    pub kind: MaskKind,
    /// Lists of FAISS to probe; 0 for an index of ours.
    pub nprobe: u32,
    /// Allowed rows to look at before a walk over our lists ends; 0 for FAISS.
    pub budget: u64,
    /// Rows that this looked at in the mean, allowed or not.
    pub scanned: u64,
    pub recall: f64,
}

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct TuneSettings {
    pub ks: Vec<u32>,
    /// Mean recall to reach, 0 to 1. Under filters that are not drawn evenly half of what is missed
    /// here may be missed: those to come are not those that were measured.
    pub target_recall: f64,
    /// Shares of allowed rows.
    pub bands: Vec<f64>,
    pub seed: u64,
}

impl Default for TuneSettings {
    fn default() -> Self {
        Self {
            ks: vec![100, 500],
            target_recall: 0.97,
            bands: vec![1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001],
            seed: 1,
        }
    }
}

impl TuneSettings {
    fn target(&self, kind: MaskKind) -> f64 {
        match kind {
            MaskKind::Random => self.target_recall,
            MaskKind::Clustered | MaskKind::Groups | MaskKind::Both => {
                f64::midpoint(1.0, self.target_recall)
            }
        }
    }
}

/// All rows have no shape.
fn shapes(selectivity: f64) -> &'static [MaskKind] {
    if selectivity >= 1.0 {
        &[MaskKind::Random]
    } else {
        &MaskKind::ALL
    }
}

/// Each query's true neighbours, best first, by an index that is exact.
fn truth(
    exact: &dyn VectorIndex,
    queries: &Vectors,
    k: usize,
    allowed: &Bitmap,
) -> Result<Vec<Vec<Hit>>, Error> {
    let rows = queries.as_slice().chunks_exact(queries.dimension());
    let one = |query| {
        let mut hits = Vec::new();
        exact
            .search(query, k, Some(allowed), &mut hits)
            .map(|_| hits)
    };
    rows.map(one).collect()
}

/// The queries as a table, refused when there is nothing to measure.
fn table_of(queries: &[f32], vectors: &Arc<Vectors>, lists: u32) -> Result<Vectors, Error> {
    let queries = Vectors::new(queries.to_vec(), vectors.dimension())?;
    if queries.is_empty() || lists == 0 {
        let value = format!("{} queries, {lists} lists", queries.len());
        return Err(Error::Invalid {
            field: "tune",
            value,
            allowed: "at least one of each",
        });
    }
    Ok(queries)
}
