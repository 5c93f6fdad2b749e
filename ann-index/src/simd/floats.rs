//! Inner products of one query with rows, in the widest code that the machine has.
//!
//! Plain Rust that the compiler vectorises: the same body is compiled twice, once for AVX2 with
//! fused multiply-add. A row's score depends on the row and the query alone, never on where in a
//! block it stood, so that a filtered and an unfiltered scan give it the same bits.

use super::prefetch;

/// Rows asked for before their turn.
const AHEAD: usize = 8;
const LANES: usize = 8;
const STEP: usize = 4 * LANES;

/// The inner product of two slices; the longer one's tail is left out.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut out = [0.0];
    let len = a.len().min(b.len());
    score_rows(&a[..len], &b[..len], &mut out);
    out[0]
}

/// Writes into `out` the inner product of `query` with each row of `rows`, both row-major. Scores
/// as many rows as both hold.
pub(crate) fn score_rows(query: &[f32], rows: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: the features that the function is compiled for have just been detected.
        unsafe { score_rows_avx2(query, rows, out) };
        return;
    }
    score_rows_with::<false>(query, rows, out);
}

/// As [`score_rows`] for the rows of these ids; one past the end scores 0. All in one call, so that
/// the next rows are on their way while this one is scored.
pub(crate) fn score_ids(query: &[f32], rows: &[f32], ids: &[u32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: the features that the function is compiled for have just been detected.
        unsafe { score_ids_avx2(query, rows, ids, out) };
        return;
    }
    score_ids_with::<false>(query, rows, ids, out);
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn score_rows_avx2(query: &[f32], rows: &[f32], out: &mut [f32]) {
    score_rows_with::<true>(query, rows, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn score_ids_avx2(query: &[f32], rows: &[f32], ids: &[u32], out: &mut [f32]) {
    score_ids_with::<true>(query, rows, ids, out);
}

#[inline(always)]
fn score_rows_with<const FMA: bool>(query: &[f32], rows: &[f32], out: &mut [f32]) {
    if query.is_empty() {
        return out.fill(0.0);
    }
    for (row, score) in rows.chunks_exact(query.len()).zip(out) {
        *score = dot_with::<FMA>(query, row);
    }
}

#[inline(always)]
fn score_ids_with<const FMA: bool>(query: &[f32], rows: &[f32], ids: &[u32], out: &mut [f32]) {
    let row = |id: u32| {
        let start = id as usize * query.len();
        rows.get(start..start + query.len()).unwrap_or(&[])
    };
    for &id in ids.iter().take(AHEAD) {
        prefetch(row(id));
    }
    for (at, (&id, score)) in ids.iter().zip(out).enumerate() {
        if let Some(&next) = ids.get(at + AHEAD) {
            prefetch(row(next));
        }
        *score = dot_with::<FMA>(query, row(id));
    }
}

#[inline(always)]
fn dot_with<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; STEP];
    let (a_steps, a_rest) = a.as_chunks::<STEP>();
    let (b_steps, b_rest) = b.as_chunks::<STEP>();
    for (x, y) in a_steps.iter().zip(b_steps) {
        for lane in 0..STEP {
            sums[lane] = multiply_add::<FMA>(x[lane], y[lane], sums[lane]);
        }
    }
    let mut rest = 0.0;
    for (x, y) in a_rest.iter().zip(b_rest) {
        rest = multiply_add::<FMA>(*x, *y, rest);
    }
    for half in [16, 8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    // Adding zero turns -0 into 0, so that the two tie.
    sums[0] + rest + 0.0
}

#[inline(always)]
fn multiply_add<const FMA: bool>(x: f32, y: f32, sum: f32) -> f32 {
    if FMA { x.mul_add(y, sum) } else { x * y + sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let number = |i: u32| ((i * 37 + seed * 101) % 29) as f32 / 7.0 - 2.0;
        (0u32..).take(n).map(number).collect()
    }

    #[test]
    fn equals_the_plain_sum_for_every_dimension() {
        for d in 1..140 {
            let (a, b) = (numbers(d, 1), numbers(d, 2));
            let plain: f64 = a
                .iter()
                .zip(&b)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum();
            assert!(
                (f64::from(dot(&a, &b)) - plain).abs() < 1e-3,
                "dimension {d}"
            );
            assert!(
                (dot(&a, &b) - dot_with::<false>(&a, &b)).abs() < 1e-3,
                "dimension {d}"
            );
        }
    }

    #[test]
    fn a_row_scores_the_same_wherever_it_stands() {
        let (query, rows) = (numbers(40, 3), numbers(40 * 9, 4));
        let mut block = [0.0; 9];
        score_rows(&query, &rows, &mut block);
        for (row, score) in rows.chunks_exact(40).zip(block) {
            assert_eq!(dot(&query, row).to_bits(), score.to_bits());
        }
        let mut picked = [0.0; 3];
        score_ids(&query, &rows, &[8, 0, 9], &mut picked);
        let expected = [block[8], block[0], 0.0];
        assert_eq!(picked.map(f32::to_bits), expected.map(f32::to_bits));
    }
}
