//! Rows as 8-bit codes: one sequence that is scanned, or inverted lists that are walked from the
//! most promising until enough allowed rows were seen. Either way the answer is, bit for bit, the
//! best of the rows that were looked at by their full vectors: codes only say which rows cannot be
//! among them.

mod budget;
mod build;
mod keep;
mod layout;
mod quantise;
mod search;
mod walk;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::image::Image;
use crate::index::check_query;
use crate::simd::{BLOCK, CodeQuery, CodeRows, Level};
use crate::{Bitmap, Error, ExactIndex, Hit, Plan, SearchReport, VectorIndex, Vectors};

pub use budget::Budget;
use layout::{Header, Layout};

/// An index of 8-bit codes over the vectors it was made from; see the module's own words.
#[derive(Debug)]
pub struct CodeIndex {
    vectors: Arc<Vectors>,
    image: Image,
    header: Header,
    layout: Layout,
    level: Level,
}

impl CodeIndex {
    /// Maps an index file that was saved over these vectors. The file must not change while it is
    /// mapped.
    ///
    /// # Errors
    /// When the file is missing, damaged, of another kind, or made from other vectors.
    pub fn load(path: impl AsRef<Path>, vectors: Arc<Vectors>) -> Result<Self, Error> {
        let path = path.as_ref();
        let refused = |detail| Error::File {
            path: path.to_owned(),
            detail,
        };
        Image::open(path)
            .and_then(|image| Self::from_image(image, vectors))
            .map_err(refused)
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        self.image.save(path).map_err(|detail| Error::File {
            path: path.to_owned(),
            detail,
        })
    }

    #[must_use]
    pub fn vectors(&self) -> &Arc<Vectors> {
        &self.vectors
    }

    /// Number of inverted lists; 0 when all rows are scanned.
    #[must_use]
    pub fn lists(&self) -> u32 {
        self.header.lists
    }

    /// Bytes of the index, without the vectors.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layout.len
    }

    /// As [`VectorIndex::search`], looking at lists until the budget of allowed rows was seen. A scan
    /// looks at all.
    ///
    /// # Errors
    /// As [`VectorIndex::search`].
    pub fn search_with(
        &self,
        query: &[f32],
        k: usize,
        budget: impl Into<Budget>,
        allowed: Option<&Bitmap>,
        out: &mut Vec<Hit>,
    ) -> Result<SearchReport, Error> {
        check_query(self, query, k, allowed)?;
        let eligible = allowed.map_or(self.len() as u64, Bitmap::count);
        // A filter that allows everything needs no looking up.
        let allowed = allowed.filter(|_| eligible < self.len() as u64);
        let budget = budget.into().at_least(k);
        match search::search(self, query, k, budget, eligible, allowed, out) {
            Some(looked) => Ok(SearchReport {
                plan: if looked.all {
                    Plan::Exact
                } else {
                    Plan::Approximate
                },
                lists_probed: looked.lists,
                scanned: looked.rows,
                eligible,
            }),
            None => ExactIndex::new(Arc::clone(&self.vectors)).search(query, k, allowed, out),
        }
    }

    fn rows(&self) -> CodeRows<'_> {
        self.layout.rows.rows(&self.image)
    }

    fn blocks(&self) -> usize {
        self.layout.rows.blocks
    }

    fn ids(&self) -> &[u32] {
        self.image.section(self.layout.ids)
    }

    /// The blocks of a list and how many rows they hold.
    fn list(&self, list: usize) -> (Range<usize>, usize) {
        let starts: &[u32] = self.image.section(self.layout.starts);
        let sizes: &[u32] = self.image.section(self.layout.sizes);
        match (starts.get(list..list + 2), sizes.get(list)) {
            (Some(&[from, to]), Some(&size)) => (from as usize..to as usize, size as usize),
            _ => (0..0, 0),
        }
    }

    fn rank_lists(&self, query: &CodeQuery, scores: &mut Vec<f32>) {
        let means = self.layout.means.rows(&self.image);
        let spreads = self.image.section(self.layout.spreads);
        search::rank(self, query, &means, spreads, self.header.reach, scores);
    }

    /// Which list each row is in, by id.
    pub(crate) fn list_of_rows(&self) -> Vec<u32> {
        let mut lists = vec![0; self.len()];
        for (list, number) in (0..self.header.lists as usize).zip(0u32..) {
            let (blocks, _) = self.list(list);
            let places = blocks.start * BLOCK..blocks.end * BLOCK;
            for &id in self.ids().get(places).unwrap_or(&[]) {
                if let Some(place) = lists.get_mut(id as usize) {
                    *place = number;
                }
            }
        }
        lists
    }

    /// The lists from the most promising; none when the query is too large or small for codes.
    pub(crate) fn order_of_lists(&self, query: &[f32]) -> Vec<usize> {
        let mut order = walk::Order::default();
        if let Some(query) = quantise::code_query(query) {
            self.rank_lists(&query, &mut order.scores);
        }
        let all = order.scores.len();
        walk::Walk::new(&mut order, all).collect()
    }
}

impl VectorIndex for CodeIndex {
    fn dimension(&self) -> usize {
        self.vectors.dimension()
    }

    fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Looks at all rows, so that the answer is exact.
    fn search(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&Bitmap>,
        out: &mut Vec<Hit>,
    ) -> Result<SearchReport, Error> {
        self.search_with(query, k, u64::MAX, allowed, out)
    }
}
