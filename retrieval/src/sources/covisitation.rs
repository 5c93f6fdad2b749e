use snapshot::{Snapshot, Tensors, files};

use crate::Error;
use crate::interests::Interest;
use crate::scratch::Sums;

/// For each item, the items that shared sessions with it, strongest first: compressed rows.
#[derive(Debug)]
pub(crate) struct Covisitation {
    offsets: Vec<u64>,
    neighbours: Vec<u32>,
    weights: Vec<f32>,
}

impl Covisitation {
    pub(crate) fn load(snapshot: &Snapshot, items: usize) -> Result<Self, Error> {
        let mut tensors = Tensors::open(snapshot.file(files::COVISITATION)?)?;
        let loaded = Self {
            offsets: tensors.take_u64("offsets")?,
            neighbours: tensors.take_u32("neighbours")?,
            weights: tensors.take_f32("weights")?,
        };
        loaded.check(items).map_err(|detail| Error::Misfit {
            file: files::COVISITATION,
            detail,
        })?;
        Ok(loaded)
    }

    /// What is checked here need not be checked for every query.
    fn check(&self, items: usize) -> Result<(), String> {
        if self.offsets.len() != items + 1 {
            return Err(format!("{} offsets for {items} items", self.offsets.len()));
        }
        if self.neighbours.len() != self.weights.len() {
            return Err("neighbours and weights differ in number".to_owned());
        }
        let ends = (self.offsets.first(), self.offsets.last());
        let rising = self.offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rising || ends != (Some(&0), Some(&(self.neighbours.len() as u64))) {
            return Err("offsets do not rise from 0 to the number of neighbours".to_owned());
        }
        if let Some(bad) = self.neighbours.iter().find(|&&id| id as usize >= items) {
            return Err(format!("neighbour {bad} of {items} items"));
        }
        match self.weights.iter().find(|w| !(w.is_finite() && **w > 0.0)) {
            Some(bad) => Err(format!("weight {bad}, only numbers above 0 are allowed")),
            None => Ok(()),
        }
    }

    fn row(&self, ordinal: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let bound = |at: usize| self.offsets.get(at).and_then(|&o| usize::try_from(o).ok());
        let (start, end) = (bound(ordinal as usize), bound(ordinal as usize + 1));
        let range = start.unwrap_or(0)..end.unwrap_or(0);
        let neighbours = self.neighbours.get(range.clone()).unwrap_or(&[]);
        let weights = self.weights.get(range).unwrap_or(&[]);
        neighbours.iter().copied().zip(weights.iter().copied())
    }

    /// Sums the neighbours of all interests, each weighted by the interest.
    pub(crate) fn gather(&self, interests: &[Interest], sums: &mut Sums) {
        for interest in interests {
            for (neighbour, weight) in self.row(interest.ordinal) {
                sums.add(neighbour, weight * interest.weight);
            }
        }
    }
}
