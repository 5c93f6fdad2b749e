use std::cell::RefCell;

use ann_index::{Bitmap, Hit};

use crate::Source;
use crate::asked::Asked;
use crate::fusion::Entry;
use crate::sessions::SessionScratch;
use crate::sources::ContentScratch;

/// Memory that a query needs and the next one uses again. One for each thread, sized for the
/// largest generation that it has served.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The items that may be answered.
    pub(crate) allowed: Bitmap,
    /// One part of a filter while it is built.
    pub(crate) part: Bitmap,
    pub(crate) sums: Sums,
    pub(crate) sessions: SessionScratch,
    pub(crate) content: ContentScratch,
    pub(crate) lists: Lists,
    /// Items whose score is wanted although they may not be answered.
    pub(crate) asked: Asked,
    pub(crate) entries: Vec<Entry>,
    /// Per item, 1 + its place in `entries`; 0 = none. All 0 between queries.
    pub(crate) places: Vec<u32>,
}

/// What each source named, best first.
#[derive(Debug, Default)]
pub(crate) struct Lists([Vec<Hit>; Source::COUNT]);

impl Lists {
    pub(crate) fn of(&self, source: Source) -> &[Hit] {
        &self.0[source as usize]
    }

    pub(crate) fn of_mut(&mut self, source: Source) -> &mut Vec<Hit> {
        &mut self.0[source as usize]
    }

    fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }
}

/// A sum per item of which few are not 0.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    values: Vec<f32>,
    touched: Vec<u32>,
}

impl Sums {
    /// Adds an amount to an item below the size given to [`Sums::fit`]. An amount of 0 is nothing:
    /// 0 stands for an item that is not touched.
    #[inline]
    pub(crate) fn add(&mut self, ordinal: u32, amount: f32) {
        if amount > 0.0
            && let Some(value) = self.values.get_mut(ordinal as usize)
        {
            if *value == 0.0 {
                self.touched.push(ordinal);
            }
            *value += amount;
        }
    }

    pub(crate) fn fit(&mut self, items: usize) {
        if self.values.len() < items {
            self.values.resize(items, 0.0);
        }
    }

    /// Moves all sums of allowed items to `out` and starts again from 0.
    pub(crate) fn drain(&mut self, allowed: &Bitmap, out: &mut Vec<Hit>) {
        self.drain_where(|id| allowed.contains(id), out);
    }

    /// Moves the greatest sums of allowed items to `out`, best first, and starts again from 0.
    pub(crate) fn drain_best(&mut self, allowed: &Bitmap, depth: usize, out: &mut Vec<Hit>) {
        self.drain(allowed, out);
        keep_best(out, depth);
    }

    /// Moves all sums that `may` go to `out` and starts again from 0.
    pub(crate) fn drain_where(&mut self, may: impl Fn(u32) -> bool, out: &mut Vec<Hit>) {
        for id in self.touched.drain(..) {
            let score = std::mem::take(&mut self.values[id as usize]);
            if may(id) {
                out.push(Hit { id, score });
            }
        }
    }

    /// The sum of an item, 0 when there is none.
    pub(crate) fn of(&self, ordinal: u32) -> f32 {
        self.values.get(ordinal as usize).copied().unwrap_or(0.0)
    }

    /// 0 when there is none.
    pub(crate) fn greatest(&self) -> f32 {
        let values = self.touched.iter().map(|&id| self.values[id as usize]);
        values.fold(0.0, f32::max)
    }
}

impl Scratch {
    fn fit(&mut self, items: usize) {
        self.sums.fit(items);
        if self.places.len() < items {
            self.places.resize(items, 0);
        }
        self.lists.clear();
        self.entries.clear();
    }
}

/// Lends this thread's scratch, sized for `items`.
pub(crate) fn with<T>(items: usize, work: impl FnOnce(&mut Scratch) -> T) -> T {
    thread_local! {
        static SCRATCH: RefCell<Scratch> = RefCell::default();
    }
    // Taken out rather than borrowed: work that panics leaves an empty scratch behind, not one
    // whose zeros are broken.
    let mut scratch = SCRATCH.take();
    scratch.fit(items);
    let result = work(&mut scratch);
    SCRATCH.set(scratch);
    result
}

/// Best first, ties by id, and no more than `depth`.
pub(crate) fn keep_best(hits: &mut Vec<Hit>, depth: usize) {
    let order = |a: &Hit, b: &Hit| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id));
    if depth > 0 && hits.len() > depth {
        hits.select_nth_unstable_by(depth - 1, order);
    }
    hits.truncate(depth);
    hits.sort_unstable_by(order);
}
