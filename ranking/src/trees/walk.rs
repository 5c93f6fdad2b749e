//! Trees that are walked down row by row: for few rows, and for trees of many leaves.
//!
//! A step down has no branch to guess wrongly, and steps of different rows overlap. Shallow trees
//! are filled up to full binary trees whose nodes need no pointers; filled-up nodes always lead
//! left. Deep ones keep pointers, and their leaves lead to themselves.

use super::lanes::{Lane, Lanes, Step};
use super::question::Node;

/// Rows that walk down a deep tree together.
const TOGETHER: usize = 8;
/// Steps of a very deep tree between looks at whether all stand still.
const STRIDE: usize = 16;

/// One tree in the form that suits its depth.
#[derive(Clone, Debug)]
pub(super) enum Walk {
    UpTo4(Full<16>),
    UpTo6(Full<64>),
    UpTo8(Full<256>),
    Deep(Deep),
}

impl Walk {
    /// Parents come before their children.
    pub(super) fn new(tree: &[Node], lanes: &Lanes) -> Self {
        match depth(tree) {
            0..=4 => Self::UpTo4(Full::new(tree, lanes)),
            5..=6 => Self::UpTo6(Full::new(tree, lanes)),
            7..=8 => Self::UpTo8(Full::new(tree, lanes)),
            _ => Self::Deep(Deep::new(tree, lanes)),
        }
    }

    /// Adds the tree's answer for each row.
    pub(super) fn add(&self, lanes: &[Lane], scores: &mut [f64], add: impl Fn(&mut f64, f64)) {
        match self {
            Self::UpTo4(tree) => tree.add(lanes, scores, add),
            Self::UpTo6(tree) => tree.add(lanes, scores, add),
            Self::UpTo8(tree) => tree.add(lanes, scores, add),
            Self::Deep(tree) => tree.add(lanes, scores, add),
        }
    }

    /// The leaf of the only row there is.
    #[inline]
    pub(super) fn leaf_alone(&self, bytes: &[i8]) -> f64 {
        let leads_right = |step: Step| step.leads_right_alone(bytes);
        match self {
            Self::UpTo4(tree) => tree.leaf(leads_right),
            Self::UpTo6(tree) => tree.leaf(leads_right),
            Self::UpTo8(tree) => tree.leaf(leads_right),
            Self::Deep(tree) => {
                let [leaf] = tree.find(|step, _| leads_right(step));
                leaf
            }
        }
    }
}

/// Questions on the longest way to a leaf.
pub(super) fn depth(tree: &[Node]) -> usize {
    let mut depths = vec![0; tree.len()];
    for (at, node) in tree.iter().enumerate().rev() {
        if let Node::Ask { left, right, .. } = node {
            depths[at] = 1 + usize::max(depths[*left as usize], depths[*right as usize]);
        }
    }
    depths.first().copied().unwrap_or(0)
}

/// A full binary tree of `N` = 2^depth leaves: node `i` leads to `2 i` and `2 i + 1`, the root is
/// 1, and `i − N` is a leaf.
#[derive(Clone, Debug)]
pub(super) struct Full<const N: usize> {
    steps: Box<[Step; N]>,
    leaves: Box<[f64; N]>,
}

impl<const N: usize> Full<N> {
    fn new(tree: &[Node], lanes: &Lanes) -> Self {
        let mut full = Self {
            steps: Box::new([Step::LEFT; N]),
            leaves: Box::new([0.0; N]),
        };
        let mut open = vec![(0_u32, 1_usize)];
        while let Some((at, mut place)) = open.pop() {
            match tree.get(at as usize) {
                Some(Node::Ask {
                    question,
                    left,
                    right,
                }) => {
                    full.steps[place] = lanes.step(question);
                    open.push((*left, 2 * place));
                    open.push((*right, 2 * place + 1));
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

    fn add(&self, lanes: &[Lane], scores: &mut [f64], add: impl Fn(&mut f64, f64)) {
        for (row, score) in scores.iter_mut().enumerate() {
            add(score, self.leaf(|step| step.leads_right(lanes, row)));
        }
    }

    #[inline]
    fn leaf(&self, leads_right: impl Fn(Step) -> bool) -> f64 {
        let mut at = 1;
        for _ in 0..N.trailing_zeros() {
            at = 2 * at + usize::from(leads_right(self.steps[at & (N - 1)]));
        }
        self.leaves[at & (N - 1)]
    }
}

/// A tree of any depth. The right child follows the left one.
#[derive(Clone, Debug)]
pub(super) struct Deep {
    jumps: Vec<Jump>,
    /// By node; 0 at questions.
    leaves: Vec<f64>,
    /// Steps to make at a time.
    stride: usize,
}

#[derive(Copy, Clone, Debug)]
struct Jump {
    step: Step,
    left: u32,
}

impl Deep {
    fn new(tree: &[Node], lanes: &Lanes) -> Self {
        let mut deep = Self {
            jumps: Vec::with_capacity(tree.len()),
            leaves: Vec::with_capacity(tree.len()),
            stride: depth(tree).min(STRIDE),
        };
        // Level by level, so that the upper levels, which every row needs, lie together.
        let (mut level, mut placed) = (vec![0_u32], 1_u32);
        while !level.is_empty() {
            let mut next = Vec::new();
            for at in level {
                let here = u32::try_from(deep.jumps.len()).unwrap_or(u32::MAX);
                let (jump, leaf) = match tree.get(at as usize) {
                    Some(Node::Ask {
                        question,
                        left,
                        right,
                    }) => {
                        next.extend([*left, *right]);
                        let left = placed;
                        placed += 2;
                        let step = lanes.step(question);
                        (Jump { step, left }, 0.0)
                    }
                    Some(Node::Leaf(value)) => (Jump::stay(here), *value),
                    None => (Jump::stay(here), 0.0),
                };
                deep.jumps.push(jump);
                deep.leaves.push(leaf);
            }
            level = next;
        }
        deep
    }

    fn add(&self, lanes: &[Lane], scores: &mut [f64], add: impl Fn(&mut f64, f64)) {
        let mut row = 0;
        let mut chunks = scores.chunks_exact_mut(TOGETHER);
        for chunk in chunks.by_ref() {
            let leaves: [f64; TOGETHER] = self.find(|step, of| step.leads_right(lanes, row + of));
            (chunk.iter_mut().zip(leaves)).for_each(|(score, leaf)| add(score, leaf));
            row += TOGETHER;
        }
        for score in chunks.into_remainder() {
            let [leaf] = self.find(|step, _| step.leads_right(lanes, row));
            add(score, leaf);
            row += 1;
        }
    }

    /// The leaves of rows that walk together, by their places among these.
    #[inline]
    fn find<const L: usize>(&self, leads_right: impl Fn(Step, usize) -> bool) -> [f64; L] {
        let mut at = [0_u32; L];
        loop {
            let before = at;
            for _ in 0..self.stride {
                for (row, at) in at.iter_mut().enumerate() {
                    let jump = self.jumps[*at as usize];
                    *at = jump.left + u32::from(leads_right(jump.step, row));
                }
            }
            if self.stride < STRIDE || at == before {
                return at.map(|at| self.leaves[at as usize]);
            }
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
