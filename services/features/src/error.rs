//! Why the role does not start, and how the library's errors are answered.

use feature_store::store;
use kit::Problem;
use kit::shell::ShellError;
use tonic::Status;

/// Why the features role does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port, TLS, or the server itself.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// The store cannot be opened, or does not answer.
    #[error("cannot use the {store} store: {source}")]
    Store {
        /// `redis` or `embedded`.
        store: &'static str,
        /// Why.
        source: store::Error,
    },
    /// The registry, or the thread that looks at it.
    #[error(transparent)]
    Keeper(#[from] generations::StartError),
}

/// The one place where an error of the store becomes an answer.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` takes"
)]
pub(crate) fn status(error: store::Error) -> Status {
    problem(&error).into()
}

fn problem(error: &store::Error) -> Problem {
    let said = error.to_string();
    match error {
        store::Error::Unavailable { .. } => Problem::Unavailable(said),
        store::Error::Corrupt { .. } => Problem::Internal(said),
    }
}
