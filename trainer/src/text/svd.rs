//! Randomised truncated singular value decomposition: Halko, Martinsson and Tropp, "Finding
//! structure with randomness" (2011), algorithms 4.4 and 5.1.
//!
//! Every sum is added up in an order that does not depend on the number of threads.

use rayon::prelude::*;

use crate::prng::SplitMix64;
use crate::ratings::Ratings;

/// Columns beyond those wanted, which make the last of those good.
const OVERSAMPLING: usize = 8;
/// Each sharpens the space towards the large singular values.
const POWER_ITERATIONS: usize = 3;
/// Directions with less than this part of the greatest variance are noise.
const LEAST: f64 = 1e-10;
/// Rows whose products are summed as one part.
const PART: usize = 1_024;
const SWEEPS: usize = 60;

/// Rows of equal width.
type Dense = Vec<Vec<f64>>;

/// The rows of U Σ for the greatest `dimension` singular values of a matrix, or as many as it has.
pub(crate) fn truncated(matrix: &Ratings, dimension: usize, seed: u64) -> Dense {
    let transposed = matrix.transposed();
    let width = (dimension + OVERSAMPLING)
        .min(matrix.rows())
        .min(matrix.columns());
    let mut random = SplitMix64::new(seed);
    let start: Dense = (0..matrix.columns())
        .map(|_| (0..width).map(|_| random.unit() - 0.5).collect())
        .collect();
    let mut range = orthonormal(times(matrix, &start));
    for _ in 0..POWER_ITERATIONS {
        let rows = orthonormal(times(&transposed, &range));
        range = orthonormal(times(matrix, &rows));
    }
    // With B = QᵀA, the eigenvectors of BBᵀ turn Q into U, and QW Σ is what is wanted.
    let projected = times(&transposed, &range);
    let (values, vectors) = eigen(gram(&projected));
    let greatest = values.first().copied().unwrap_or(0.0);
    let kept = values
        .iter()
        .take(dimension)
        .filter(|&&value| value > LEAST * greatest && value > 0.0)
        .count();
    let scaled = |row: &Vec<f64>| {
        (0..kept)
            .map(|at| values[at].sqrt() * dot(row, &vectors[at]))
            .collect()
    };
    range.par_iter().map(scaled).collect()
}

fn times(sparse: &Ratings, dense: &Dense) -> Dense {
    let width = dense.first().map_or(0, Vec::len);
    let product = |row: usize| {
        let mut sum = vec![0.0; width];
        for (column, value) in sparse.row(row) {
            let other = &dense[column];
            let pairs = sum.iter_mut().zip(other);
            pairs.for_each(|(to, from)| *to += f64::from(value) * from);
        }
        sum
    };
    (0..sparse.rows()).into_par_iter().map(product).collect()
}

/// An orthonormal basis of the columns, with zeros for those that depend on others.
fn orthonormal(matrix: Dense) -> Dense {
    let (values, vectors) = eigen(gram(&matrix));
    let greatest = values.first().copied().unwrap_or(0.0);
    let scale = |value: f64| {
        if value > LEAST * greatest {
            1.0 / value.sqrt()
        } else {
            0.0
        }
    };
    let scales: Vec<f64> = values.into_iter().map(scale).collect();
    let turned = |row: Vec<f64>| {
        let pairs = scales.iter().zip(&vectors);
        pairs
            .map(|(scale, vector)| scale * dot(&row, vector))
            .collect()
    };
    matrix.into_par_iter().map(turned).collect()
}

/// MᵀM.
fn gram(matrix: &Dense) -> Dense {
    let width = matrix.first().map_or(0, Vec::len);
    let part = |rows: &[Vec<f64>]| {
        let mut sum = vec![vec![0.0; width]; width];
        for row in rows {
            for (line, a) in sum.iter_mut().zip(row) {
                line.iter_mut().zip(row).for_each(|(to, b)| *to += a * b);
            }
        }
        sum
    };
    let parts: Vec<Dense> = matrix.par_chunks(PART).map(part).collect();
    let mut sum = vec![vec![0.0; width]; width];
    for part in parts {
        for (to, from) in sum.iter_mut().flatten().zip(part.iter().flatten()) {
            *to += from;
        }
    }
    sum
}

