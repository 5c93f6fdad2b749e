//! Items whose score a query wants to know although they may not be answered.
//!
//! Each source is asked for them in the pass in which it finds candidates, and its list is not
//! changed by it: a query gets the same candidates whether or not it asks.

use ann_index::{Bitmap, Hit};
use snapshot::Catalogue;

use crate::Source;
use crate::scratch::Sums;

/// The known ones of [`Query::score`](crate::Query::score), each once.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    items: Vec<AskedItem>,
    /// The same items as a set, sized for the catalogue when there are any.
    set: Bitmap,
}

/// An item and what each source says of it, 0 for nothing.
#[derive(Copy, Clone, Debug)]
pub(crate) struct AskedItem {
    pub(crate) ordinal: u32,
    pub(crate) scores: [f32; Source::COUNT],
    /// Its place among the popular, when the walk came by it.
    pub(crate) popular_rank: Option<u32>,
}

impl Asked {
    pub(crate) fn set(&mut self, ids: &[String], catalogue: &Catalogue) {
        self.items.clear();
        if ids.is_empty() {
            return;
        }
        self.set.reset(catalogue.len());
        for ordinal in ids.iter().filter_map(|id| catalogue.ordinal(id)) {
            if !self.set.contains(ordinal) {
                self.set.set(ordinal);
                self.items.push(AskedItem {
                    ordinal,
                    scores: [0.0; Source::COUNT],
                    popular_rank: None,
                });
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn contains(&self, ordinal: u32) -> bool {
        !self.items.is_empty() && self.set.contains(ordinal)
    }

    /// The same items as a set; only of use when there are any.
    pub(crate) fn as_set(&self) -> &Bitmap {
        &self.set
    }

    pub(crate) fn get(&self, ordinal: u32) -> Option<&AskedItem> {
        self.items.iter().find(|item| item.ordinal == ordinal)
    }

    /// Notes what a source says of each.
    pub(crate) fn note(&mut self, source: Source, score: impl Fn(u32) -> f32) {
        for item in &mut self.items {
            item.scores[source as usize] = score(item.ordinal);
        }
    }

    /// Notes the sums of a source before they are drained.
    pub(crate) fn note_sums(&mut self, source: Source, sums: &Sums) {
        self.note(source, |ordinal| sums.of(ordinal));
    }

    /// Notes the place that an item has among the popular.
    pub(crate) fn note_popular(&mut self, hit: Hit, rank: u32) {
        let item = self.items.iter_mut().find(|item| item.ordinal == hit.id);
        if let Some(item) = item {
            item.popular_rank = Some(rank);
        }
    }
}
