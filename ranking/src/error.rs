//! Why a model was refused, or could not score.

/// One kind of refusal each; the message names the field, the value and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the model is not valid JSON of its format")]
    Json(#[from] serde_json::Error),
    #[error("{field} has {got} values, {expected} expected: one per name")]
    Length {
        field: &'static str,
        got: usize,
        expected: usize,
    },
    #[error("{field} holds {value}, {allowed} allowed")]
    Value {
        field: &'static str,
        value: f64,
        allowed: &'static str,
    },
    #[error("{field} names {name:?}, {allowed}")]
    Name {
        field: &'static str,
        name: String,
        allowed: String,
    },
    #[error("{field}: {got}, at most {most} are allowed")]
    TooMany {
        field: &'static str,
        got: usize,
        most: usize,
    },
    #[error("tree {tree}: node {node} {problem}")]
    Tree {
        tree: usize,
        node: usize,
        problem: String,
    },
    #[error("a matrix of {got} values is not made of rows of {columns}")]
    Shape { got: usize, columns: usize },
}

/// Weights beyond this are a sign of a broken fit; below it no sum of them can overflow.
const LARGEST: f64 = 1e6;
/// A scale below this would turn rounding errors into scores.
const SMALLEST_SCALE: f64 = 1e-9;

pub(crate) fn check_length(field: &'static str, got: usize, expected: usize) -> Result<(), Error> {
    if got == expected {
        Ok(())
    } else {
        Err(Error::Length {
            field,
            got,
            expected,
        })
    }
}

pub(crate) fn check_weights(field: &'static str, values: &[f64]) -> Result<(), Error> {
    check_all(
        field,
        values,
        "finite numbers up to 1e6 in size are",
        |value| value.is_finite() && value.abs() <= LARGEST,
    )
}

/// Means may be as large as money gets, since they are only subtracted.
pub(crate) fn check_means(field: &'static str, values: &[f64]) -> Result<(), Error> {
    check_all(
        field,
        values,
        "finite numbers up to 1e15 in size are",
        |value| value.is_finite() && value.abs() <= 1e15,
    )
}

pub(crate) fn check_scales(field: &'static str, values: &[f64]) -> Result<(), Error> {
    check_all(field, values, "1e-9 to 1e15 is", |value| {
        value.is_finite() && (SMALLEST_SCALE..=1e15).contains(&value)
    })
}

pub(crate) fn check_probability(field: &'static str, value: f64) -> Result<(), Error> {
    check_all(field, &[value], "0 to 1 is", |value| {
        (0.0..=1.0).contains(&value)
    })
}

/// A probability that leaves room on both sides, so that its log-odds are finite.
pub(crate) fn check_inside(field: &'static str, values: &[f64]) -> Result<(), Error> {
    check_all(field, values, "above 0 and below 1 is", |value| {
        value > 0.0 && value < 1.0
    })
}

fn check_all(
    field: &'static str,
    values: &[f64],
    allowed: &'static str,
    is_allowed: impl Fn(f64) -> bool,
) -> Result<(), Error> {
    match values.iter().copied().find(|value| !is_allowed(*value)) {
        Some(value) => Err(Error::Value {
            field,
            value,
            allowed,
        }),
        None => Ok(()),
    }
}
