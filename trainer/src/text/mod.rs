//! A vector for what is written of each item, so that items of which no event is known are found
//! beside those that they resemble.
//!
//! Name, category and brand become tokens, tokens weigh by tf-idf (Salton and Buckley,
//! "Term-weighting approaches in automatic text retrieval", 1988), and a truncated singular value
//! decomposition makes short vectors of them (Deerwester et al., "Indexing by latent semantic
//! analysis", 1990). Vectors have length 1, so that inner products are cosines; an item that
//! shares no token with another has only zeros.

mod svd;
mod tokens;

use snapshot::Catalogue;

use crate::metrics::real;
use crate::ratings::Ratings;

pub(crate) use svd::truncated;
use tokens::Tokens;

/// Name of the space.
pub const SPACE: &str = "text";
/// Dimensions, at most.
const DIMENSION: usize = 64;
/// Fewer items than this share too little to learn from.
const FEWEST: usize = 2;

/// Row-major vectors of length 1 or 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextSpace {
    pub vectors: Vec<f32>,
    pub dimension: usize,
}

/// `None` when no two items share a token.
pub fn text_space(catalogue: &Catalogue, seed: u64) -> Option<TextSpace> {
    let weights = tf_idf(catalogue)?;
    let factors = truncated(&weights, DIMENSION, seed);
    let dimension = factors.first().map_or(0, Vec::len);
    if dimension == 0 {
        return None;
    }
    let vectors = factors.into_iter().flat_map(|mut row| {
        to_unit_length(&mut row);
        row.into_iter().map(narrow)
    });
    Some(TextSpace {
        vectors: vectors.collect(),
        dimension,
    })
}

/// Items by tokens that at least two items have; each row of length 1.
fn tf_idf(catalogue: &Catalogue) -> Option<Ratings> {
    let tokens = Tokens::of(catalogue);
    if tokens.columns() == 0 || catalogue.len() < FEWEST {
        return None;
    }
    let items = real(catalogue.len());
    let idf = |holders: usize| ((1.0 + items) / (1.0 + real(holders))).ln() + 1.0;
    let mut cells = Vec::new();
    for (row, ordinal) in tokens.rows().zip(0u32..) {
        let mut weights: Vec<(u32, f64)> = row
            .map(|(column, count)| (column, count * idf(tokens.holders(column))))
            .collect();
        let length = weights.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
        weights.iter_mut().for_each(|(_, w)| *w /= length);
        cells.extend(weights.into_iter().map(|(column, w)| (ordinal, column, w)));
    }
    Some(Ratings::new(catalogue.len(), tokens.columns(), &cells))
}

/// Zeros where nothing is left of the row.
fn to_unit_length(row: &mut [f64]) {
    let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if length > 1e-9 { 1.0 / length } else { 0.0 };
    row.iter_mut().for_each(|x| *x *= scale);
}

#[expect(clippy::cast_possible_truncation, reason = "vectors are stored as f32")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use snapshot::CatalogueItem;

    use super::*;

    fn catalogue(items: &[(&str, &str, &str)]) -> Catalogue {
        let item = |(at, (name, category, brand)): (usize, &(&str, &str, &str))| CatalogueItem {
            item_id: format!("{at:03}"),
            name: (*name).to_owned(),
            category_path: category.split('.').map(str::to_owned).collect(),
            brand: (*brand).to_owned(),
            ..Default::default()
        };
        Catalogue::new(items.iter().enumerate().map(item).collect()).unwrap()
    }

    fn cosine(space: &TextSpace, a: usize, b: usize) -> f32 {
        let row = |at: usize| &space.vectors[at * space.dimension..(at + 1) * space.dimension];
        row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn items_that_are_described_alike_lie_close() {
        let space = text_space(
            &catalogue(&[
                ("red ceramic tea pot", "kitchen.tea", "acme"),
                ("blue ceramic tea pot", "kitchen.tea", "acme"),
                ("garden hose", "garden", "flow"),
                ("garden hose reel", "garden", "flow"),
                ("zzz", "", ""),
            ]),
            1,
        )
        .unwrap();
        assert!(cosine(&space, 0, 1) > 0.9);
        assert!(cosine(&space, 2, 3) > 0.9);
        assert!(cosine(&space, 0, 2).abs() < 0.1);
        assert!((cosine(&space, 0, 0) - 1.0).abs() < 1e-5);
        assert!(cosine(&space, 4, 4).abs() < 1e-9, "nothing is known of it");
    }

    #[test]
    fn no_shared_token_gives_no_space() {
        assert_eq!(
            text_space(&catalogue(&[("a", "", ""), ("b", "", "")]), 1),
            None
        );
        assert_eq!(text_space(&catalogue(&[]), 1), None);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let names: Vec<String> = (0..300)
            .map(|at| format!("word{} word{} tail{}", at % 17, at % 23, at % 5))
            .collect();
        let items: Vec<_> = names.iter().map(|name| (name.as_str(), "c", "")).collect();
        let catalogue = catalogue(&items);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| text_space(&catalogue, 7))
        };
        assert_eq!(on(1), on(3));
    }
}
