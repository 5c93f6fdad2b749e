//! The network that makes a shopper's vector is the other half of the items' vectors.

use retrieval::check_towers;
use snapshot::{Snapshot, Verdict, gates};

use crate::role::ROLE;

/// One verdict for each space that has a network.
pub(super) fn towers(snapshot: &Snapshot) -> Vec<Verdict> {
    let checks = match check_towers(snapshot) {
        Ok(checks) => checks,
        Err(error) => return vec![super::refusal(&error)],
    };
    let verdict = |check: retrieval::TowerCheck| {
        let measured = format!("{}: the network is of {}", check.space, check.measured);
        let bar = format!("the run of the vectors, {}", check.bar);
        Verdict::new(gates::TOWER, ROLE, measured, bar, check.passed)
    };
    checks.into_iter().map(verdict).collect()
}
