//! Immutable model snapshots: manifest, checksums, building and opening.
