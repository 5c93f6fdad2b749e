//! One metric with its labels: a cell for each combination of their values.

use std::sync::Arc;

use super::declaration::Declaration;
use super::instrument::Instrument;
use super::registry::Sample;

/// The cells of one metric. All of them exist from the start. Cloning shares the cells.
#[derive(Clone, Debug)]
pub struct Family<M> {
    inner: Arc<Inner<M>>,
}

#[derive(Debug)]
struct Inner<M> {
    declaration: &'static Declaration,
    /// Values of each label.
    values: Vec<Vec<Arc<str>>>,
    /// The last label's values lie next to each other.
    cells: Vec<M>,
    /// Takes what carries a value that was not declared, and is shown nowhere.
    stray: M,
}

impl<M: Instrument> Family<M> {
    pub(crate) fn new(declaration: &'static Declaration, values: Vec<Vec<Arc<str>>>) -> Self {
        let make = || M::new(declaration.kind, declaration.unit);
        let cells = values.iter().map(Vec::len).product();
        Self {
            inner: Arc::new(Inner {
                declaration,
                values,
                cells: (0..cells).map(|_| make()).collect(),
                stray: make(),
            }),
        }
    }

    /// The cell of these values, in the order of the labels. A value that was not declared leads to
    /// a cell that is not exposed: a label is never made from what a caller sends.
    #[must_use]
    pub fn with<const N: usize>(&self, values: [&str; N]) -> &M {
        self.place(&values)
            .and_then(|at| self.inner.cells.get(at))
            .unwrap_or(&self.inner.stray)
    }

    fn place(&self, given: &[&str]) -> Option<usize> {
        if given.len() != self.inner.values.len() {
            return None;
        }
        let mut at = 0;
        for (value, allowed) in given.iter().zip(&self.inner.values) {
            let place = allowed.iter().position(|one| **one == **value)?;
            at = at * allowed.len() + place;
        }
        Some(at)
    }

    /// The values of each cell, in the order of the cells.
    fn combinations(&self) -> Vec<Vec<Arc<str>>> {
        let mut all = vec![Vec::new()];
        for values in &self.inner.values {
            let longer = |so_far: &Vec<Arc<str>>| {
                let so_far = so_far.clone();
                values.iter().map(move |value| {
                    let mut longer = so_far.clone();
                    longer.push(value.clone());
                    longer
                })
            };
            all = all.iter().flat_map(longer).collect();
        }
        all
    }

    pub(crate) fn samples(&self) -> Vec<Sample> {
        let firsts = self.inner.values.first().map_or(1, Vec::len);
        let a_first = (self.inner.cells.len() / firsts.max(1)).max(1);
        let all = self.combinations();
        let groups = all.chunks(a_first).zip(self.inner.cells.chunks(a_first));
        groups
            .filter(|(_, cells)| {
                !self.inner.declaration.when_counted || cells.iter().any(Instrument::is_used)
            })
            .flat_map(|(labels, cells)| labels.iter().zip(cells))
            .map(|(labels, cell)| Sample {
                labels: labels.clone(),
                reading: cell.read(),
            })
            .collect()
    }
}
