//! Carts of the last tenth of the time, folded in as serving folds them in: to tune how far the
//! index is probed, and for the gates to measure recall with. Queries that are items themselves
//! would overstate it.

use ann_index::MaskKind;
use feature_store::Event;

use crate::moments::{moments, thinned};
use crate::sessions::{GAP, sessions};
use crate::{Error, Models};

const MOST: usize = 500;
const TUNING: usize = 150;
/// Items of a cart that count, the latest.
const LONGEST: usize = 10;
/// True neighbours kept of each cart.
pub(crate) const NEIGHBOURS: usize = 100;
/// Shares of allowed items, and how they lie.
pub(crate) const BANDS: [(f32, MaskKind); 9] = [
    (1.0, MaskKind::Random),
    (0.5, MaskKind::Random),
    (0.5, MaskKind::Clustered),
    (0.1, MaskKind::Random),
    (0.1, MaskKind::Clustered),
    (0.1, MaskKind::Both),
    (0.01, MaskKind::Random),
    (0.01, MaskKind::Clustered),
    (0.001, MaskKind::Random),
];

/// Enough of the carts to tune with, evenly spread: tuning searches with each many times.
pub(crate) fn few(carts: &[f32], dimension: usize) -> Vec<f32> {
    thinned(carts.chunks_exact(dimension).collect(), TUNING).concat()
}

/// Row-major vectors of at most 500 carts.
pub(crate) fn carts(models: &Models, unseen: &[Event]) -> Result<Vec<f32>, Error> {
    let fold_in = models.embeddings.fold_in()?;
    let sessions = sessions(unseen, GAP);
    let mut vectors = Vec::new();
    for moment in thinned(moments(&sessions), MOST) {
        let items = moment.before.iter().rev();
        let mut ordinals: Vec<u32> = items
            .filter_map(|event| models.catalogue.ordinal(&event.item_id))
            .take(LONGEST)
            .collect();
        ordinals.sort_unstable();
        ordinals.dedup();
        let vector = fold_in.vector(ordinals.into_iter().map(|ordinal| (ordinal, 1.0)));
        vectors.extend(vector.unwrap_or_default());
    }
    Ok(vectors)
}
