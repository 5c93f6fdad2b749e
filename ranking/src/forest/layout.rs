//! Trees laid out for walking many rows at once.
//!
//! A step down is `at = 2 · at + (key > limit)`: no branch to guess wrongly, and steps of different
//! rows overlap. That a missing value has a side costs nothing, since each value is written twice
//! as a whole number that sorts as the value does: once with a missing one below everything, once
//! with it above everything. A split reads the one that goes to its side.
//!
//! Shallow trees are filled up to full binary trees whose nodes need no pointers; filled-up nodes
//! always lead left. Deep ones keep pointers, and their leaves lead to themselves.

use super::tree::{Node, Side, Split, Tree};

/// Rows that walk down a deep tree together.
const LANES: usize = 8;
/// No key is above it.
const ALWAYS_LEFT: u32 = u32::MAX;
const MISSING_LEFT: u32 = 0;
const MISSING_RIGHT: u32 = u32::MAX;

/// Sorts as numbers do; what sorts equal is equal. Not for NaN.
fn key(value: f32) -> u32 {
    // −0 and 0 are one number: adding 0 leaves only the latter.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    }
}

/// The values of a block of rows, two keys each.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Vec<u32>,
    /// Keys of one row; at least one, so that filled-up nodes have something to look at.
    stride: usize,
}

impl Keys {
    pub(super) fn fill(&mut self, rows: &[f32], columns: usize, count: usize) {
        self.stride = (2 * columns).max(1);
        self.keys.clear();
        self.keys.extend(rows.iter().flat_map(|value| {
            if value.is_nan() {
                [MISSING_LEFT, MISSING_RIGHT]
            } else {
                [key(*value); 2]
            }
        }));
        self.keys.resize(self.stride * count, 0);
    }

    #[inline]
    fn rows(&self) -> std::slice::ChunksExact<'_, u32> {
        self.keys.chunks_exact(self.stride)
    }
}

/// A key above `limit` leads right.
#[derive(Copy, Clone, Debug)]
struct Step {
    limit: u32,
    /// Which key of the row.
    slot: u32,
}

impl Step {
    const LEFT: Self = Self {
        limit: ALWAYS_LEFT,
        slot: 0,
    };

    fn of(split: &Split) -> Self {
        let side = match split.missing {
            Side::Left => 0,
            Side::Right => 1,
        };
        Self {
            // The key of a finite number is above 0. A value goes right when it is not below.
            limit: key(split.below) - 1,
            slot: 2 * split.feature + side,
        }
    }

    #[inline]
    fn leads_right(self, row: &[u32]) -> bool {
        row[self.slot as usize] > self.limit
    }
}

/// One tree in the form that suits its depth.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    Leaf(f64),
    UpTo4(Full<16>),
    UpTo6(Full<64>),
    UpTo8(Full<256>),
    Deep(Deep),
}

impl Layout {
    /// The tree must be whole.
    pub(super) fn new(tree: &Tree) -> Self {
        match (tree.depth(), tree.nodes.first()) {
            (0, Some(Node::Leaf(value))) => Self::Leaf(*value),
            (0..=4, _) => Self::UpTo4(Full::new(tree)),
            (5..=6, _) => Self::UpTo6(Full::new(tree)),
            (7..=8, _) => Self::UpTo8(Full::new(tree)),
            _ => Self::Deep(Deep::new(tree)),
        }
    }

    /// Adds the tree's answer for each row.
    pub(super) fn add(&self, keys: &Keys, scores: &mut [f64]) {
        match self {
            Self::Leaf(value) => scores.iter_mut().for_each(|score| *score += value),
            Self::UpTo4(tree) => tree.add(keys, scores),
            Self::UpTo6(tree) => tree.add(keys, scores),
            Self::UpTo8(tree) => tree.add(keys, scores),
            Self::Deep(tree) => tree.add(keys, scores),
        }
    }
}

/// A full binary tree of `N` = 2^depth leaves: node `i` leads to `2 i` and `2 i + 1`, the root is
/// 1, and `i − N` is a leaf.
#[derive(Clone, Debug)]
pub(super) struct Full<const N: usize> {
    steps: Box<[Step; N]>,
    leaves: Box<[f64; N]>,
}

