//! Why a role does not start to keep generations, and why it makes none of a folder.

use std::path::PathBuf;

use crate::loader::Broken;

/// Why a role does not start to keep generations.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The URL of the registry cannot be used.
    #[error("registry cannot be used")]
    Registry(#[from] snapshot::Error),
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[from] std::io::Error),
}

/// What keeps a generation of a role from being made of a snapshot's folder.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E: std::error::Error + 'static> {
    /// The folder is no complete snapshot.
    #[error("the snapshot in {dir} cannot be opened", dir = .dir.display())]
    Open {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        source: snapshot::Error,
    },
    /// The role cannot use what is in it.
    #[error("the snapshot in {dir} cannot be loaded", dir = .dir.display())]
    Load {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: E,
    },
    /// Nothing to load it with.
    #[error("loading the snapshot failed")]
    Broken(#[from] Broken),
}
