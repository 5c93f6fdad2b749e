//! Opening one space of vectors with its index.

use std::sync::Arc;

use ann_index::{
    Bitmap, Hit, Index, IndexKind, MaskKind, PlannerSettings, ProbeRow, SearchReport, SpaceIndex,
    VectorIndex as _, Vectors,
};
use snapshot::{Snapshot, Space};
use tracing::field::Empty;

use crate::Error;
use crate::interests::Interest;

/// Searches a space; the stage says how.
pub(super) fn search(
    (name, space): (&str, &SpaceIndex),
    query: &[f32],
    depth: usize,
    allowed: &Bitmap,
    out: &mut Vec<Hit>,
) -> Result<SearchReport, Error> {
    let stage = tracing::info_span!(
        target: crate::STAGE, "ann",
        space = name,
        index = space.kind().as_str(),
        plan = Empty, lists_probed = Empty, scanned = Empty, eligible = Empty,
    );
    let report = stage.in_scope(|| space.search(query, depth, Some(allowed), out))?;
    stage.record("plan", report.plan.as_str());
    stage.record("lists_probed", report.lists_probed);
    stage.record("scanned", report.scanned);
    stage.record("eligible", report.eligible);
    Ok(report)
}

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

/// The mean of the interests' rows by their weights, of length 1; zeros when none has a row.
pub(super) fn mean(vectors: &Vectors, interests: &[Interest], query: &mut Vec<f32>) {
    query.clear();
    query.resize(vectors.dimension(), 0.0);
    for interest in interests {
        let row = vectors.row(interest.ordinal).unwrap_or(&[]);
        let pairs = query.iter_mut().zip(row);
        pairs.for_each(|(to, from)| *to += interest.weight * from);
    }
    normalise(query);
}

/// Makes a vector that is not all zeros one of length 1.
pub(super) fn normalise(vector: &mut [f32]) {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
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
