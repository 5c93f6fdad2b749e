//! Our side of the comparison with FAISS; `compare/against_faiss.py` starts it and says what to do.
//!
//!     compare FOLDER K DIMENSION
//!
//! The folder holds `vectors.f32`, `tune.f32` and `queries.f32` (row-major) and a filter a file,
//! `mask-NAME.bits` (one bit a row, whole 64-bit words). The index is chosen and built as for a
//! snapshot. Then, for each line `NAME OUT` read: every query is searched under that filter, one
//! after another on this thread, and OUT gets for each the nanoseconds (u64) and k ids (u32,
//! padded with 4294967295). `all` is no filter. Answers are lines of JSON.

#![expect(
    clippy::print_stdout,
    reason = "the answers are read from standard output"
)]

use std::error::Error;
use std::fs;
use std::io::{BufRead, stdin};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ann_index::{
    Bitmap, ChooseSettings, IndexKind, PlannerSettings, SpaceIndex, VectorIndex, Vectors, choose,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, k, dimension] = arguments.as_slice() else {
        return Err("usage: compare FOLDER K DIMENSION".into());
    };
    let (folder, k, dimension) = (Path::new(folder), k.parse()?, dimension.parse()?);
    let vectors = Arc::new(Vectors::new(
        floats(&folder.join("vectors.f32"))?,
        dimension,
    )?);
    let space = build(&vectors, &floats(&folder.join("tune.f32"))?)?;
    let queries = floats(&folder.join("queries.f32"))?;
    for line in stdin().lock().lines() {
        let line = line?;
        let Some((name, out)) = line.split_once(' ') else {
            return Err(format!("expected NAME OUT, found {line:?}").into());
        };
        let allowed = match name {
            "all" => None,
            name => Some(mask(
                &folder.join(format!("mask-{name}.bits")),
                vectors.len(),
            )?),
        };
        println!(
            "{}",
            run(&space, &queries, k, allowed.as_ref(), Path::new(out))?
        );
    }
    Ok(())
}

fn build(vectors: &Arc<Vectors>, tune: &[f32]) -> Result<SpaceIndex, Box<dyn Error>> {
    let started = Instant::now();
    let settings = ChooseSettings {
        kinds: vec![IndexKind::Scan, IndexKind::Codes, IndexKind::Lists],
        ..ChooseSettings::default()
    };
    let chosen = choose(vectors, tune, &settings)?;
    println!(
        r#"{{"kind":"{}","lists":{},"build_s":{:.1},"rows_of_table":{}}}"#,
        chosen.index.kind().as_str(),
        chosen.index.lists(),
        started.elapsed().as_secs_f64(),
        chosen.probes.len(),
    );
    for row in &chosen.probes {
        eprintln_row(row);
    }
    let planner = PlannerSettings::default();
    Ok(SpaceIndex::new(
        Arc::clone(vectors),
        chosen.index,
        chosen.probes,
        planner,
    )?)
}

#[expect(clippy::print_stderr, reason = "for people, beside the answers")]
fn eprintln_row(row: &ann_index::ProbeRow) {
    eprintln!(
        "  k {:>3}  share {:<6} {:<9}  budget {:>7}  scanned {:>7}  recall {:.4}",
        row.k,
        row.selectivity,
        row.kind.as_str(),
        row.budget,
        row.scanned,
        row.recall
    );
}

fn run(
    space: &SpaceIndex,
    queries: &[f32],
    k: usize,
    allowed: Option<&Bitmap>,
    out: &Path,
) -> Result<String, Box<dyn Error>> {
    let (mut bytes, mut hits) = (Vec::new(), Vec::new());
    let (mut count, mut lists, mut scanned, mut exact) = (0, 0, 0, 0);
    for query in queries.chunks_exact(space.dimension()) {
        let started = Instant::now();
        let report = space.search(query, k, allowed, &mut hits)?;
        let spent = u64::try_from(started.elapsed().as_nanos())?;
        bytes.extend(spent.to_le_bytes());
        let ids = hits.iter().map(|hit| hit.id);
        let padded = ids.chain(std::iter::repeat(u32::MAX)).take(k);
        bytes.extend(padded.flat_map(u32::to_le_bytes));
        count += 1;
        lists += u64::from(report.lists_probed);
        scanned += report.scanned;
        exact += u64::from(report.plan == ann_index::Plan::Exact);
    }
    fs::write(out, bytes)?;
    let mean = |sum: u64| sum / count;
    Ok(format!(
        r#"{{"lists":{},"scanned":{},"exact":{}}}"#,
        mean(lists),
        mean(scanned),
        exact == count
    ))
}

fn floats(path: &Path) -> Result<Vec<f32>, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(numbers
        .iter()
        .map(|&four| f32::from_le_bytes(four))
        .collect())
}

fn mask(path: &Path, rows: usize) -> Result<Bitmap, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let set = |id: &u32| {
        let byte = bytes.get(*id as usize / 8).copied().unwrap_or(0);
        byte >> (id % 8) & 1 == 1
    };
    let ids = 0..u32::try_from(rows)?;
    Ok(Bitmap::from_ids(rows, ids.filter(set)))
}
