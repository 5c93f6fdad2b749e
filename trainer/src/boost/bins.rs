//! Columns become numbers of bins, so that a split is one of a few hundred.

use rayon::prelude::*;

/// The bin of missing values.
pub(super) const MISSING: u8 = 0;

/// Column by column, the bin of each row: 0 for a missing value, then upwards with the value.
#[derive(Clone, Debug)]
pub(super) struct Bins {
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) bins: Vec<u8>,
    /// Between bin `b` and `b + 1` lies `cuts[b - 1]`: what is in `b` is below it, and what is in
    /// `b + 1` is not.
    pub(super) cuts: Vec<f32>,
}

impl Bins {
    pub(super) fn new(values: &[f32], columns: usize, most: usize) -> Self {
        let columns = (0..columns)
            .into_par_iter()
            .map(|at| {
                let column: Vec<f32> = values.iter().skip(at).step_by(columns).copied().collect();
                Column::new(&column, most)
            })
            .collect();
        Self { columns }
    }

    pub(super) fn column(&self, at: usize) -> &Column {
        &self.columns[at]
    }
}

impl Column {
    fn new(values: &[f32], most: usize) -> Self {
        let cuts = cuts(values, most);
        let bins = values.iter().map(|value| bin(&cuts, *value)).collect();
        Self { bins, cuts }
    }

    /// Bins in all, that of missing values among them.
    pub(super) fn len(&self) -> usize {
        self.cuts.len() + 2
    }
}

fn bin(cuts: &[f32], value: f32) -> u8 {
    if value.is_nan() {
        return MISSING;
    }
    let below = cuts.partition_point(|cut| *cut <= value);
    u8::try_from(below + 1).unwrap_or(u8::MAX)
}

/// At most `most - 1` cuts: one between each two values, or so that bins hold about as many rows
/// each where there are more values than bins.
fn cuts(values: &[f32], most: usize) -> Vec<f32> {
    let present = values.iter().filter(|value| !value.is_nan());
    let mut sorted: Vec<f32> = present.map(|value| finite(*value)).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut distinct: Vec<(f32, usize)> = Vec::new();
    for value in sorted {
        match distinct.last_mut() {
            Some((last, count)) if *last >= value => *count += 1,
            _ => distinct.push((value, 1)),
        }
    }
    let mut left: usize = distinct.iter().map(|(_, count)| count).sum();
    let mut cuts = Vec::new();
    let (mut filled, mut bins) = (0, most);
    for (at, pair) in distinct.windows(2).enumerate() {
        let [(value, count), (next, _)] = pair else {
            continue;
        };
        filled += count;
        // What is left of the rows over what is left of the bins.
        let few = distinct.len() - at <= bins;
        if bins > 1 && (few || filled * bins >= left) {
            cuts.push(between(*value, *next));
            left -= filled;
            filled = 0;
            bins -= 1;
        }
    }
    cuts
}

/// A split is at a number, so that the ends of what a float can be count as the last numbers; and
/// 0 has one sign.
fn finite(value: f32) -> f32 {
    value.clamp(f32::MIN, f32::MAX) + 0.0
}

/// Above `low`, and at most `high`: half way where a number lies there.
fn between(low: f32, high: f32) -> f32 {
    let middle = low / 2.0 + high / 2.0;
    if middle > low && middle <= high {
        middle
    } else {
        high
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_of_a_few_values_has_a_bin_of_its_own() {
        let column = Column::new(&[3.0, f32::NAN, 1.0, 2.0, 1.0, -0.0, 0.0], 10);
        assert_eq!(column.bins, [4, 0, 2, 3, 2, 1, 1]);
        assert_eq!(column.len(), 5);
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let values: Vec<f32> = (0..1_000_u16).map(f32::from).collect();
        let column = Column::new(&values, 10);
        assert_eq!(column.cuts.len(), 9);
        let mut counts = [0; 11];
        for bin in column.bins {
            counts[usize::from(bin)] += 1;
        }
        assert_eq!(counts[0], 0);
        assert!(counts[1..].iter().all(|count| *count == 100), "{counts:?}");
    }

    proptest! {
        #[test]
        fn a_bin_holds_what_lies_between_its_cuts(
            values in prop::collection::vec(any::<f32>(), 1..400), most in 2_usize..40,
        ) {
            let column = Column::new(&values, most);
            prop_assert!(column.cuts.len() < most);
            for (value, bin) in values.iter().zip(&column.bins) {
                let bin = usize::from(*bin);
                if value.is_nan() {
                    prop_assert_eq!(bin, 0);
                } else {
                    prop_assert!(bin >= 1);
                    prop_assert!(bin < 2 || *value >= column.cuts[bin - 2]);
                    prop_assert!(bin > column.cuts.len() || *value < column.cuts[bin - 1]);
                }
            }
        }
    }
}
