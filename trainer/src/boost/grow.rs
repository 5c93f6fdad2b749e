//! One tree, grown where it takes most of the loss away.

use ranking::forest::{Node, Side, Split, Tree};

use super::Settings;
use super::bins::{Bins, MISSING};
use super::histogram::{Found, Histogram, Sum};
use super::loss::Slope;

/// A tree, and what its splits took away by column.
pub(super) struct Grown {
    pub(super) tree: Tree,
    pub(super) gains: Vec<(usize, f64)>,
}

/// A node that may still be split.
struct Leaf {
    node: usize,
    depth: usize,
    rows: Vec<u32>,
    sum: Sum,
    histogram: Histogram,
    best: Option<Found>,
}

struct Growing<'a> {
    bins: &'a Bins,
    slopes: &'a [Slope],
    columns: &'a [usize],
    settings: &'a Settings,
    tree: Tree,
    gains: Vec<(usize, f64)>,
    open: Vec<Leaf>,
}

pub(super) fn grow(
    bins: &Bins,
    slopes: &[Slope],
    rows: Vec<u32>,
    columns: &[usize],
    settings: &Settings,
) -> Grown {
    let mut growing = Growing {
        bins,
        slopes,
        columns,
        settings,
        tree: Tree::default(),
        gains: Vec::new(),
        open: Vec::new(),
    };
    let sum = Sum::of(slopes, &rows);
    let histogram = Histogram::new(bins, slopes, &rows, columns);
    growing.add(0, rows, sum, histogram);
    for _ in 1..settings.leaves {
        let Some((leaf, found)) = growing.next() else {
            break;
        };
        growing.split(leaf, &found);
    }
    Grown {
        tree: growing.tree,
        gains: growing.gains,
    }
}

impl Growing<'_> {
    fn add(&mut self, depth: usize, rows: Vec<u32>, sum: Sum, histogram: Histogram) {
        let settings = self.settings;
        let best = if depth < settings.depth {
            histogram.best_split(self.bins, self.columns, sum, settings)
        } else {
            None
        };
        let answer = settings.rate * sum.answer(settings.penalty);
        self.open.push(Leaf {
            node: self.tree.nodes.len(),
            depth,
            rows,
            sum,
            histogram,
            best,
        });
        self.tree.nodes.push(Node::Leaf(answer));
    }

    /// The leaf with the best split; of equals, the one of the lowest number.
    fn next(&mut self) -> Option<(Leaf, Found)> {
        let gain = |leaf: &Leaf| leaf.best.map_or(f64::NEG_INFINITY, |best| best.gain);
        let places = self.open.iter().enumerate();
        let (place, leaf) = places.max_by(|(_, a), (_, b)| {
            let by_gain = gain(a).total_cmp(&gain(b));
            by_gain.then(b.node.cmp(&a.node))
        })?;
        let found = leaf.best?;
        Some((self.open.swap_remove(place), found))
    }

    fn split(&mut self, leaf: Leaf, found: &Found) {
        let (left, right) = self.part(&leaf.rows, found);
        let new = self.tree.nodes.len();
        self.gains.push((found.column, found.gain));
        self.tree.nodes[leaf.node] = Node::Split(Split {
            feature: number(found.column),
            below: found.below,
            missing: found.missing,
            left: number(new),
            right: number(new + 1),
        });
        // The sums of one half are those of the whole without the other: the smaller is counted.
        let count = |rows: &[u32]| Histogram::new(self.bins, self.slopes, rows, self.columns);
        let (of_left, of_right) = if left.len() <= right.len() {
            let of_left = count(&left);
            let of_right = leaf.histogram.without(&of_left);
            (of_left, of_right)
        } else {
            let of_right = count(&right);
            (leaf.histogram.without(&of_right), of_right)
        };
        debug_assert_eq!(leaf.sum.rows, found.left.rows + found.right.rows);
        self.add(leaf.depth + 1, left, found.left, of_left);
        self.add(leaf.depth + 1, right, found.right, of_right);
    }

    fn part(&self, rows: &[u32], found: &Found) -> (Vec<u32>, Vec<u32>) {
        let bins = &self.bins.column(found.column).bins;
        rows.iter().partition(|row| match bins[**row as usize] {
            MISSING => found.missing == Side::Left,
            bin => bin <= found.bin,
        })
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
