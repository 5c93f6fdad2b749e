//! Ranked lists against what was wanted, prediction by prediction, on all of them and on slices.

use std::collections::BTreeSet;

use snapshot::{Gain, LeaderboardRow};

use crate::bootstrap;
use crate::metrics::{hit, ndcg, real, recall, reciprocal_rank};

/// What is asked, and what would be right.
#[derive(Clone, Debug, Default)]
pub struct Exam {
    /// Places that count.
    pub k: usize,
    /// Items of the catalogue.
    pub items: usize,
    /// Of each prediction: the items of which one is a hit.
    pub targets: Vec<Vec<u32>>,
    /// Of each prediction: the items that recall and nDCG ask for, each once.
    pub wanted: Vec<Vec<u32>>,
    /// Of each prediction: the number of whom it belongs to; resampled as one.
    pub clusters: Vec<usize>,
}

/// The lists of one method, one for each prediction, best first.
#[derive(Clone, Debug)]
pub struct Method {
    pub name: String,
    pub lists: Vec<Vec<u32>>,
}

/// A part of the predictions, by their numbers.
#[derive(Clone, Debug)]
pub struct Slice {
    pub name: String,
    pub members: Vec<usize>,
}

/// The method that others are compared with.
pub const BASELINE: &str = "popularity";

/// Hit rate, reciprocal rank, nDCG and recall of one prediction.
pub(crate) type Point = [f64; 4];

impl Exam {
    #[must_use]
    pub fn predictions(&self) -> usize {
        self.targets.len()
    }

    pub(crate) fn points(&self, lists: &[Vec<u32>]) -> Vec<Point> {
        let asked = self.targets.iter().zip(&self.wanted).zip(lists);
        let point = |((targets, wanted), ranked): ((&Vec<u32>, &Vec<u32>), &Vec<u32>)| {
            [
                hit(ranked, targets, self.k),
                reciprocal_rank(ranked, targets, self.k),
                ndcg(ranked, wanted, self.k),
                recall(ranked, wanted, self.k),
            ]
        };
        asked.map(point).collect()
    }

    /// A row for each slice with members and each method, slice by slice.
    #[must_use]
    pub fn rows(&self, methods: &[Method], slices: &[Slice]) -> Vec<LeaderboardRow> {
        let points: Vec<Vec<Point>> = methods.iter().map(|m| self.points(&m.lists)).collect();
        let baseline = methods.iter().position(|method| method.name == BASELINE);
        let mut rows = Vec::new();
        for slice in slices.iter().filter(|slice| !slice.members.is_empty()) {
            for (method, own) in methods.iter().zip(&points) {
                let base = baseline.filter(|_| method.name != BASELINE);
                let gain = base.and_then(|at| self.gain(own, &points[at], slice));
                rows.push(LeaderboardRow {
                    gain,
                    ..self.row(own, method, slice)
                });
            }
        }
        rows
    }

    /// What `own` has over `base` on a slice.
    pub(crate) fn gain(&self, own: &[Point], base: &[Point], slice: &Slice) -> Option<Gain> {
        let clusters: Vec<usize> = slice.members.iter().map(|&at| self.clusters[at]).collect();
        let found = bootstrap::difference(&pick(own, slice), &pick(base, slice), &clusters);
        found.map(|[hit_rate, mrr, ndcg, recall]| Gain {
            hit_rate,
            mrr,
            ndcg,
            recall,
        })
    }

    fn row(&self, points: &[Point], method: &Method, slice: &Slice) -> LeaderboardRow {
        let lists = slice.members.iter().map(|&at| &method.lists[at]);
        let shown: BTreeSet<u32> = lists
            .flat_map(|list| list.iter().take(self.k))
            .copied()
            .collect();
        let [hit_rate, mrr, ndcg, recall] = mean(&pick(points, slice));
        LeaderboardRow {
            slice: slice.name.clone(),
            method: method.name.clone(),
            predictions: slice.members.len() as u64,
            hit_rate,
            mrr,
            ndcg,
            recall,
            coverage: real(shown.len()) / real(self.items.max(1)),
            gain: None,
        }
    }
}

fn pick(points: &[Point], slice: &Slice) -> Vec<Point> {
    slice.members.iter().map(|&at| points[at]).collect()
}

pub(crate) fn mean(points: &[Point]) -> Point {
    let count = real(points.len().max(1));
    std::array::from_fn(|at| points.iter().map(|point| point[at]).sum::<f64>() / count + 0.0)
}

/// Ordinals by score, best first, ties by ordinal.
pub(crate) fn best_first(scores: &[f32], k: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).take(scores.len()).collect();
    let score = |at: &u32| scores[*at as usize];
    order.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cmp(b)));
    order.truncate(k);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str, lists: [&[u32]; 3]) -> Method {
        Method {
            name: name.to_owned(),
            lists: lists.map(<[u32]>::to_vec).to_vec(),
        }
    }

    #[test]
    fn a_slice_counts_its_members_alone_and_an_empty_one_has_no_row() {
        let exam = Exam {
            k: 2,
            items: 10,
            targets: vec![vec![1], vec![2], vec![3]],
            wanted: vec![vec![1, 4], vec![2], vec![3, 5]],
            clusters: vec![0, 0, 1],
        };
        let methods = [
            method(BASELINE, [&[1, 9], &[1, 9], &[1, 9]]),
            method("fused", [&[4, 1], &[7, 8, 2], &[3, 5]]),
        ];
        let slice = |name: &str, members: &[usize]| Slice {
            name: name.to_owned(),
            members: members.to_vec(),
        };
        let slices = [
            slice("all", &[0, 1, 2]),
            slice("late", &[2]),
            slice("none", &[]),
        ];
        let rows = exam.rows(&methods, &slices);
        let found: Vec<_> = rows.iter().map(|row| (&*row.slice, &*row.method)).collect();
        let expected = [
            ("all", BASELINE),
            ("all", "fused"),
            ("late", BASELINE),
            ("late", "fused"),
        ];
        assert_eq!(found, expected);
        let close = |found: f64, expected: f64| (found - expected).abs() < 1e-12;
        let fused = &rows[1];
        assert!(close(fused.hit_rate, 2.0 / 3.0) && close(fused.mrr, 0.5));
        assert!(
            close(fused.recall, 2.0 / 3.0) && close(fused.coverage, 0.6),
            "{fused:?}"
        );
        let gain = fused.gain.unwrap().mrr;
        assert!(
            close(gain.mean, 0.5 - 1.0 / 3.0) && close(gain.high, 1.0),
            "{gain:?}"
        );
        assert_eq!(rows[0].gain, None);
        assert!(close(rows[3].mrr, 1.0));
    }
}
