//! The index finds the true neighbours of held-out carts.

use kit::causes::causes;
use retrieval::{BandRecall, Model, files::read_queries};
use snapshot::{Snapshot, Verdict, files, gates};

use crate::role::ROLE;

/// Mean recall that every band has to reach.
const LEAST: f64 = 0.95;
/// Carts asked about in each band.
const CARTS: usize = 100;

/// `None` when the snapshot has no held-out carts, or no vectors to search.
pub(super) fn recall(model: &Model, snapshot: &Snapshot) -> Option<Verdict> {
    if !snapshot.has(files::QUERIES) {
        return None;
    }
    let measured = read_queries(snapshot).and_then(|carts| model.recall(&carts, CARTS));
    let bar = format!("at least {LEAST} in each band of allowed items");
    let (measured, passed) = match measured {
        Ok(bands) if bands.is_empty() => return None,
        Ok(bands) => judge(&bands),
        Err(error) => (causes(&error), false),
    };
    Some(Verdict::new(gates::RECALL, ROLE, measured, bar, passed))
}

fn judge(bands: &[BandRecall]) -> (String, bool) {
    // Written so that a mean that is no number does not pass.
    let passed = bands.iter().all(|band| band.recall >= LEAST);
    let said = bands.iter().map(|band| {
        let share = band.selectivity * 100.0;
        format!("{:.3} ({share} % {})", band.recall, band.kind)
    });
    (said.collect::<Vec<_>>().join(", "), passed)
}
