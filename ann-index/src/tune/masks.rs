use std::sync::Arc;

use crate::simd::score_rows;
use crate::{Bitmap, ExactIndex, VectorIndex, Vectors};

/// Shape of a filter to measure with.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum MaskKind {
    /// Rows drawn evenly, as by stock.
    Random,
    /// The rows nearest to one row, as by a category: what is allowed lies together, and away
    /// from most queries.
    Clustered,
    /// Several groups of rows that lie together, drawn evenly from all such groups, as by brands or
    /// by a few categories.
    Groups,
    /// What is in both of two fields, one of either shape and each the root of the share: in stock
    /// and of a category.
    Both,
}

impl MaskKind {
    pub const ALL: [Self; 4] = [Self::Random, Self::Clustered, Self::Groups, Self::Both];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Clustered => "clustered",
            Self::Groups => "groups",
            Self::Both => "both",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A filter of the shape and share asked for, the same for the same arguments.
#[must_use]
pub fn mask(vectors: &Arc<Vectors>, kind: MaskKind, selectivity: f64, seed: u64) -> Bitmap {
    let rows = vectors.len();
    if portion(rows, selectivity) == rows {
        return Bitmap::full(rows);
    }
    match kind {
        MaskKind::Random => drawn(rows, selectivity, seed),
        MaskKind::Clustered => nearest(vectors, selectivity, seed),
        MaskKind::Groups => groups(vectors, selectivity, seed),
        MaskKind::Both => {
            let root = selectivity.max(0.0).sqrt();
            let mut both = nearest(vectors, root, seed);
            both.and(&drawn(rows, root, mix(seed)));
            both
        }
    }
}

fn drawn(rows: usize, selectivity: f64, seed: u64) -> Bitmap {
    let wanted = portion(rows, selectivity);
    let mut ranked: Vec<(u64, u32)> = (0u32..)
        .take(rows)
        .map(|id| (mix(seed ^ mix(u64::from(id))), id))
        .collect();
    if wanted > 0 && wanted < rows {
        ranked.select_nth_unstable(wanted - 1);
    }
    Bitmap::from_ids(rows, ranked.into_iter().take(wanted).map(|(_, id)| id))
}

fn nearest(vectors: &Arc<Vectors>, selectivity: f64, seed: u64) -> Bitmap {
    let rows = vectors.len();
    let wanted = portion(rows, selectivity);
    let center = u32::try_from(mix(seed) % (rows.max(1) as u64)).unwrap_or(0);
    let mut near = Vec::new();
    let query = vectors.row(center).unwrap_or(&[]);
    // A search over a table's own row can only fail when there is no row, and then no bit is set.
    let _ = ExactIndex::new(Arc::clone(vectors)).search(query, wanted.max(1), None, &mut near);
    Bitmap::from_ids(rows, near.iter().take(wanted).map(|hit| hit.id))
}

/// Halves the space by the mean product with each of a few rows: rows on the same sides of all of
/// them are a group. Groups come in an order drawn from the seed, and the last one is cut.
fn groups(vectors: &Arc<Vectors>, selectivity: f64, seed: u64) -> Bitmap {
    let rows = vectors.len();
    let mut sides = vec![0u64; rows];
    let mut scores = vec![0.0; rows];
    for cut in 0..CUTS {
        let pivot = mix(seed ^ mix(u64::from(cut))) % (rows.max(1) as u64);
        let pivot = u32::try_from(pivot).ok().and_then(|id| vectors.row(id));
        score_rows(pivot.unwrap_or(&[]), vectors.as_slice(), &mut scores);
        let middle = median(&scores);
        for (side, &score) in sides.iter_mut().zip(&scores) {
            *side |= u64::from(score > middle) << cut;
        }
    }
    let mut ranked: Vec<(u64, u32)> = sides
        .into_iter()
        .map(|side| mix(seed ^ side))
        .zip(0..)
        .collect();
    ranked.sort_unstable();
    let wanted = portion(rows, selectivity);
    Bitmap::from_ids(rows, ranked.into_iter().take(wanted).map(|(_, id)| id))
}

/// Halvings of the space: up to 256 groups.
const CUTS: u32 = 8;

fn median(scores: &[f32]) -> f32 {
    let mut sorted = scores.to_vec();
    let middle = sorted.len() / 2;
    if sorted.is_empty() {
        return 0.0;
    }
    let (_, median, _) = sorted.select_nth_unstable_by(middle, f32::total_cmp);
    *median
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
