//! What a search costs, in bytes brought in from memory: the same on every machine, unlike time,
//! and on one of them close to it. `docs/ann.md` holds the measurements behind the factors.

/// A code's step and bounds beside its bytes.
const CODE_EXTRA: u64 = 8;
/// Looking up whether a row is allowed.
const LOOK_UP: u64 = 16;
/// Going to a list.
const VISIT: u64 = 512;
/// A full vector at a place of its own costs as much as this many in sequence.
const SCATTERED: u64 = 2;
/// FAISS's scan of a code, in scans of ours.
const FAISS_CODE: u64 = 2;
/// Rows that are scored again for each row that is answered.
const AGAIN: u64 = 2;

/// What an index holds.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) rows: u64,
    pub(crate) dimension: u64,
    pub(crate) lists: u64,
}

impl Shape {
    /// Scores the allowed rows by their full vectors.
    pub(crate) fn full(&self, eligible: u64) -> u64 {
        let apart = SCATTERED * eligible;
        apart.min(self.rows) * 4 * self.dimension + self.rows / 8
    }

    /// Scans the codes of every row that shares a block with an allowed one, in order of id.
    pub(crate) fn codes(&self, k: u64, eligible: u64) -> u64 {
        let rows = eligible.saturating_mul(16).min(self.rows);
        rows * (self.dimension + CODE_EXTRA) + self.again(k)
    }

    /// Walks lists until `scanned` rows were looked at.
    pub(crate) fn lists(&self, k: u64, scanned: u64, filtered: bool) -> u64 {
        let row = self.dimension + CODE_EXTRA + if filtered { LOOK_UP } else { 0 };
        let visited = scanned * self.lists / self.rows.max(1);
        self.lists * (self.dimension + CODE_EXTRA) + visited * VISIT + scanned * row + self.again(k)
    }

    /// Probes lists of FAISS that hold `scanned` rows.
    pub(crate) fn faiss(&self, k: u64, scanned: u64) -> u64 {
        let visited = scanned * self.lists / self.rows.max(1);
        let row = FAISS_CODE * (self.dimension + CODE_EXTRA);
        self.lists * 4 * self.dimension + visited * VISIT + scanned * row + self.again(k)
    }

    fn again(&self, k: u64) -> u64 {
        AGAIN * k * SCATTERED * 4 * self.dimension
    }
}
