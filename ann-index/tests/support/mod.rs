//! Vectors in clusters, and queries as carts make them: means of three items.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;

use ann_index::Vectors;

/// A fixed generator, so that every run tests the same data.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n
    }

    /// Roughly normal: the sum of four even ones.
    pub(crate) fn normal(&mut self) -> f32 {
        let even = |n: u64| (n >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        (0..4).map(|_| even(self.next())).sum::<f32>() * 1.7
    }
}

pub(crate) fn clustered(rows: usize, dimension: usize, clusters: usize, seed: u64) -> Arc<Vectors> {
    let mut numbers = Numbers::new(seed);
    let centers: Vec<f32> = (0..clusters * dimension)
        .map(|_| numbers.normal())
        .collect();
    let mut data = Vec::with_capacity(rows * dimension);
    for _ in 0..rows {
        // Few clusters hold most of the rows, as few categories hold most of a shop's items.
        let at = numbers.below(clusters).min(numbers.below(clusters));
        let center = &centers[at * dimension..(at + 1) * dimension];
        data.extend(center.iter().map(|x| x + 0.6 * numbers.normal()));
    }
    Arc::new(Vectors::new(data, dimension).unwrap())
}

/// Row-major cart queries.
pub(crate) fn carts(vectors: &Vectors, count: usize, seed: u64) -> Vec<f32> {
    let mut numbers = Numbers::new(seed);
    let mut queries = Vec::new();
    for _ in 0..count {
        let mut items = || vectors.row(numbers.below(vectors.len()) as u32).unwrap();
        let (a, b, c) = (items(), items(), items());
        queries.extend(a.iter().zip(b).zip(c).map(|((a, b), c)| (a + b + c) / 3.0));
    }
    queries
}

/// Unit vectors of 24 latent dimensions in clusters whose sizes follow Zipf's law, and the cluster
/// of each.
pub(crate) fn shop(rows: usize, dimension: usize, seed: u64) -> (Arc<Vectors>, Vec<usize>) {
    const LATENT: usize = 24;
    let mut numbers = Numbers::new(seed);
    let clusters = rows / 50;
    let mut normals = |count: usize| -> Vec<f32> { (0..count).map(|_| numbers.normal()).collect() };
    let (centers, basis) = (normals(clusters * LATENT), normals(dimension * LATENT));
    let mut ends: Vec<f64> = (1..=clusters).map(|rank| 1.0 / rank as f64).collect();
    for at in 1..clusters {
        ends[at] += ends[at - 1];
    }
    let mut data = Vec::with_capacity(rows * dimension);
    let mut labels = Vec::with_capacity(rows);
    for _ in 0..rows {
        let drawn = numbers.below(1 << 30) as f64 / f64::from(1 << 30) * ends[clusters - 1];
        let label = ends.partition_point(|&end| end <= drawn).min(clusters - 1);
        let center = &centers[label * LATENT..(label + 1) * LATENT];
        let latent: Vec<f32> = center.iter().map(|x| x + 0.5 * numbers.normal()).collect();
        let row = basis.chunks_exact(LATENT).map(|axis| -> f32 {
            let product: f32 = axis.iter().zip(&latent).map(|(a, b)| a * b).sum();
            product + 0.3 * numbers.normal()
        });
        let row: Vec<f32> = row.collect();
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        data.extend(row.into_iter().map(|x| x / length));
        labels.push(label);
    }
    (Arc::new(Vectors::new(data, dimension).unwrap()), labels)
}
