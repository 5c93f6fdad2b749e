//! Carts of the last tenth of the time, folded in as serving folds them in: to tune how far the
//! index is probed, and for the gates to measure recall with. Queries that are items themselves
//! would overstate it.

use ann_index::MaskKind;
use feature_store::Event;

use crate::moments::{Moment, moments, thinned};
use crate::sessions::{GAP, sessions};
use crate::{Error, ItemSpace, Models};

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
    let items = visits(models, unseen).into_iter();
    let vectors = items.filter_map(|items| fold_in.vector(items.into_iter().map(|id| (id, 1.0))));
    Ok(vectors.flatten().collect())
}

/// The same carts as a space of content is asked about them: the mean of their items, made to
/// length 1.
pub(crate) fn content_carts(models: &Models, space: &ItemSpace, unseen: &[Event]) -> Vec<f32> {
    let mut vectors = Vec::new();
    for items in visits(models, unseen) {
        let mut mean = vec![0.0_f32; space.dimension];
        for item in items {
            let start = item as usize * space.dimension;
            let row = space.vectors.get(start..start + space.dimension);
            let pairs = mean.iter_mut().zip(row.unwrap_or(&[]));
            pairs.for_each(|(to, from)| *to += from);
        }
        let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            vectors.extend(mean.into_iter().map(|x| x / length));
        }
    }
    vectors
}

/// The latest known items of at most 500 carts. Of a cart only items count that enough people had
/// together, pair by pair: its vector is published, and tells what it was made of.
fn visits(models: &Models, unseen: &[Event]) -> Vec<Vec<u32>> {
    let sessions = sessions(unseen, GAP);
    let known = |moment: Moment<'_>| {
        let items = moment.before.iter().rev();
        let mut ordinals: Vec<u32> = items
            .filter_map(|event| models.catalogue.ordinal(&event.item_id))
            .take(LONGEST)
            .collect();
        ordinals.sort_unstable();
        ordinals.dedup();
        if models.min_people > 1 {
            ordinals = together(&ordinals, models);
        }
        ordinals
    };
    thinned(moments(&sessions), MOST)
        .into_iter()
        .map(known)
        .collect()
}

/// The items of which each pair is published.
fn together(ordinals: &[u32], models: &Models) -> Vec<u32> {
    let rows = &models.covisitation.rows;
    let names = |a: u32, b: u32| {
        let row = rows.get(a as usize);
        row.is_some_and(|row| row.iter().any(|(item, _)| *item == b))
    };
    let mut kept: Vec<u32> = Vec::new();
    for &item in ordinals {
        if kept.iter().all(|&one| names(one, item) || names(item, one)) {
            kept.push(item);
        }
    }
    kept
}
