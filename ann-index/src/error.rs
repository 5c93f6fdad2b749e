use std::path::PathBuf;

/// Why a search, a build or a load did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("query has {found} numbers, the index has dimension {expected}")]
    Dimension { expected: usize, found: usize },
    #[error("{what}[{at}] is {value}, only finite numbers can be compared")]
    NotFinite {
        what: &'static str,
        at: usize,
        value: f32,
    },
    #[error("{field} is {value}, {allowed}")]
    Invalid {
        field: &'static str,
        value: String,
        allowed: &'static str,
    },
    #[error("the filter covers {found} rows, the index has {expected}")]
    FilterLength { expected: usize, found: usize },
    #[error("index file {path}: {detail}")]
    File { path: PathBuf, detail: String },
    #[error("faiss could not {action}: {detail}")]
    Faiss {
        action: &'static str,
        detail: String,
    },
    #[error(
        "faiss was compiled with {options:?}, without AVX2: it would be several times slower; \
         set CXXFLAGS=-march=x86-64-v3 and run `cargo clean -p faiss-sys` before building again"
    )]
    GenericBuild { options: String },
}
