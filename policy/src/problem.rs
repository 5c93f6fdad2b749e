//! What is wrong with a policy file, and where.

/// One mistake in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {key}: {message}")]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// Path of the key at fault, e.g. `arm[2].percent_off`.
    pub key: String,
    /// The value found and what is allowed.
    pub message: String,
}
