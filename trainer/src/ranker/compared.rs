//! Which of several orders is better, on examples that none has seen.

use std::collections::BTreeMap;

use ranking::Columns;
use serde::Serialize;
use snapshot::LeaderboardRow;

use super::asked::Shown;
use crate::bootstrap::{Bounds, difference};
use crate::exam::{Exam, Method, Slice, mean};

/// Ways of putting candidates in order.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Retrieval,
    Linear,
    Forest,
}

impl Order {
    const ALL: [Self; 3] = [Self::Retrieval, Self::Linear, Self::Forest];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retrieval => "retrieval",
            Self::Linear => "linear",
            Self::Forest => "forest",
        }
    }
}

/// How much more of a measure one order has than another, with 95 % bounds over shoppers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Versus {
    pub order: Order,
    pub against: Order,
    pub ndcg: Bounds,
    pub mrr: Bounds,
}

/// The three orders on the same examples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Places that count.
    pub k: usize,
    pub chosen: Order,
    /// All examples, and those whose next item is not in the cart.
    pub rows: Vec<LeaderboardRow>,
    pub versus: Vec<Versus>,
    /// Share of what the forest's splits took off the training loss, by column, the greatest first.
    pub gains: Vec<(String, f64)>,
}

/// Lists of all orders.
pub(super) struct Compared {
    exam: Exam,
    lists: [Lists; 3],
    /// Examples whose next item is not in the cart already.
    aside: Vec<usize>,
}

/// Of each example ordinals, best first.
pub(super) type Lists = Vec<Vec<u32>>;

impl Compared {
    pub(super) fn of(
        shown: &[Shown<'_>],
        items: usize,
        k: usize,
        linear: Lists,
        forest: Lists,
    ) -> Self {
        let is_aside = |at: &usize| !shown[*at].is_next_in_cart;
        let kept = shown.iter().map(|one| one.ordinals.clone()).collect();
        Self {
            exam: exam(shown, items, k),
            lists: [kept, linear, forest],
            aside: (0..shown.len()).filter(is_aside).collect(),
        }
    }

    /// The forest where it beats retrieval's order and leads the linear one, else the linear order
    /// where it beats retrieval's. Beating is a gain in nDCG whose interval holds no 0, without a
    /// loss in MRR.
    pub(super) fn choose(&self) -> Order {
        let beats = |order, other| {
            let found = self.versus(order, other);
            found.ndcg.low > 0.0 && found.mrr.mean >= 0.0
        };
        let leads = |order, other| self.versus(order, other).ndcg.mean > 0.0;
        let (forest, linear, kept) = (Order::Forest, Order::Linear, Order::Retrieval);
        if beats(forest, kept) && leads(forest, linear) {
            forest
        } else if beats(linear, kept) {
            linear
        } else {
            kept
        }
    }

    fn versus(&self, order: Order, against: Order) -> Versus {
        let points = |order: Order| self.exam.points(&self.lists[order as usize]);
        let (ours, theirs) = (points(order), points(against));
        let found = difference(&ours, &theirs, &self.exam.clusters);
        let [_, mrr, ndcg, _] = found.unwrap_or_default();
        Versus {
            order,
            against,
            ndcg,
            mrr,
        }
    }

    fn ndcg(&self, order: Order) -> f64 {
        let [_, _, ndcg, _] = mean(&self.exam.points(&self.lists[order as usize]));
        ndcg
    }

    /// In a sentence, why this order was taken.
    pub(super) fn note(&self, chosen: Order, of: usize) -> String {
        let figures: Vec<String> = Order::ALL
            .iter()
            .map(|order| format!("{} {:.4}", order.as_str(), self.ndcg(*order)))
            .collect();
        let verdict = match chosen {
            Order::Retrieval => "keeps the order of retrieval: nothing learned is surely better",
            Order::Linear => "linear, learned pair by pair",
            Order::Forest => "a forest, learned list by list",
        };
        format!(
            "{verdict}; nDCG@{} on the later {} of {of} examples: {}",
            self.exam.k,
            self.exam.predictions(),
            figures.join(", ")
        )
    }

    /// Figures for the manifest.
    pub(super) fn named(&self) -> Vec<(String, f64)> {
        let name = |order: &Order| format!("ranker_ndcg_at_{}.{}", self.exam.k, order.as_str());
        let figures = Order::ALL.iter();
        figures
            .map(|order| (name(order), self.ndcg(*order)))
            .collect()
    }

    pub(super) fn comparison(&self, columns: &Columns, gains: &[f64]) -> Comparison {
        let methods: Vec<Method> = Order::ALL
            .iter()
            .zip(&self.lists)
            .map(|(order, lists)| Method {
                name: order.as_str().to_owned(),
                lists: lists.clone(),
            })
            .collect();
        let slice = |name: &str, members: Vec<usize>| Slice {
            name: name.to_owned(),
            members,
        };
        let all = (0..self.exam.predictions()).collect();
        let slices = [slice("all", all), slice("not_in_cart", self.aside.clone())];
        let (forest, linear, kept) = (Order::Forest, Order::Linear, Order::Retrieval);
        Comparison {
            k: self.exam.k,
            chosen: self.choose(),
            rows: self.exam.rows(&methods, &slices),
            versus: vec![
                self.versus(linear, kept),
                self.versus(forest, kept),
                self.versus(forest, linear),
            ],
            gains: shares(columns, gains),
        }
    }
}

fn exam(shown: &[Shown<'_>], items: usize, k: usize) -> Exam {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let clusters = shown.iter().map(|one| {
        let next = numbers.len();
        *numbers.entry(&one.moment.next.shopper_id).or_insert(next)
    });
    Exam {
        k,
        items,
        clusters: clusters.collect(),
        targets: shown.iter().map(|one| vec![one.target]).collect(),
        wanted: shown.iter().map(|one| one.wanted.clone()).collect(),
    }
}

fn shares(columns: &Columns, gains: &[f64]) -> Vec<(String, f64)> {
    let total = gains.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let named = columns.names().iter().cloned();
    let mut shares: Vec<(String, f64)> = named
        .zip(gains.iter().map(|gain| gain / total))
        .filter(|(_, share)| *share > 0.0)
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    shares
}
