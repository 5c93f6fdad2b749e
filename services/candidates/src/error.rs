//! Why the role does not start, and how the library's errors are answered.

use generations::{LoadError, StartError};
use kit::Problem;
use kit::client::PeerError;
use kit::shell::ShellError;
use tonic::Status;

/// Why the candidates role does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port, TLS, or the server itself.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// The URL or credentials of `features`.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// No snapshot was named.
    #[error(
        "snapshot is missing: name the folder to answer from, as `train` writes it, or a registry to follow"
    )]
    NoSnapshot,
    /// The snapshot cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError<retrieval::Error>),
    /// The registry, or the thread that loads.
    #[error(transparent)]
    Keeper(#[from] StartError),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The one place where an error of the library becomes an answer.
pub(crate) fn status(error: retrieval::Error) -> Status {
    problem(error).into()
}

fn problem(error: retrieval::Error) -> Problem {
    let said = error.to_string();
    match error {
        retrieval::Error::Invalid {
            field,
            value,
            allowed,
        } => Problem::Invalid(vec![(field.to_owned(), format!("is {value}, {allowed}"))]),
        retrieval::Error::UnknownItem { .. } => Problem::NotFound(said),
        retrieval::Error::Misfit { .. }
        | retrieval::Error::Space { .. }
        | retrieval::Error::Tower { .. }
        | retrieval::Error::Snapshot(_)
        | retrieval::Error::Index(_) => Problem::Internal(said),
    }
}
