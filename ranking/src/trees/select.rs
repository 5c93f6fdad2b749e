//! Trees that answer for a whole block of rows at once.
//!
//! Every question of a tree is asked of every row: 16 or more rows cost one comparison of bytes.
//! From the leaves up each node then takes the leaf number that its left or its right side found.
//! No row waits for its own last answer, there is nothing to guess, and the shape of the tree does
//! not matter, only how many questions it has.

use super::lanes::{Lane, Lanes, ROWS, Step};
use super::question::Node;

/// Leaves of a tree whose numbers fit a byte.
pub(super) const MOST_LEAVES: usize = 256;
/// A tree of 256 leaves needs no more, since the side that needs more goes first.
const PLACES: usize = 16;

/// For each row the leaf that a node found.
type Found = [u8; ROWS];

/// Where a side's leaf comes from.
#[derive(Copy, Clone, Debug)]
enum Side {
    Leaf(u8),
    /// A place of the scratch.
    Found(u8),
}

#[derive(Copy, Clone, Debug)]
struct Choice {
    step: Step,
    /// The place that the answer is written to; that of a side may be taken again.
    out: u8,
    left: Side,
    right: Side,
}

/// One tree: choices in an order in which sides come before their parents.
#[derive(Clone, Debug)]
pub(super) struct Select {
    choices: Box<[Choice]>,
    leaves: Box<[f64; MOST_LEAVES]>,
}

impl Select {
    /// Nothing for a tree of more than [`MOST_LEAVES`] leaves. Children come after their parents.
    pub(super) fn new(tree: &[Node], lanes: &Lanes) -> Option<Self> {
        let mut leaves = Box::new([0.0; MOST_LEAVES]);
        let mut numbers = vec![0_u8; tree.len()];
        let mut next = 0;
        for (node, number) in tree.iter().zip(&mut numbers) {
            if let Node::Leaf(value) = node {
                *leaves.get_mut(next)? = *value;
                *number = u8::try_from(next).ok()?;
                next += 1;
            }
        }
        let mut select = Writer {
            tree,
            lanes,
            numbers: &numbers,
            needs: needs(tree),
            choices: Vec::with_capacity(next),
        };
        select.write_all()?;
        Some(Self {
            choices: select.choices.into_boxed_slice(),
            leaves,
        })
    }

    /// The leaf of each row.
    #[inline]
    pub(super) fn find(&self, lanes: &[Lane]) -> Found {
        let mut places = [[0; ROWS]; PLACES];
        for choice in &self.choices {
            let lane = &lanes[choice.step.lane as usize];
            let limit = choice.step.limit;
            let place = |at: u8| at as usize % PLACES;
            let found = match (choice.left, choice.right) {
                (Side::Leaf(left), Side::Leaf(right)) => {
                    choose(lane, limit, &[left; ROWS], &[right; ROWS])
                }
                (Side::Leaf(left), Side::Found(right)) => {
                    choose(lane, limit, &[left; ROWS], &places[place(right)])
                }
                (Side::Found(left), Side::Leaf(right)) => {
                    choose(lane, limit, &places[place(left)], &[right; ROWS])
                }
                (Side::Found(left), Side::Found(right)) => {
                    choose(lane, limit, &places[place(left)], &places[place(right)])
                }
            };
            places[place(choice.out)] = found;
        }
        places[0]
    }

    #[inline]
    pub(super) fn leaves(&self) -> &[f64; MOST_LEAVES] {
        &self.leaves
    }
}

/// Written with masks, which compilers turn into comparisons of many bytes at once.
#[inline]
fn choose(lane: &Lane, limit: i8, left: &Found, right: &Found) -> Found {
    let mut found = [0; ROWS];
    for row in 0..ROWS {
        let mask = u8::from(lane[row] > limit).wrapping_neg();
        found[row] = left[row] ^ ((left[row] ^ right[row]) & mask);
    }
    found
}

/// How many places each node needs to be answered.
fn needs(tree: &[Node]) -> Vec<u8> {
    let mut needs = vec![0; tree.len()];
    for (at, node) in tree.iter().enumerate().rev() {
        if let Node::Ask { left, right, .. } = node {
            let (left, right) = (needs[*left as usize], needs[*right as usize]);
            needs[at] = if left == right {
                left + 1
            } else {
                u8::max(left, right)
            };
        }
    }
    needs
}

struct Writer<'a> {
    tree: &'a [Node],
    lanes: &'a Lanes,
    numbers: &'a [u8],
    needs: Vec<u8>,
    choices: Vec<Choice>,
}

impl Writer<'_> {
    /// Nothing when there is not even a question.
    fn write_all(&mut self) -> Option<()> {
        // A node is looked at twice: its sides are asked for first, then its own choice is made.
        let mut open = vec![(0_usize, 0_u8, false)];
        while let Some((at, out, is_ready)) = open.pop() {
            let Node::Ask {
                question,
                left,
                right,
            } = self.tree.get(at)?
            else {
                if at == 0 {
                    return None;
                }
                continue;
            };
            let (left, right) = (*left as usize, *right as usize);
            let left_first = self.needs[left] >= self.needs[right];
            let (first, second) = if left_first {
                (left, right)
            } else {
                (right, left)
            };
            let is_shared = self.needs[second] > 0;
            let second_out = if is_shared { out + 1 } else { out };
            if !is_ready {
                open.push((at, out, true));
                open.push((second, second_out, false));
                open.push((first, out, false));
                continue;
            }
            let (left_out, right_out) = if left_first {
                (out, second_out)
            } else {
                (second_out, out)
            };
            self.choices.push(Choice {
                step: self.lanes.step(question),
                out,
                left: self.side(left, left_out),
                right: self.side(right, right_out),
            });
        }
        Some(())
    }

    fn side(&self, at: usize, out: u8) -> Side {
        if self.needs[at] == 0 {
            Side::Leaf(self.numbers[at])
        } else {
            Side::Found(out)
        }
    }
}