/// Eigenvalues of a symmetric matrix, greatest first, and their vectors, by Jacobi's rotations.
fn eigen(mut a: Dense) -> (Vec<f64>, Dense) {
    let n = a.len();
    let mut vectors: Dense = (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let size: f64 = a.iter().flatten().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i][j] * a[i][j])
            .sum();
        if off <= 1e-26 * size {
            break;
        }
        for (p, q) in (0..n).flat_map(|q| (0..q).map(move |p| (p, q))) {
            rotate(&mut a, &mut vectors, p, q);
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]).then(i.cmp(&j)));
    let values = order.iter().map(|&i| a[i][i].max(0.0)).collect();
    let vectors = order.into_iter().map(|i| std::mem::take(&mut vectors[i]));
    (values, vectors.collect())
}

/// Makes a\[p\]\[q\] zero; row i of `vectors` is the vector of a\[i\]\[i\].
fn rotate(a: &mut Dense, vectors: &mut Dense, p: usize, q: usize) {
    let apq = a[p][q];
    if apq == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for row in a.iter_mut() {
        let (x, y) = (row[p], row[q]);
        (row[p], row[q]) = (c * x - s * y, s * x + c * y);
    }
    turn_rows(a, p, q, c, s);
    turn_rows(vectors, p, q, c, s);
}

fn turn_rows(matrix: &mut Dense, p: usize, q: usize, c: f64, s: f64) {
    let (head, tail) = matrix.split_at_mut(q);
    for (x, y) in head[p].iter_mut().zip(&mut tail[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse(rows: &[&[f64]]) -> Ratings {
        let cells: Vec<(u32, u32, f64)> = rows
            .iter()
            .zip(0u32..)
            .flat_map(|(row, at)| row.iter().zip(0u32..).map(move |(x, j)| (at, j, *x)))
            .filter(|(_, _, x)| *x != 0.0)
            .collect();
        Ratings::new(rows.len(), rows.first().map_or(0, |row| row.len()), &cells)
    }

    #[test]
    fn all_dimensions_keep_every_inner_product() {
        let rows: [&[f64]; 4] = [
            &[3.0, 0.0, 1.0],
            &[0.5, 2.0, 0.0],
            &[0.0, 0.0, 4.0],
            &[1.0, 1.0, 1.0],
        ];
        let found = truncated(&sparse(&rows), 3, 1);
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate() {
                let (expected, given) = (dot(a, b), dot(&found[i], &found[j]));
                assert!(
                    (expected - given).abs() < 1e-9,
                    "{i} {j}: {expected} {given}"
                );
            }
        }
    }

    #[test]
    fn the_singular_values_are_those_of_a_matrix_by_hand() {
        // [[4, 0], [3, -5]] has the singular values √40 and √10.
        let found = truncated(&sparse(&[&[4.0, 0.0], &[3.0, -5.0]]), 2, 9);
        let squared = |at: usize| found.iter().map(|row| row[at] * row[at]).sum::<f64>();
        assert!((squared(0) - 40.0).abs() < 1e-9, "{}", squared(0));
        assert!((squared(1) - 10.0).abs() < 1e-9, "{}", squared(1));
    }

    #[test]
    fn a_matrix_of_rank_one_has_one_dimension() {
        let found = truncated(&sparse(&[&[1.0, 2.0, 0.0], &[2.0, 4.0, 0.0]]), 3, 2);
        assert_eq!(found[0].len(), 1);
        assert!((dot(&found[0], &found[1]) - 10.0).abs() < 1e-9);
    }
}
