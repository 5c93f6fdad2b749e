//! The article's answer with every source at work: factors are fitted to its sessions by
//! alternating least squares, each half step being the fold-in that serving uses.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use retrieval::files::Embeddings;
use support::{ARTICLE, Parts, cart, ids, open};

fn table(vectors: Vec<f32>, dimension: usize, alpha: f32, regularisation: f32) -> Embeddings {
    Embeddings {
        vectors,
        dimension,
        alpha,
        regularisation,
    }
}

/// For each row of ones, the vector that fits them best.
fn half_step(fixed: &Embeddings, rows: &[Vec<u32>]) -> Vec<f32> {
    let fold_in = fixed.fold_in().unwrap();
    rows.iter()
        .flat_map(|row| fold_in.vector(row.iter().map(|&at| (at, 1.0))).unwrap())
        .collect()
}

fn fitted(parts: &Parts, sessions: &[&[u32]], d: usize, alpha: f32, lambda: f32) -> Embeddings {
    let id_of = |item: &u32| item.to_string();
    let ordinal = |item: &u32| {
        parts
            .items
            .iter()
            .position(|row| row.item_id == id_of(item))
            .unwrap() as u32
    };
    let users: Vec<Vec<u32>> = sessions
        .iter()
        .map(|s| s.iter().map(ordinal).collect())
        .collect();
    let holds = |item: u32| {
        (0u32..)
            .zip(&users)
            .filter(move |(_, row)| row.contains(&item))
            .map(|(user, _)| user)
    };
    let items: Vec<Vec<u32>> = (0..parts.items.len() as u32)
        .map(|item| holds(item).collect())
        .collect();
    let start = |at: usize| ((at * 7_919 + 13) % 101) as f32 / 500.0 - 0.1;
    let mut factors = (0..items.len() * d).map(start).collect();
    for _ in 0..15 {
        let shoppers = half_step(&table(factors, d, alpha, lambda), &users);
        factors = half_step(&table(shoppers, d, alpha, lambda), &items);
    }
    table(factors, d, alpha, lambda)
}

#[test]
fn fitted_vectors_agree_with_what_shared_most_sessions() {
    let mut wrong = Vec::new();
    for d in [2, 4, 8, 32] {
        for alpha in [1.0, 10.0, 40.0] {
            for lambda in [0.01, 0.1, 1.0] {
                let mut parts = Parts::from_sessions(&ARTICLE);
                parts.embeddings = Some(fitted(&parts, &ARTICLE, d, alpha, lambda));
                let model = parts.model();
                let answer = model
                    .retrieve(&cart(&["1", "2", "3"], 3), &open(&model))
                    .unwrap();
                if ids(&answer) != ["4", "6", "9"] {
                    let found = ids(&answer).join(",");
                    wrong.push(format!("d {d} alpha {alpha} lambda {lambda}: {found}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
