//! Why the role did not start. What goes wrong with a request is a [`kit::Problem`].

use kit::client::PeerError;
use kit::shell::ShellError;

use crate::generation::LoadError;

/// Why the role did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No snapshot was named.
    #[error(
        "snapshot is not set: name the folder of a snapshot, as `cartwright train` writes one, or a registry to follow"
    )]
    NoSnapshot,
    /// The snapshot or the policy cannot be served.
    #[error(transparent)]
    Load(Box<generations::LoadError<LoadError>>),
    /// The registry, or the thread that loads.
    #[error(transparent)]
    Keeper(#[from] generations::StartError),
    /// The URL of another role cannot be used.
    #[error("{key} cannot be used")]
    Peer {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        source: PeerError,
    },
    /// The store for committed decisions cannot be used.
    #[error("redis cannot be used for the decision log")]
    Store(#[from] feature_store::store::Error),
    /// The webhook cannot be used.
    #[error("webhook cannot be used: {0}")]
    Webhook(String),
    /// The keys of codes and links cannot be used.
    #[error("tokens.keys_file has to hold {0}")]
    Tokens(String),
    /// A file of keys cannot be read.
    #[error("the keys in {path} cannot be read")]
    Keys {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The ports, the server or a task.
    #[error(transparent)]
    Shell(#[from] ShellError),
}
