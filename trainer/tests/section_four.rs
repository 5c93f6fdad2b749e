//! Two users, four items, R = [1 1 1 0; 0 1 1 1]: what two parameters can and cannot learn.
//!
//! The model r̂ = α · (mean of the user's row) + β · (mean of the item's column) sees nothing of who
//! touched what: least squares sets α = 0 and β = 1, which is popularity, the same for everybody.

use trainer::als::{Settings, factorise};
use trainer::ratings::Ratings;

const R: [[f64; 4]; 2] = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]];

fn row_mean(user: usize) -> f64 {
    R[user].iter().sum::<f64>() / 4.0
}

fn column_mean(item: usize) -> f64 {
    (R[0][item] + R[1][item]) / 2.0
}

fn squared_error(predict: impl Fn(usize, usize) -> f64) -> f64 {
    (0..2)
        .flat_map(|u| (0..4).map(move |i| (u, i)))
        .map(|(u, i)| (R[u][i] - predict(u, i)).powi(2))
        .sum()
}

/// The normal equations of two parameters, by Cramer's rule.
fn least_squares() -> (f64, f64) {
    let (mut uu, mut uv, mut vv, mut ur, mut vr) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (user, row) in R.iter().enumerate() {
        for (item, r) in row.iter().enumerate() {
            let (u, v) = (row_mean(user), column_mean(item));
            uu += u * u;
            uv += u * v;
            vv += v * v;
            ur += u * r;
            vr += v * r;
        }
    }
    let determinant = uu * vv - uv * uv;
    (
        (ur * vv - vr * uv) / determinant,
        (uu * vr - uv * ur) / determinant,
    )
}

#[test]
fn two_parameters_learn_popularity_and_nothing_else() {
    let (alpha, beta) = least_squares();
    assert!(
        alpha.abs() < 1e-12 && (beta - 1.0).abs() < 1e-12,
        "{alpha} {beta}"
    );
    let predict = |user: usize, item: usize| alpha * row_mean(user) + beta * column_mean(item);
    for user in 0..2 {
        for (item, expected) in [0.5, 1.0, 1.0, 0.5].into_iter().enumerate() {
            assert!((predict(user, item) - expected).abs() < 1e-12);
        }
    }
    assert!((squared_error(predict) - 1.0).abs() < 1e-12);
    let guessed = |user: usize, item: usize| 0.5 * row_mean(user) + 0.5 * column_mean(item);
    assert!((squared_error(guessed) - 1.125).abs() < 1e-12);
}

fn factorised(dimension: usize) -> f64 {
    let cells = [
        (0, 0, 1.0),
        (0, 1, 1.0),
        (0, 2, 1.0),
        (1, 1, 1.0),
        (1, 2, 1.0),
        (1, 3, 1.0),
    ];
    let settings = Settings {
        dimension,
        iterations: 60,
        regularisation: 1e-9,
        alpha: 0.0,
        seed: 1,
    };
    let factors = factorise(&Ratings::new(2, 4, &cells), &settings, &mut |_, _| {});
    squared_error(|user, item| {
        let x = &factors.users[user * dimension..][..dimension];
        let y = &factors.items[item * dimension..][..dimension];
        x.iter()
            .zip(y)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    })
}

/// R's singular values are √5 and 1, so that the best matrix of rank 1 misses by 1² in all.
#[test]
fn one_factor_reaches_the_optimum_of_popularity() {
    let error = factorised(1);
    assert!((error - 1.0).abs() < 1e-5, "{error}");
}

#[test]
fn two_factors_tell_the_users_apart() {
    let error = factorised(2);
    assert!(error < 1e-5, "{error}");
}
