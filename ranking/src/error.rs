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
    /// A place in a file of another library.
    #[error("{place} is {value}, {allowed} allowed")]
    Field {
        place: String,
        value: String,
        allowed: String,
    },
    #[error("{place}: {problem}")]
    Parse {
        place: String,
        problem: serde_json::Error,
    },
    #[error(transparent)]
    Onnx(#[from] onnx::Error),
    #[error("{what} is not supported; {instead}")]
    Refused { what: String, instead: &'static str },
    #[error("a matrix of {got} values is not made of rows of {columns}")]
    Shape { got: usize, columns: usize },
}

impl Error {
    /// Of a value no more is shown than a reader can take in.
    pub(crate) fn field(place: &str, value: &str, allowed: &str) -> Self {
        let mut shown: String = value.chars().take(LONGEST_VALUE).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self::Field {
            place: place.to_owned(),
            value: shown,
            allowed: allowed.to_owned(),
        }
    }
}

const LONGEST_VALUE: usize = 80;

/// Beyond this a value of a tree is a sign of a broken fit; below it no sum of leaves can overflow.
const LARGEST_OF_TREES: f64 = 1e15;

pub(crate) fn is_sane(value: f64) -> bool {
    value.is_finite() && value.abs() <= LARGEST_OF_TREES
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
