//! A request on its way to an answer.

use std::sync::Arc;

use feature_store::StoredShopper;

use super::{Answer, Miss, Notes};
use crate::generation::Generation;
use crate::request::Request;
use crate::shopper::Shopper;

/// A request, and the one generation that all of its answer comes from.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) generation: Arc<Generation>,
    pub(super) now_ms: i64,
    pub(super) notes: Notes,
    /// Who the decision is to be kept with, as they were found.
    pub(super) person: Option<Box<StoredShopper>>,
    pub(super) shopper: Result<Shopper, Miss>,
}

impl Question {
    /// With another generation from the start; only the times spent so far are kept.
    pub(super) fn begin_again(&mut self, other: Arc<Generation>) {
        self.generation = other;
        self.notes.degraded.clear();
        self.shopper = Err(Miss::Odd("no row".to_owned()));
    }
}

/// A request after its first look.
pub(super) enum Opened {
    /// Refused, or committed before.
    Done(Box<Answer>),
    Asked(Box<Question>),
}

impl Opened {
    pub(super) fn asked(&mut self) -> Option<&mut Question> {
        match self {
            Self::Done(_) => None,
            Self::Asked(question) => Some(question),
        }
    }
}

/// Questions that share a generation, in the order in which the generations first appear.
pub(super) fn by_generation(
    asked: Vec<&mut Question>,
) -> Vec<(Arc<Generation>, Vec<&mut Question>)> {
    let mut groups: Vec<(Arc<Generation>, Vec<&mut Question>)> = Vec::with_capacity(1);
    for question in asked {
        let of =
            |(generation, _): &(Arc<Generation>, _)| Arc::ptr_eq(generation, &question.generation);
        match groups.iter().position(of).and_then(|at| groups.get_mut(at)) {
            Some((_, group)) => group.push(question),
            None => groups.push((question.generation.clone(), vec![question])),
        }
    }
    groups
}
