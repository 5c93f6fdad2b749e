//! Solving A x = b for a symmetric, positive definite A.

/// Row-major lower triangle of A in a square of `n` × `n`; the part above the diagonal is not read.
/// Overwrites both arguments and leaves x in `b`. `false` when A is not positive definite.
pub(crate) fn solve(a: &mut [f64], b: &mut [f64], n: usize) -> bool {
    factorise(a, n) && {
        forwards(a, b, n);
        backwards(a, b, n);
        true
    }
}

/// A = L Lᵀ, L in place of A's lower triangle.
fn factorise(a: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        for j in 0..=i {
            let (row_i, row_j) = (&a[i * n..i * n + j], &a[j * n..j * n + j]);
            let dot: f64 = row_i.iter().zip(row_j).map(|(x, y)| x * y).sum();
            let rest = a[i * n + j] - dot;
            if i == j {
                if rest <= 0.0 || !rest.is_finite() {
                    return false;
                }
                a[i * n + i] = rest.sqrt();
            } else {
                a[i * n + j] = rest / a[j * n + j];
            }
        }
    }
    true
}

fn forwards(l: &[f64], b: &mut [f64], n: usize) {
    for i in 0..n {
        let (known, rest) = b.split_at_mut(i);
        let dot: f64 = l[i * n..i * n + i]
            .iter()
            .zip(known)
            .map(|(x, y)| x * *y)
            .sum();
        rest[0] = (rest[0] - dot) / l[i * n + i];
    }
}

fn backwards(l: &[f64], b: &mut [f64], n: usize) {
    for i in (0..n).rev() {
        b[i] /= l[i * n + i];
        let solved = b[i];
        for (j, value) in b[..i].iter_mut().enumerate() {
            *value -= l[i * n + j] * solved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_a_system_known_by_hand() {
        // [4 2; 2 3] x = [10; 9] has x = [1.5; 2].
        let mut a = [4.0, f64::NAN, 2.0, 3.0];
        let mut b = [10.0, 9.0];
        assert!(solve(&mut a, &mut b, 2));
        assert!(
            (b[0] - 1.5).abs() < 1e-12 && (b[1] - 2.0).abs() < 1e-12,
            "{b:?}"
        );
    }

    #[test]
    fn says_when_there_is_no_solution() {
        let mut a = [1.0, 0.0, 1.0, 1.0];
        assert!(!solve(&mut a, &mut [1.0, 1.0], 2));
    }
}
