//! A cart and its candidates become a matrix. Training and serving both call this one function.

use std::collections::BTreeMap;

use crate::matrix::{COLUMNS, Matrix};

/// What of a cart matters for ranking items to go with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CartSummary {
    mean_price_minor: Option<f64>,
    categories: BTreeMap<String, f64>,
    brands: BTreeMap<String, f64>,
}

impl CartSummary {
    /// Sums up lines of (price of one unit in minor units with 0 = unknown, category, brand).
    /// Every line counts once, whatever its quantity: ten of one thing is still one taste.
    pub fn new<'a>(lines: impl IntoIterator<Item = (i64, &'a str, &'a str)>) -> Self {
        let mut summary = Self::default();
        let (mut count, mut priced, mut total) = (0.0, 0.0, 0.0);
        for (price_minor, category, brand) in lines {
            count += 1.0;
            if let Some(price) = known_price(price_minor) {
                priced += 1.0;
                total += price;
            }
            add_one(&mut summary.categories, category);
            add_one(&mut summary.brands, brand);
        }
        for share in summary
            .categories
            .values_mut()
            .chain(summary.brands.values_mut())
        {
            *share /= count;
        }
        summary.mean_price_minor = (priced > 0.0).then(|| total / priced);
        summary
    }

    fn log_price_ratio(&self, price_minor: i64) -> f64 {
        match (known_price(price_minor), self.mean_price_minor) {
            (Some(price), Some(mean)) => (price / mean).ln(),
            (None, _) | (_, None) => 0.0,
        }
    }
}

/// What is known of one candidate. A source that did not propose it has no score.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct ItemFacts<'a> {
    pub fused: f64,
    pub revisit: Option<f64>,
    pub covisitation: Option<f64>,
    pub collaborative: Option<f64>,
    pub popularity: Option<f64>,
    /// 0 when unknown.
    pub price_minor: i64,
    /// Category path with dots, as events carry it.
    pub category: &'a str,
    pub brand: &'a str,
}

/// One row per item, in the given order, with the columns of [`COLUMNS`].
pub fn assemble(cart: &CartSummary, items: &[ItemFacts<'_>]) -> Matrix {
    let mut matrix = Matrix::with_capacity(items.len());
    for item in items {
        matrix.push(row(cart, item));
    }
    matrix
}

fn row(cart: &CartSummary, item: &ItemFacts<'_>) -> [f64; COLUMNS.len()] {
    [
        item.fused,
        item.revisit.unwrap_or(0.0),
        item.covisitation.unwrap_or(0.0),
        item.collaborative.unwrap_or(0.0),
        item.popularity.unwrap_or(0.0),
        cart.log_price_ratio(item.price_minor),
        cart.categories.get(item.category).copied().unwrap_or(0.0),
        cart.brands.get(item.brand).copied().unwrap_or(0.0),
    ]
}

#[expect(
    clippy::cast_precision_loss,
    reason = "prices are at most 10^12, far below 2^53"
)]
fn known_price(price_minor: i64) -> Option<f64> {
    (price_minor > 0).then_some(price_minor as f64)
}

/// An unknown category or brand must never look like a shared one.
fn add_one(counts: &mut BTreeMap<String, f64>, name: &str) {
    if !name.is_empty() {
        *counts.entry(name.to_owned()).or_default() += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Column;

    fn cell(matrix: &Matrix, row: usize, column: Column) -> f32 {
        matrix.row(row).unwrap()[column.position()]
    }

    #[test]
    fn compares_an_item_with_the_cart() {
        let cart = CartSummary::new([
            (1_000, "shoes.boots", "acme"),
            (3_000, "shoes.boots", "other"),
            (0, "", ""),
            (0, "hats", "acme"),
        ]);
        let item = ItemFacts {
            fused: 0.5,
            covisitation: Some(2.0),
            price_minor: 4_000,
            category: "shoes.boots",
            brand: "acme",
            ..ItemFacts::default()
        };
        let matrix = assemble(&cart, &[item]);
        assert!((cell(&matrix, 0, Column::LogPriceRatio) - 2_f32.ln()).abs() < 1e-6);
        assert!((cell(&matrix, 0, Column::SameCategory) - 0.5).abs() < 1e-6);
        assert!((cell(&matrix, 0, Column::SameBrand) - 0.5).abs() < 1e-6);
        assert!((cell(&matrix, 0, Column::Covisitation) - 2.0).abs() < 1e-6);
        assert!(cell(&matrix, 0, Column::Revisit).abs() < 1e-6);
    }

    #[test]
    fn unknown_facts_are_neutral() {
        let cart = CartSummary::new([(0, "", "")]);
        let matrix = assemble(
            &cart,
            &[ItemFacts {
                price_minor: 500,
                ..ItemFacts::default()
            }],
        );
        assert!(matrix.values().iter().all(|value| value.abs() < 1e-9));
    }

    #[test]
    fn an_empty_cart_gives_finite_rows() {
        let cart = CartSummary::new([]);
        let matrix = assemble(&cart, &[ItemFacts::default(); 3]);
        assert_eq!(matrix.len(), 3);
        assert!(matrix.values().iter().all(|value| value.is_finite()));
    }
}
