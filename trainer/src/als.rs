//! Implicit-feedback factorisation by alternating, weighted least squares.
//!
//! Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008:
//! minimise Σ over all u, i of c·(p − x·y)² + λ·(Σ|x|² + Σ|y|²), where p is 1 for what a shopper
//! touched and 0 for the rest, and c = 1 + α·r for a touch of strength r, 1 for the rest. With
//! either side fixed each row of the other is a small least-squares problem (their equation 4).
//!
//! Every row is solved alone, and sums over rows run over blocks of a fixed size added in order, so
//! that the result does not depend on the number of threads.

use rayon::prelude::*;

use crate::cholesky;
use crate::prng::SplitMix64;
use crate::ratings::Ratings;

/// Rows per block; part of the result, since it fixes the order of additions.
const BLOCK: usize = 128;

#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Settings {
    pub dimension: usize,
    /// One iteration solves all users, then all items.
    pub iterations: usize,
    /// λ.
    pub regularisation: f64,
    /// α; 0 gives unweighted least squares.
    pub alpha: f64,
    pub seed: u64,
}

/// Row-major vectors of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    pub dimension: usize,
    pub users: Vec<f32>,
    pub items: Vec<f32>,
    /// The objective after each iteration; it never rises.
    pub loss: Vec<f64>,
}

/// Factorises strengths r (rows are users, columns items), telling `progress` the iteration's
/// number from 1 and its objective.
pub fn factorise(
    strengths: &Ratings,
    settings: &Settings,
    progress: &mut dyn FnMut(usize, f64),
) -> Factors {
    let excess = strengths.clone().map(|r| scaled(r, settings.alpha));
    let by_item = excess.transposed();
    let dimension = settings.dimension;
    let mut random = SplitMix64::new(settings.seed);
    let mut items = seeded(&mut random, excess.columns() * dimension, dimension);
    let mut users = vec![0.0; excess.rows() * dimension];
    let mut loss = Vec::with_capacity(settings.iterations);
    for iteration in 1..=settings.iterations {
        solve_side(&excess, &items, &mut users, settings);
        solve_side(&by_item, &users, &mut items, settings);
        let now = objective(&excess, &users, &items, settings);
        loss.push(now);
        progress(iteration, now);
    }
    Factors {
        dimension,
        users,
        items,
        loss,
    }
}

/// Small, positive and negative, so that no dimension starts equal to another.
fn seeded(random: &mut SplitMix64, count: usize, dimension: usize) -> Vec<f32> {
    let scale = 1.0 / (size(dimension)).sqrt();
    (0..count)
        .map(|_| narrow((random.unit() - 0.5) * scale))
        .collect()
}

/// One half of an iteration: all rows of `solved`, given the other side.
fn solve_side(excess: &Ratings, fixed: &[f32], solved: &mut [f32], settings: &Settings) {
    let dimension = settings.dimension;
    let mut base = gram(fixed, dimension);
    for at in 0..dimension {
        base[at * dimension + at] += settings.regularisation;
    }
    solved
        .par_chunks_mut(BLOCK * dimension)
        .enumerate()
        .for_each(|(block, rows)| {
            let mut normal = Normal::new(dimension);
            for (offset, row) in rows.chunks_exact_mut(dimension).enumerate() {
                normal.solve(&base, excess.row(block * BLOCK + offset), fixed, row);
            }
        });
}

/// The normal equations of one row, their memory used again for the next.
struct Normal {
    dimension: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    vector: Vec<f64>,
}

impl Normal {
    fn new(dimension: usize) -> Self {
        let zeros = |count| vec![0.0; count];
        Self {
            dimension,
            a: zeros(dimension * dimension),
            b: zeros(dimension),
            vector: zeros(dimension),
        }
    }

    /// (YᵀY + λI + Σ (c − 1) y yᵀ) x = Σ c y, over what the row touched.
    fn solve(
        &mut self,
        base: &[f64],
        row: impl Iterator<Item = (usize, f32)>,
        fixed: &[f32],
        out: &mut [f32],
    ) {
        self.a.copy_from_slice(base);
        self.b.fill(0.0);
        for (index, excess) in row {
            self.add(
                &fixed[index * self.dimension..][..self.dimension],
                f64::from(excess),
            );
        }
        if !cholesky::solve(&mut self.a, &mut self.b, self.dimension) {
            // Without regularisation a row may have no unique solution: then it stays as it was,
            // which cannot raise the objective.
            return;
        }
        for (place, value) in out.iter_mut().zip(&self.b) {
            *place = narrow(*value);
        }
    }

    fn add(&mut self, y: &[f32], excess: f64) {
        for (place, value) in self.vector.iter_mut().zip(y) {
            *place = f64::from(*value);
        }
        for (i, yi) in self.vector.iter().enumerate() {
            self.b[i] += (1.0 + excess) * yi;
            let weighted = excess * yi;
            let row = &mut self.a[i * self.dimension..][..=i];
            for (place, yj) in row.iter_mut().zip(&self.vector) {
                *place += weighted * yj;
            }
        }
    }
}

/// YᵀY, its lower triangle filled.
fn gram(rows: &[f32], dimension: usize) -> Vec<f64> {
    let blocks: Vec<Vec<f64>> = rows
        .par_chunks(BLOCK * dimension)
        .map(|block| {
            let mut sum = vec![0.0; dimension * dimension];
            for row in block.chunks_exact(dimension) {
                add_outer(&mut sum, row, dimension);
            }
            sum
        })
        .collect();
    let mut total = vec![0.0; dimension * dimension];
    for block in blocks {
        for (place, value) in total.iter_mut().zip(block) {
            *place += value;
        }
    }
    total
}

