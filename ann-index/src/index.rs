use std::fmt::Debug;

use crate::{Bitmap, Error};

/// One row that was found, with its inner product with the query.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Hit {
    pub id: u32,
    pub score: f32,
}

/// How an answer was found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Every allowed row was scored.
    Exact,
    /// Some inverted lists were probed.
    Approximate,
}

impl Plan {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Approximate => "approximate",
        }
    }
}

/// What one search did. `scanned` is the number of rows that it looked at, allowed or not, and
/// `eligible` of those that the filter allowed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct SearchReport {
    pub plan: Plan,
    pub lists_probed: u32,
    pub scanned: u64,
    pub eligible: u64,
}

/// The rows of greatest inner product with a query, best first, ties by id.
pub trait VectorIndex: Send + Sync + Debug {
    fn dimension(&self) -> usize;

    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Replaces `out` with at most `k` hits, all of them allowed. Fewer than `k` when fewer rows
    /// are allowed, or when an approximate search met no more.
    ///
    /// # Errors
    /// A query of the wrong dimension or with a number that is not finite, `k` of 0, a filter of
    /// another length than the index.
    fn search(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&Bitmap>,
        out: &mut Vec<Hit>,
    ) -> Result<SearchReport, Error>;
}

/// The share of the expected ids that are among those found; 1 when nothing was expected.
#[must_use]
pub fn recall(expected: &[Hit], got: &[Hit]) -> f64 {
    if expected.is_empty() {
        return 1.0;
    }
    let found: std::collections::HashSet<u32> = got.iter().map(|hit| hit.id).collect();
    let met = expected
        .iter()
        .filter(|hit| found.contains(&hit.id))
        .count();
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of hits are far below 2^52"
    )]
    let share = met as f64 / expected.len() as f64;
    share
}

/// Checks what every index asks of a query.
pub(crate) fn check_query(
    index: &dyn VectorIndex,
    query: &[f32],
    k: usize,
    allowed: Option<&Bitmap>,
) -> Result<(), Error> {
    if query.len() != index.dimension() {
        return Err(Error::Dimension {
            expected: index.dimension(),
            found: query.len(),
        });
    }
    if let Some((at, &value)) = query.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        return Err(Error::NotFinite {
            what: "query",
            at,
            value,
        });
    }
    if k == 0 {
        return Err(Error::Invalid {
            field: "k",
            value: "0".into(),
            allowed: "1 or more",
        });
    }
    match allowed {
        Some(bits) if bits.len() != index.len() => Err(Error::FilterLength {
            expected: index.len(),
            found: bits.len(),
        }),
        Some(_) | None => Ok(()),
    }
}
