use crate::{Budget, MaskKind, ProbeRow};

/// How far to look.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    pub(super) nprobe: u32,
    pub(super) budget: Budget,
    pub(super) scanned: u64,
}

/// A filter that leaves this much less than was measured counts as measured. Without it, a cart's
/// own items left out of a full table would cost the effort of the next narrower band.
const SLACK: f64 = 0.02;

/// The effort by the table, or `None` when it measured nothing as narrow as this.
///
/// Rows for the nearest `k` that is not smaller, and the widest share of allowed rows that is not
/// above this one, are on the safe side; of several filter shapes the most demanding counts, and for
/// filters that turn out to be even the one that was.
pub(super) fn effort(table: &[ProbeRow], k: usize, selectivity: f64) -> Option<Effort> {
    let k = u32::try_from(k).unwrap_or(u32::MAX);
    let ks = || table.iter().map(|row| row.k);
    let row_k = ks()
        .filter(|&row_k| row_k >= k)
        .min()
        .or_else(|| ks().max())?;
    let fitting = || {
        let usable =
            |row: &&ProbeRow| row.k == row_k && row.selectivity <= selectivity * (1.0 + SLACK);
        table.iter().filter(usable)
    };
    let band = fitting()
        .map(|row| row.selectivity)
        .max_by(f64::total_cmp)?;
    let rows = || fitting().filter(|row| row.selectivity >= band);
    // More hits than were measured for are spread over more lists.
    let deeper = f64::from(k.max(row_k)) / f64::from(row_k.max(1));
    let most = |of: fn(&ProbeRow) -> u64| rows().map(of).max().unwrap_or(0);
    let drawn = rows().filter(|row| row.kind == MaskKind::Random);
    let even = drawn.map(|row| row.budget).max();
    let even = even.unwrap_or_else(|| most(|row| row.budget));
    // As many rows as in the narrower band, of which more are allowed here.
    let denser = (selectivity / band).max(1.0);
    Some(Effort {
        nprobe: u32::try_from(times(most(|row| u64::from(row.nprobe)), deeper)).unwrap_or(u32::MAX),
        budget: Budget {
            even: times(even, deeper * denser),
            uneven: times(most(|row| row.budget), deeper * denser),
        },
        scanned: times(most(|row| row.scanned), deeper),
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of rows are far below 2^52 and the factor is 1 or more"
)]
fn times(count: u64, factor: f64) -> u64 {
    (count as f64 * factor).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(k: u32, selectivity: f64, kind: MaskKind, nprobe: u32) -> ProbeRow {
        ProbeRow {
            k,
            selectivity,
            kind,
            nprobe,
            budget: u64::from(nprobe) * 10,
            scanned: u64::from(nprobe) * 50,
            recall: 0.95,
        }
    }

    #[test]
    fn the_table_answers_on_the_safe_side() {
        let table = [
            row(100, 1.0, MaskKind::Random, 8),
            row(100, 0.5, MaskKind::Random, 10),
            row(100, 0.5, MaskKind::Clustered, 20),
            row(100, 0.1, MaskKind::Random, 40),
            row(500, 1.0, MaskKind::Random, 30),
        ];
        let probes = |k, selectivity| effort(&table, k, selectivity).map(|effort| effort.nprobe);
        assert_eq!(probes(50, 1.0), Some(8));
        assert_eq!(probes(100, 0.99), Some(8), "all but a cart's own items");
        assert_eq!(probes(100, 0.9), Some(20), "most demanding shape");
        assert_eq!(probes(100, 0.2), Some(40));
        assert_eq!(probes(100, 0.05), None, "narrower than measured");
        assert_eq!(probes(200, 1.0), Some(30), "next k that was measured");
        assert_eq!(probes(1_000, 1.0), Some(60), "beyond the largest k");
        assert_eq!(effort(&[], 10, 1.0), None, "nothing measured");
        let deep = effort(&table, 1_000, 1.0).unwrap();
        assert_eq!((deep.budget, deep.scanned), (600.into(), 3_000));
        let between = effort(&table, 100, 0.2).unwrap();
        assert_eq!(between.scanned, 2_000, "as many rows as at a tenth");
        assert_eq!(
            between.budget,
            800.into(),
            "of which twice as many are allowed"
        );
        let mixed = effort(&table, 100, 0.5).unwrap().budget;
        assert_eq!((mixed.even, mixed.uneven), (100, 200));
    }
}
