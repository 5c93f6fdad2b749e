use std::sync::Arc;

use ann_index::Vectors;

use crate::Error;

/// Finds a shopper's vector from a few items and the items' vectors.
///
/// With item factors Y and confidences c = 1 + α r, weighted least squares has the closed form
/// x = (YᵀY + Yᵀ(C − I)Y + λI)⁻¹ YᵀC p: equation 4 of Hu, Koren and Volinsky, "Collaborative
/// Filtering for Implicit Feedback Datasets" (2008). YᵀY is made once; a query adds a rank-one
/// term for each item and solves one small system by Cholesky's method.
#[derive(Clone, Debug)]
pub struct FoldIn {
    vectors: Arc<Vectors>,
    /// YᵀY + λI, row-major.
    base: Vec<f64>,
    alpha: f64,
}

impl FoldIn {
    /// `gram` is YᵀY, row-major, as the embeddings file holds it.
    ///
    /// # Errors
    /// A `gram` that is not d × d, `alpha` or `regularisation` that is negative or not finite.
    pub fn new(
        vectors: Arc<Vectors>,
        gram: &[f32],
        alpha: f32,
        regularisation: f32,
    ) -> Result<Self, Error> {
        let d = vectors.dimension();
        if gram.len() != d * d {
            return Err(invalid(
                "gram",
                format!("{} numbers", gram.len()),
                format!("{d} × {d}"),
            ));
        }
        for (field, value) in [("alpha", alpha), ("regularisation", regularisation)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(invalid(
                    field,
                    value.to_string(),
                    "0 or more and finite".to_owned(),
                ));
            }
        }
        let mut base: Vec<f64> = gram.iter().copied().map(f64::from).collect();
        base.iter_mut()
            .step_by(d + 1)
            .for_each(|x| *x += f64::from(regularisation));
        Ok(Self {
            vectors,
            base,
            alpha: f64::from(alpha),
        })
    }

    /// The vector for items with their strengths r. `None` without a known item of strength above
    /// 0, or when the numbers of the model make no solvable system.
    #[must_use]
    pub fn vector(&self, items: impl IntoIterator<Item = (u32, f32)>) -> Option<Vec<f32>> {
        let d = self.vectors.dimension();
        let mut system = self.base.clone();
        let mut right = vec![0.0; d];
        let mut row = vec![0.0; d];
        let mut any = false;
        for (ordinal, strength) in items {
            let Some(vector) = self.vectors.row(ordinal).filter(|_| strength > 0.0) else {
                continue;
            };
            any = true;
            row.iter_mut()
                .zip(vector)
                .for_each(|(to, &from)| *to = f64::from(from));
            let extra = self.alpha * f64::from(strength);
            add_outer(&mut system, &row, extra);
            right
                .iter_mut()
                .zip(&row)
                .for_each(|(b, y)| *b += (1.0 + extra) * y);
        }
        if !any || !solve(&mut system, &mut right) {
            return None;
        }
        Some(right.into_iter().map(narrow).collect())
    }
}

/// YᵀY, row-major.
#[must_use]
pub(crate) fn gram(vectors: &Vectors) -> Vec<f32> {
    let d = vectors.dimension();
    let mut sum = vec![0.0; d * d];
    let mut row = vec![0.0; d];
    for vector in vectors.as_slice().chunks_exact(d) {
        row.iter_mut()
            .zip(vector)
            .for_each(|(to, &from)| *to = f64::from(from));
        add_outer(&mut sum, &row, 1.0);
    }
    for (i, j) in (0..d).flat_map(|i| (0..i).map(move |j| (i, j))) {
        sum[j * d + i] = sum[i * d + j];
    }
    sum.into_iter().map(narrow).collect()
}

/// Adds `scale` × row rowᵀ to the lower triangle, which is all that [`solve`] reads.
fn add_outer(system: &mut [f64], row: &[f64], scale: f64) {
    for (i, line) in system.chunks_exact_mut(row.len()).enumerate() {
        let factor = scale * row[i];
        for (cell, y) in line[..=i].iter_mut().zip(row) {
            *cell += factor * y;
        }
    }
}

