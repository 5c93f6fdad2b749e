//! Which rows and columns a tree sees.

use super::{Examples, Settings, share_of};
use crate::metrics::real;
use crate::prng::SplitMix64;

pub(super) struct Sampler {
    random: SplitMix64,
    row_share: f64,
    column_share: f64,
    /// First row and row after the last of what is drawn together.
    units: Vec<(u32, u32)>,
    columns: usize,
}

impl Sampler {
    pub(super) fn new(
        settings: &Settings,
        train: &Examples,
        columns: usize,
        random: SplitMix64,
    ) -> Self {
        Self {
            random,
            row_share: settings.row_share,
            column_share: settings.column_share,
            units: units(train, settings.objective.is_order()),
            columns,
        }
    }

    /// Rows and columns of the next tree, each sorted.
    pub(super) fn next(&mut self) -> (Vec<u32>, Vec<usize>) {
        let units = self.draw(self.units.len(), self.row_share);
        let rows = units
            .into_iter()
            .flat_map(|unit| {
                let (from, to) = self.units[unit];
                from..to
            })
            .collect();
        (rows, self.draw(self.columns, self.column_share))
    }

    /// Every one with an equal chance, in order: of those left, as many as are still wanted.
    fn draw(&mut self, count: usize, share: f64) -> Vec<usize> {
        if share >= 1.0 {
            return (0..count).collect();
        }
        let mut wanted = share_of(count, share).round();
        (0..count)
            .filter(|at| {
                let is_drawn = self.random.unit() * real(count - at) < wanted;
                wanted -= f64::from(u8::from(is_drawn));
                is_drawn
            })
            .collect()
    }
}

/// Groups where an order is learned, else rows.
fn units(train: &Examples, is_order: bool) -> Vec<(u32, u32)> {
    let sizes = if is_order {
        train.groups.clone()
    } else {
        vec![1; train.len()]
    };
    let mut from = 0;
    sizes
        .into_iter()
        .map(|size| {
            let to = from + u32::try_from(size).unwrap_or(u32::MAX);
            let unit = (from, to);
            from = to;
            unit
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_as_many_as_asked_for_and_all_alike() {
        let train = Examples {
            labels: vec![0.0; 50],
            ..Examples::default()
        };
        let settings = Settings {
            row_share: 0.5,
            column_share: 0.25,
            ..Settings::default()
        };
        let mut sampler = Sampler::new(&settings, &train, 8, SplitMix64::new(1));
        let mut seen = [0_u32; 50];
        for _ in 0..1_000 {
            let (rows, columns) = sampler.next();
            assert_eq!((rows.len(), columns.len()), (25, 2));
            for row in rows {
                seen[row as usize] += 1;
            }
        }
        assert!(
            seen.iter().all(|count| (420..580).contains(count)),
            "{seen:?}"
        );
    }
}
