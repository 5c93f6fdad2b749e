//! The numbers a ranker scores: one row per candidate item.

use crate::error::Error;

/// The columns of every matrix, in order. A ranker stores weights by these names, so that a model
/// of another column set is refused instead of being applied to the wrong numbers.
pub const COLUMNS: [&str; 8] = [
    "fused",
    "revisit",
    "covisitation",
    "collaborative",
    "popularity",
    "log_price_ratio",
    "same_category",
    "same_brand",
];

/// A position in [`COLUMNS`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// Score after fusing all sources.
    Fused,
    /// Score from the source that proposes what was viewed before; 0 where it proposed nothing.
    Revisit,
    /// Score from the co-visitation source; 0 where it proposed nothing.
    Covisitation,
    /// Score from the factors; 0 where they proposed nothing.
    Collaborative,
    /// Score from the popularity source; 0 where it proposed nothing.
    Popularity,
    /// ln(item price / mean line price of the cart); 0 when either is unknown.
    LogPriceRatio,
    /// Share of the cart's lines in the item's category, 0 to 1.
    SameCategory,
    /// Share of the cart's lines of the item's brand, 0 to 1.
    SameBrand,
}

impl Column {
    pub fn position(self) -> usize {
        match self {
            Self::Fused => 0,
            Self::Revisit => 1,
            Self::Covisitation => 2,
            Self::Collaborative => 3,
            Self::Popularity => 4,
            Self::LogPriceRatio => 5,
            Self::SameCategory => 6,
            Self::SameBrand => 7,
        }
    }

    pub fn name(self) -> &'static str {
        COLUMNS[self.position()]
    }
}

/// Row-major values: row `i` belongs to candidate `i`. Always finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    values: Vec<f32>,
}

impl Matrix {
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            values: Vec::with_capacity(rows * COLUMNS.len()),
        }
    }

    /// Takes whole rows of [`COLUMNS`]; a value that is not finite reads as 0.
    pub fn from_values(values: Vec<f32>) -> Result<Self, Error> {
        if !values.len().is_multiple_of(COLUMNS.len()) {
            return Err(Error::Shape {
                got: values.len(),
                columns: COLUMNS.len(),
            });
        }
        Ok(Self {
            values: values.into_iter().map(finite).collect(),
        })
    }

    pub fn push(&mut self, row: [f64; COLUMNS.len()]) {
        self.values.extend(row.into_iter().map(narrow));
    }

    pub fn len(&self) -> usize {
        self.values.len() / COLUMNS.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(COLUMNS.len())
    }

    pub fn row(&self, index: usize) -> Option<&[f32]> {
        self.rows().nth(index)
    }

    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the matrix holds f32; ranking needs no more"
)]
fn narrow(value: f64) -> f32 {
    finite(value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_finds_its_name() {
        let all = [
            Column::Fused,
            Column::Revisit,
            Column::Covisitation,
            Column::Collaborative,
            Column::Popularity,
            Column::LogPriceRatio,
            Column::SameCategory,
            Column::SameBrand,
        ];
        assert_eq!(all.map(Column::name), COLUMNS);
    }

    #[test]
    fn refuses_half_a_row() {
        let problem = Matrix::from_values(vec![0.0; 9]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "a matrix of 9 values is not made of rows of 8"
        );
    }

    #[test]
    fn holds_only_finite_values() {
        let mut matrix = Matrix::default();
        matrix.push([f64::NAN, f64::INFINITY, 1e300, -1e300, 0.0, 1.0, 2.0, 3.0]);
        assert!(matrix.values().iter().all(|value| value.is_finite()));
        assert_eq!(matrix.len(), 1);
    }
}