fn add_outer(sum: &mut [f64], row: &[f32], dimension: usize) {
    for (i, yi) in row.iter().enumerate() {
        let yi = f64::from(*yi);
        for (place, yj) in sum[i * dimension..][..=i].iter_mut().zip(row) {
            *place += yi * f64::from(*yj);
        }
    }
}

/// The full objective, over all cells and not only those touched: Σ over all of (x·y)² is
/// Σ xᵀ(YᵀY)x, and each cell touched is put right by c·(1 − x·y)² − (x·y)².
fn objective(excess: &Ratings, users: &[f32], items: &[f32], settings: &Settings) -> f64 {
    let dimension = settings.dimension;
    let gram = gram(items, dimension);
    let blocks: Vec<f64> = users
        .par_chunks(BLOCK * dimension)
        .enumerate()
        .map(|(block, rows)| {
            let rows = rows.chunks_exact(dimension).enumerate();
            rows.map(|(offset, x)| {
                quadratic(&gram, x) + touched(excess.row(block * BLOCK + offset), x, items)
            })
            .sum()
        })
        .collect();
    let penalty = squared(users) + squared(items);
    blocks.iter().sum::<f64>() + settings.regularisation * penalty
}

/// xᵀ G x from G's lower triangle.
fn quadratic(gram: &[f64], x: &[f32]) -> f64 {
    let mut sum = 0.0;
    for (i, xi) in x.iter().enumerate() {
        let row = &gram[i * x.len()..][..=i];
        let below: f64 = row[..i]
            .iter()
            .zip(x)
            .map(|(g, xj)| g * f64::from(*xj))
            .sum();
        sum += f64::from(*xi) * (2.0 * below + row[i] * f64::from(*xi));
    }
    sum
}

fn touched(row: impl Iterator<Item = (usize, f32)>, x: &[f32], items: &[f32]) -> f64 {
    row.map(|(index, excess)| {
        let score = dot(x, &items[index * x.len()..][..x.len()]);
        (1.0 + f64::from(excess)) * (1.0 - score).powi(2) - score.powi(2)
    })
    .sum()
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    x.iter()
        .zip(y)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

fn squared(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum()
}

fn scaled(strength: f32, alpha: f64) -> f32 {
    narrow(f64::from(strength) * alpha)
}

#[expect(clippy::cast_possible_truncation, reason = "factors are stored as f32")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_precision_loss, reason = "dimensions are small")]
fn size(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_ratings() -> Ratings {
        let mut random = SplitMix64::new(7);
        let mut cells = Vec::new();
        for user in 0..300_u32 {
            for item in 0..200_u32 {
                let close = (user % 10) == (item % 10);
                if random.unit() < if close { 0.4 } else { 0.02 } {
                    cells.push((user, item, 1.0 + random.unit()));
                }
            }
        }
        Ratings::new(300, 200, &cells)
    }

    fn settings() -> Settings {
        Settings {
            dimension: 12,
            iterations: 8,
            regularisation: 0.1,
            alpha: 10.0,
            seed: 3,
        }
    }

    fn on_threads(count: usize) -> Factors {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .build()
            .unwrap();
        pool.install(|| factorise(&some_ratings(), &settings(), &mut |_, _| {}))
    }

    #[test]
    fn the_objective_never_rises_and_is_told() {
        let mut told = Vec::new();
        let factors = factorise(&some_ratings(), &settings(), &mut |at, loss| {
            told.push((at, loss))
        });
        assert_eq!(told.len(), 8);
        assert!(
            factors
                .loss
                .windows(2)
                .all(|pair| pair[1] <= pair[0] * (1.0 + 1e-9))
        );
        assert!(
            factors.loss[7] < factors.loss[0] * 0.95,
            "{:?}",
            factors.loss
        );
    }

    #[test]
    fn the_objective_is_the_sum_over_all_cells() {
        let ratings = some_ratings();
        let factors = factorise(&ratings, &settings(), &mut |_, _| {});
        let mut slow = 0.0;
        for user in 0..ratings.rows() {
            let row: std::collections::BTreeMap<_, _> = ratings.row(user).collect();
            for item in 0..ratings.columns() {
                let x = &factors.users[user * 12..][..12];
                let score = dot(x, &factors.items[item * 12..][..12]);
                slow += match row.get(&item) {
                    Some(r) => (1.0 + 10.0 * f64::from(*r)) * (1.0 - score).powi(2),
                    None => score.powi(2),
                };
            }
        }
        slow += 0.1 * (squared(&factors.users) + squared(&factors.items));
        let fast = factors.loss[7];
        assert!((fast - slow).abs() < 1e-4 * slow, "{fast} {slow}");
    }

    #[test]
    fn one_thread_and_two_give_the_same_bits() {
        let (one, two) = (on_threads(1), on_threads(2));
        let bits = |values: &[f32]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&one.users), bits(&two.users));
        assert_eq!(bits(&one.items), bits(&two.items));
        assert_eq!(
            one.loss
                .iter()
                .map(|loss| loss.to_bits())
                .collect::<Vec<_>>(),
            two.loss
                .iter()
                .map(|loss| loss.to_bits())
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn another_seed_gives_other_factors() {
        let one = factorise(&some_ratings(), &settings(), &mut |_, _| {});
        let other = Settings {
            seed: 4,
            ..settings()
        };
        assert_ne!(
            one.items,
            factorise(&some_ratings(), &other, &mut |_, _| {}).items
        );
    }
}
