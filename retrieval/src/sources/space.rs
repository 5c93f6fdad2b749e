//! Opening one space of vectors with its index.

use std::sync::Arc;

use ann_index::{Index, IndexKind, MaskKind, PlannerSettings, ProbeRow, SpaceIndex, Vectors};
use snapshot::{Snapshot, Space};

use crate::Error;

/// The vectors of a space with whichever index the manifest names, and its measured table.
pub(super) fn open(
    snapshot: &Snapshot,
    space: &Space,
    vectors: Arc<Vectors>,
) -> Result<SpaceIndex, Error> {
    let index = load_index(snapshot, space, &vectors)?;
    let probes = probe_table(snapshot, &space.name);
    Ok(SpaceIndex::new(
        vectors,
        index,
        probes,
        PlannerSettings::default(),
    )?)
}

fn load_index(snapshot: &Snapshot, space: &Space, vectors: &Arc<Vectors>) -> Result<Index, Error> {
    let Some(file) = &space.index else {
        return Ok(Index::Scan);
    };
    // Before kinds had names there was one.
    let name = space.index_kind.as_deref().unwrap_or("faiss");
    let kind = IndexKind::parse(name).ok_or_else(|| Error::Invalid {
        field: "index_kind",
        value: name.to_owned(),
        allowed: "scan, codes, lists or faiss".to_owned(),
    })?;
    if kind == IndexKind::Faiss {
        ann_index::check_compile_options()?;
    }
    Ok(Index::load(kind, &snapshot.file(file)?, vectors)?)
}

/// Rows of a filter shape that this build does not know were measured by a newer one; skipping
/// them only makes the answer more careful or less, never wrong.
fn probe_table(snapshot: &Snapshot, space: &str) -> Vec<ProbeRow> {
    let rows = snapshot.manifest().probes.iter();
    rows.filter(|row| row.space == space)
        .filter_map(|row| {
            Some(ProbeRow {
                k: row.k,
                selectivity: row.selectivity,
                kind: MaskKind::parse(&row.kind)?,
                nprobe: row.nprobe,
                budget: row.budget,
                scanned: row.scanned,
                recall: row.recall,
            })
        })
        .collect()
}

/// The inner product, in four sums that the compiler can keep in one register.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (a_steps, a_rest) = a.as_chunks::<8>();
    let (b_steps, b_rest) = b.as_chunks::<8>();
    for (x, y) in a_steps.iter().zip(b_steps) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}