impl<const N: usize> Full<N> {
    fn new(tree: &Tree) -> Self {
        let mut full = Self {
            steps: Box::new([Step::LEFT; N]),
            leaves: Box::new([0.0; N]),
        };
        let mut open = vec![(0_u32, 1_usize)];
        while let Some((at, mut place)) = open.pop() {
            match tree.node(at) {
                Some(Node::Split(split)) => {
                    full.steps[place] = Step::of(split);
                    open.push((split.left, 2 * place));
                    open.push((split.right, 2 * place + 1));
                }
                Some(Node::Leaf(value)) => {
                    while place < N {
                        place *= 2;
                    }
                    full.leaves[place - N] = *value;
                }
                None => {}
            }
        }
        full
    }

    #[inline]
    fn leaf(&self, row: &[u32]) -> f64 {
        let mut at = 1;
        for _ in 0..N.trailing_zeros() {
            at = 2 * at + usize::from(self.steps[at & (N - 1)].leads_right(row));
        }
        self.leaves[at & (N - 1)]
    }

    fn add(&self, keys: &Keys, scores: &mut [f64]) {
        for (score, row) in scores.iter_mut().zip(keys.rows()) {
            *score += self.leaf(row);
        }
    }
}

/// A tree of any depth. The right child follows the left one.
#[derive(Clone, Debug)]
pub(super) struct Deep {
    steps: Vec<Jump>,
    /// By node; 0 at splits.
    leaves: Vec<f64>,
}

#[derive(Copy, Clone, Debug)]
struct Jump {
    step: Step,
    left: u32,
}

impl Deep {
    fn new(tree: &Tree) -> Self {
        let mut deep = Self {
            steps: Vec::with_capacity(tree.nodes.len()),
            leaves: Vec::with_capacity(tree.nodes.len()),
        };
        // Level by level, so that the upper levels, which every row needs, lie together.
        let (mut level, mut placed) = (vec![0_u32], 1_u32);
        while !level.is_empty() {
            let mut next = Vec::new();
            for at in level {
                let here = u32::try_from(deep.steps.len()).unwrap_or(u32::MAX);
                let (jump, leaf) = match tree.node(at) {
                    Some(Node::Split(split)) => {
                        next.extend([split.left, split.right]);
                        let left = placed;
                        placed += 2;
                        let step = Step::of(split);
                        (Jump { step, left }, 0.0)
                    }
                    Some(Node::Leaf(value)) => (Jump::stay(here), *value),
                    None => (Jump::stay(here), 0.0),
                };
                deep.steps.push(jump);
                deep.leaves.push(leaf);
            }
            level = next;
        }
        deep
    }

    fn add(&self, keys: &Keys, scores: &mut [f64]) {
        let mut rows = keys.rows();
        let mut chunks = scores.chunks_exact_mut(LANES);
        for chunk in chunks.by_ref() {
            let mut lanes: [&[u32]; LANES] = [&[]; LANES];
            for (lane, row) in lanes.iter_mut().zip(rows.by_ref()) {
                *lane = row;
            }
            self.add_lanes(lanes, chunk);
        }
        for (score, row) in chunks.into_remainder().iter_mut().zip(rows) {
            self.add_lanes([row], std::slice::from_mut(score));
        }
    }

    fn add_lanes<const L: usize>(&self, rows: [&[u32]; L], scores: &mut [f64]) {
        let mut at = [0_u32; L];
        loop {
            let mut moved = 0;
            for lane in 0..L {
                let jump = self.steps[at[lane] as usize];
                let next = jump.left + u32::from(jump.step.leads_right(rows[lane]));
                moved |= next ^ at[lane];
                at[lane] = next;
            }
            if moved == 0 {
                break;
            }
        }
        for (score, at) in scores.iter_mut().zip(at) {
            *score += self.leaves[at as usize];
        }
    }
}

impl Jump {
    fn stay(here: u32) -> Self {
        Self {
            step: Step::LEFT,
            left: here,
        }
    }
}