/// Solves the symmetric positive definite system in place by A = LLᵀ; `false` when it is not
/// positive definite. Reads and overwrites the lower triangle of `a`; `b` becomes the solution.
fn solve(a: &mut [f64], b: &mut [f64]) -> bool {
    let d = b.len();
    for i in 0..d {
        let (above, rest) = a.split_at_mut(i * d);
        let line = &mut rest[..d];
        for j in 0..i {
            let other = &above[j * d..j * d + j + 1];
            let sum = line[j] - dot(&line[..j], &other[..j]);
            line[j] = sum / other[j];
        }
        let pivot = line[i] - dot(&line[..i], &line[..i]);
        if !(pivot.is_finite() && pivot > 0.0) {
            return false;
        }
        line[i] = pivot.sqrt();
        b[i] = (b[i] - dot(&line[..i], &b[..i])) / line[i];
    }
    for i in (0..d).rev() {
        b[i] /= a[i * d + i];
        let (solved, line) = (b[i], &a[i * d..i * d + i]);
        b[..i]
            .iter_mut()
            .zip(line)
            .for_each(|(x, l)| *x -= solved * l);
    }
    b.iter().all(|x| x.is_finite())
}

/// Four sums side by side, which the compiler can keep in one wide register.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a_steps, a_rest) = a.as_chunks::<4>();
    let (b_steps, b_rest) = b.as_chunks::<4>();
    for (x, y) in a_steps.iter().zip(b_steps) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "vectors are stored in single precision"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

fn invalid(field: &'static str, value: String, allowed: String) -> Error {
    Error::Invalid {
        field,
        value,
        allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Arc<Vectors>, FoldIn) {
        let numbers = vec![1.0, 0.2, 0.0, 0.9, 0.1, -0.3, -0.2, 1.1, 0.4, 0.3, 0.3, 0.8];
        let vectors = Arc::new(Vectors::new(numbers, 3).unwrap());
        let fold = FoldIn::new(Arc::clone(&vectors), &gram(&vectors), 4.0, 0.1).unwrap();
        (vectors, fold)
    }

    /// Σ over all items c (p − x·y)² + λ|x|², the loss that the vector is to minimise.
    fn loss(vectors: &Vectors, x: &[f32], items: &[(u32, f32)]) -> f64 {
        let fit: f64 = (0u32..4)
            .map(|id| {
                let strength = items.iter().find(|(item, _)| *item == id).map(|(_, r)| *r);
                let (p, c) = strength.map_or((0.0, 1.0), |r| (1.0, 1.0 + 4.0 * f64::from(r)));
                let y = vectors.row(id).unwrap();
                let score: f64 = x.iter().zip(y).map(|(a, b)| f64::from(a * b)).sum();
                c * (p - score).powi(2)
            })
            .sum();
        fit + 0.1 * x.iter().map(|a| f64::from(a * a)).sum::<f64>()
    }

    #[test]
    fn no_nearby_vector_has_a_smaller_loss() {
        let (vectors, fold) = example();
        let items = [(0, 1.0), (2, 0.5)];
        let best = fold.vector(items).unwrap();
        let least = loss(&vectors, &best, &items);
        for axis in 0..3 {
            for step in [-1e-2, 1e-2] {
                let mut moved = best.clone();
                moved[axis] += step;
                assert!(
                    loss(&vectors, &moved, &items) > least,
                    "axis {axis} step {step}"
                );
            }
        }
    }

    #[test]
    fn no_known_item_gives_no_vector() {
        let (_, fold) = example();
        assert_eq!(fold.vector([]), None);
        assert_eq!(fold.vector([(99, 1.0), (1, 0.0)]), None);
    }

    #[test]
    fn refuses_a_gram_of_another_size_and_a_bad_scalar() {
        let (vectors, _) = example();
        assert!(FoldIn::new(Arc::clone(&vectors), &[0.0; 4], 1.0, 0.1).is_err());
        let gram = gram(&vectors);
        assert!(FoldIn::new(Arc::clone(&vectors), &gram, f32::NAN, 0.1).is_err());
        assert!(FoldIn::new(vectors, &gram, 1.0, -0.1).is_err());
    }
}
