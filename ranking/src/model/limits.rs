//! What a file of another library may hold at most.

pub(super) const MOST_TREES: usize = 20_000;
/// Of all trees together.
pub(super) const MOST_NODES: usize = 8_000_000;
/// Questions on the way to a leaf.
pub(super) const DEEPEST: usize = 10_000;
