use ann_index::{Hit, Plan, SearchReport, SpaceIndex};
use snapshot::Snapshot;

use super::space;
use crate::files::{SPACE, read_space};
use crate::interests::Interest;
use crate::scratch::{Scratch, keep_best};
use crate::{Error, Source};

/// Items that are described, or look, like the recent ones: every space of the generation but the
/// collaborative one.
///
/// Rows have length 1, or are zeros for items of which a space knows nothing. A query is the mean
/// of the interests' rows by their weights, made to length 1; an item's score is the mean of its
/// cosines over the spaces in which there is a query, negative ones as 0. The interests themselves
/// are not named: they are near by construction.
#[derive(Debug)]
pub(crate) struct Content {
    /// With their names.
    spaces: Vec<(String, SpaceIndex)>,
}

/// Memory of a query, lent by the thread's scratch.
#[derive(Debug, Default)]
pub(crate) struct ContentScratch {
    /// The query of each space, all zeros when no interest has a vector there.
    queries: Vec<Vec<f32>>,
    hits: Vec<Hit>,
}

impl Content {
    /// `None` when the generation has no such space.
    pub(crate) fn load(snapshot: &Snapshot, items: usize) -> Result<Option<Self>, Error> {
        let named = &snapshot.manifest().spaces;
        let others = named.iter().filter(|space| space.name != SPACE);
        let spaces = others
            .map(|space| {
                let vectors = read_space(snapshot, &space.name, items)?;
                Ok((space.name.clone(), space::open(snapshot, space, vectors)?))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok((!spaces.is_empty()).then_some(Self { spaces }))
    }

    /// Fills the scratch's list, best first; `None` when no interest has a vector.
    pub(crate) fn find(
        &self,
        interests: &[Interest],
        depth: usize,
        scratch: &mut Scratch,
    ) -> Result<Option<SearchReport>, Error> {
        let Scratch {
            allowed,
            sums,
            content: ContentScratch { queries, hits },
            lists,
            asked,
            ..
        } = scratch;
        self.set_queries(interests, queries);
        let is_interest = |id| interests.iter().any(|interest| interest.ordinal == id);
        let wanted = depth + interests.len();
        let mut report: Option<SearchReport> = None;
        for ((name, space), query) in self.spaces.iter().zip(queries.iter()) {
            if is_zero(query) {
                continue;
            }
            let found = space::search((name, space), query, wanted, allowed, hits)?;
            report = Some(report.map_or(found, |before| merged(before, found)));
            // The sums only collect who was found; each is scored in every space below.
            let near = hits.iter().filter(|hit| hit.score > 0.0);
            near.for_each(|hit| sums.add(hit.id, 1.0));
        }
        let out = lists.of_mut(Source::Content);
        sums.drain_where(|id| !is_interest(id), out);
        out.iter_mut()
            .for_each(|hit| hit.score = self.score(queries, hit.id));
        out.retain(|hit| hit.score > 0.0);
        keep_best(out, depth);
        asked.note(Source::Content, |id| {
            if is_interest(id) {
                0.0
            } else {
                self.score(queries, id)
            }
        });
        Ok(report)
    }

    fn set_queries(&self, interests: &[Interest], queries: &mut Vec<Vec<f32>>) {
        queries.resize_with(self.spaces.len(), Vec::new);
        for ((_, space), query) in self.spaces.iter().zip(queries) {
            let vectors = space.vectors();
            query.clear();
            query.resize(vectors.dimension(), 0.0);
            for interest in interests {
                let row = vectors.row(interest.ordinal).unwrap_or(&[]);
                let pairs = query.iter_mut().zip(row);
                pairs.for_each(|(to, from)| *to += interest.weight * from);
            }
            let length = space::dot(query, query).sqrt();
            if length > 0.0 {
                query.iter_mut().for_each(|x| *x /= length);
            }
        }
    }

    /// The mean cosine over the spaces in which there is a query.
    fn score(&self, queries: &[Vec<f32>], id: u32) -> f32 {
        let (mut sum, mut asked) = (0.0, 0.0);
        for ((_, space), query) in self.spaces.iter().zip(queries) {
            if !is_zero(query) {
                let row = space.vectors().row(id);
                sum += row.map_or(0.0, |row| space::dot(query, row).max(0.0));
                asked += 1.0;
            }
        }
        if asked > 0.0 { sum / asked } else { 0.0 }
    }
}

fn is_zero(query: &[f32]) -> bool {
    query.iter().all(|&x| x == 0.0)
}

fn merged(a: SearchReport, b: SearchReport) -> SearchReport {
    SearchReport {
        plan: if b.plan == Plan::Approximate {
            b.plan
        } else {
            a.plan
        },
        lists_probed: a.lists_probed.max(b.lists_probed),
        ..a
    }
}
