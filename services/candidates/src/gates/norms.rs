//! Vectors are finite and of the lengths that their space allows, and not too many are missing.

use kit::causes::causes;
use retrieval::files::SPACE;
use snapshot::{Snapshot, Verdict, gates};

use super::fit;
use crate::role::ROLE;

/// How far a row of a content space may be from length 1.
const ROUNDING: f64 = 1e-3;
/// Items without a vector that the collaborative space may have, besides those that too few people
/// dealt with: more is a factorisation that failed.
const MOST_ZEROS: f64 = 0.5;

#[derive(Default)]
struct Lengths {
    rows: u64,
    zeros: u64,
    not_finite: u64,
    /// Neither 0 nor 1.
    odd: u64,
    longest: f64,
}

impl Lengths {
    fn see(&mut self, row: &[f32]) {
        self.rows += 1;
        let length = row
            .iter()
            .map(|&x| f64::from(x).powi(2))
            .sum::<f64>()
            .sqrt();
        if !length.is_finite() {
            self.not_finite += 1;
            return;
        }
        self.zeros += u64::from(length == 0.0);
        self.odd += u64::from(length > 0.0 && (length - 1.0).abs() > ROUNDING);
        self.longest = self.longest.max(length);
    }

    #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
    fn zero_share(&self, meant: u64) -> f64 {
        let (zeros, rows) = (self.zeros, self.rows);
        zeros.saturating_sub(meant) as f64 / rows.saturating_sub(meant).max(1) as f64
    }
}

/// What can be searched, and how much of it there is. Empty without spaces.
pub(super) fn norms(snapshot: &Snapshot) -> Vec<Verdict> {
    let (mut numbers, mut lengths) = (Vec::new(), Vec::new());
    let (mut searchable, mut enough) = (true, true);
    let privacy = snapshot.manifest().privacy.as_ref();
    let meant = privacy.map_or(0, |privacy| privacy.items_left_out);
    for space in &snapshot.manifest().spaces {
        let mut seen = Lengths::default();
        let read = fit::vectors(snapshot, &space.name, &mut |row| seen.see(row));
        if let Err(error) = read {
            searchable = false;
            numbers.push(causes(&error));
            continue;
        }
        let (name, content) = (&space.name, space.name != SPACE);
        let zero_share = seen.zero_share(if content { 0 } else { meant });
        searchable &= seen.not_finite == 0 && !(content && seen.odd > 0);
        enough &= content || zero_share <= MOST_ZEROS;
        let (odd, not_finite) = (if content { seen.odd } else { 0 }, seen.not_finite);
        numbers.push(format!(
            "{name}: {not_finite} not finite, {odd} of a wrong length"
        ));
        let (percent, longest) = (zero_share * 100.0, seen.longest);
        lengths.push(format!(
            "{name}: {percent:.1} % without, longest {longest:.3}"
        ));
    }
    if numbers.is_empty() {
        return Vec::new();
    }
    let bar = format!("all finite; lengths 0 or 1 except in {SPACE}");
    let numbers = Verdict::new(gates::VECTORS, ROLE, numbers.join("; "), bar, searchable);
    let bar = format!(
        "{SPACE}: at most {:.0} % without a vector",
        MOST_ZEROS * 100.0
    );
    vec![
        numbers,
        Verdict::new(gates::NORMS, ROLE, lengths.join("; "), bar, enough),
    ]
}
