//! The few special functions that the measurement needs.

use std::f64::consts::{PI, TAU};

/// Density of the standard normal.
pub(super) fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / TAU.sqrt()
}

/// P(Z > z) for z ≥ 0, to about 1e-15: the series of Φ below 3, Laplace's continued fraction of
/// the tail above (Abramowitz and Stegun 26.2.11, 26.2.14).
pub(super) fn normal_above(z: f64) -> f64 {
    if z < 3.0 {
        let (mut term, mut sum, mut odd) = (z, z, 1.0);
        while term > 1e-17 {
            odd += 2.0;
            term *= z * z / odd;
            sum += term;
        }
        return 0.5 - normal_density(z) * sum;
    }
    let fraction = (1..=100)
        .rev()
        .fold(z, |below, step| z + f64::from(step) / below);
    normal_density(z) / fraction
}

/// The z with P(Z > z) = `share`, for a share of 0 to 0.5.
pub(super) fn normal_quantile_above(share: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..100 {
        let z = f64::midpoint(low, high);
        match normal_above(z) > share {
            true => low = z,
            false => high = z,
        }
    }
    high
}

/// ln Γ(x) for x > 0: Stirling's series from 10 on, below by the recurrence (Abramowitz and Stegun
/// 6.1.15, 6.1.41).
pub(super) fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0))));
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agree_with_tables() {
        let close = |value: f64, table: f64| (value / table - 1.0).abs() < 1e-9;
        assert!(close(normal_above(1.0), 0.158_655_253_931_457));
        assert!(close(normal_above(2.999_999), 0.001_349_902_463_473));
        assert!(close(normal_above(3.0), 0.001_349_898_031_630));
        assert!(close(normal_above(6.0), 9.865_876_450_377e-10));
        assert!(close(normal_quantile_above(0.025), 1.959_963_984_540));
        assert!(close(ln_gamma(0.5), 0.572_364_942_924_700));
        assert!(close(ln_gamma(100.0), 359.134_205_369_575));
    }
}
