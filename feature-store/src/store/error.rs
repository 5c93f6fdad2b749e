//! What can go wrong with a store.

/// A store that could not answer, or that answered with something unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer, or none in time. A write may or may not have happened; nothing is promised.
    #[error("the {store} store is unavailable: {detail}")]
    Unavailable {
        /// `redis` or `embedded`.
        store: &'static str,
        /// What was tried and what came back.
        detail: String,
    },
    /// A stored value that this version cannot read. It is left as it is.
    #[error("the stored value of {key} cannot be read: {detail}")]
    Corrupt {
        /// What was read.
        key: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl Error {
    /// The kind of failure, in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Corrupt { .. } => "corrupt",
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over what they have: a key, an error, or a line of text"
    )]
    pub(crate) fn corrupt(key: impl ToString, detail: impl ToString) -> Self {
        Self::Corrupt {
            key: key.to_string(),
            detail: detail.to_string(),
        }
    }
}
