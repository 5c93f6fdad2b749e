//! Sums of derivatives by bin, and the best split that they show.

use ranking::forest::Side;
use rayon::prelude::*;

use super::Settings;
use super::bins::{Bins, Column};
use super::loss::Slope;

/// Below so much work, sharing it out costs more than it saves.
const WORTH_SHARING: usize = 1 << 15;
/// A leaf must curve this much at least: where the loss is flat, its answer would be noise.
const LEAST_CURVE: f64 = 1e-6;

/// Derivatives of some rows, summed.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub(super) struct Sum {
    pub(super) first: f64,
    pub(super) second: f64,
    pub(super) rows: u32,
}

impl Sum {
    fn add(&mut self, slope: Slope) {
        self.first += slope.first;
        self.second += slope.second;
        self.rows += 1;
    }

    fn plus(self, other: Self) -> Self {
        Self {
            first: self.first + other.first,
            second: self.second + other.second,
            rows: self.rows + other.rows,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            first: self.first - other.first,
            second: self.second - other.second,
            rows: self.rows - other.rows,
        }
    }

    pub(super) fn of(slopes: &[Slope], rows: &[u32]) -> Self {
        let mut sum = Self::default();
        rows.iter().for_each(|row| sum.add(slopes[*row as usize]));
        sum
    }

    /// What the loss falls by when these rows get the answer that is best for them, twice.
    fn worth(self, penalty: f64) -> f64 {
        self.first * self.first / (self.second + penalty)
    }

    /// The answer that is best for these rows.
    pub(super) fn answer(self, penalty: f64) -> f64 {
        -self.first / (self.second + penalty)
    }

    fn can_be_leaf(self, settings: &Settings) -> bool {
        self.second >= LEAST_CURVE
            && usize::try_from(self.rows).is_ok_and(|rows| rows >= settings.leaf_rows)
    }
}

/// For each column that the tree may ask for, the sums of its bins.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    columns: Vec<Vec<Sum>>,
}

impl Histogram {
    pub(super) fn new(bins: &Bins, slopes: &[Slope], rows: &[u32], columns: &[usize]) -> Self {
        let own: Vec<Slope> = rows.iter().map(|row| slopes[*row as usize]).collect();
        let of = |at: &usize| sums(bins.column(*at), &own, rows);
        let columns = if rows.len() * columns.len() < WORTH_SHARING {
            columns.iter().map(of).collect()
        } else {
            columns.par_iter().map(of).collect()
        };
        Self { columns }
    }

    /// Of the rows that are in this one and not in `part`.
    pub(super) fn without(mut self, part: &Self) -> Self {
        for (whole, part) in self.columns.iter_mut().zip(&part.columns) {
            for (whole, part) in whole.iter_mut().zip(part) {
                *whole = whole.minus(*part);
            }
        }
        self
    }

    /// The split that takes most of the loss away; of equals, that of the first column and the
    /// lowest bin.
    pub(super) fn best_split(
        &self,
        bins: &Bins,
        columns: &[usize],
        total: Sum,
        settings: &Settings,
    ) -> Option<Found> {
        let found = columns
            .iter()
            .zip(&self.columns)
            .filter_map(|(at, sums)| best_of(*at, bins.column(*at), sums, total, settings));
        found.reduce(|best, other| if other.gain > best.gain { other } else { best })
    }
}

/// A split of a leaf.
#[derive(Copy, Clone, Debug)]
pub(super) struct Found {
    pub(super) gain: f64,
    pub(super) column: usize,
    /// The last bin that goes left.
    pub(super) bin: u8,
    pub(super) below: f32,
    pub(super) missing: Side,
    pub(super) left: Sum,
    pub(super) right: Sum,
}

fn sums(column: &Column, own: &[Slope], rows: &[u32]) -> Vec<Sum> {
    let mut sums = vec![Sum::default(); column.len()];
    for (row, slope) in rows.iter().zip(own) {
        sums[usize::from(column.bins[*row as usize])].add(*slope);
    }
    sums
}

fn best_of(
    at: usize,
    column: &Column,
    sums: &[Sum],
    total: Sum,
    settings: &Settings,
) -> Option<Found> {
    let (missing, present) = sums.split_first()?;
    let penalty = settings.penalty;
    let before = total.worth(penalty);
    let mut best: Option<Found> = None;
    let mut below = Sum::default();
    for (place, cut) in column.cuts.iter().enumerate() {
        below = below.plus(present[place]);
        for (side, left) in sides(*missing, below, total) {
            let right = total.minus(left);
            if !left.can_be_leaf(settings) || !right.can_be_leaf(settings) {
                continue;
            }
            let gain = left.worth(penalty) + right.worth(penalty) - before;
            if gain > best.map_or(1e-9, |best| best.gain) {
                best = Some(Found {
                    gain,
                    column: at,
                    bin: u8::try_from(place + 1).unwrap_or(u8::MAX),
                    below: *cut,
                    missing: side,
                    left,
                    right,
                });
            }
        }
    }
    best
}

/// Where missing values could go, and what is then on the left. Where none was seen they go with
/// the most rows.
fn sides(missing: Sum, below: Sum, total: Sum) -> impl Iterator<Item = (Side, Sum)> {
    let with = below.plus(missing);
    let (first, second) = if missing.rows > 0 {
        (Some((Side::Left, with)), Some((Side::Right, below)))
    } else if below.rows >= total.rows - below.rows {
        (Some((Side::Left, below)), None)
    } else {
        (Some((Side::Right, below)), None)
    };
    first.into_iter().chain(second)
}
