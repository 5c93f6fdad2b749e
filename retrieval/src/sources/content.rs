use ann_index::{Hit, Plan, SearchReport, SpaceIndex};
use snapshot::{Catalogue, Snapshot};

use super::space;
use crate::files::{SPACE, read_space};
use crate::interests::Interest;
use crate::scratch::{Scratch, keep_best};
use crate::tower::{Seen, Tower};
use crate::{Error, FusionWeights, Source};

/// Items that are described, or look, like the recent ones: every space of the generation but the
/// collaborative one.
///
/// Rows have length 1, or are zeros for items of which a space knows nothing. A query is what the
/// space's tower answers, or without one the mean of the interests' rows by their weights; it is
/// made to length 1. An item's score is the mean of its cosines, by the weights of the spaces, over
/// the spaces in which there is a query, negative ones as 0. The interests themselves are not named:
/// they are near by construction.
#[derive(Debug)]
pub(crate) struct Content {
    spaces: Vec<Named>,
}

#[derive(Debug)]
struct Named {
    name: String,
    index: SpaceIndex,
    tower: Option<Tower>,
}

/// Who asks, and how spaces count.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) interests: &'a [Interest],
    pub(crate) weights: &'a FusionWeights,
    /// Nothing when it is an item that others are to be near: a tower speaks for shoppers.
    pub(crate) shopper: Option<&'a Catalogue>,
}

/// Memory of a query, lent by the thread's scratch.
#[derive(Debug, Default)]
pub(crate) struct ContentScratch {
    /// The query of each space, all zeros when no interest has a vector there.
    queries: Vec<Vec<f32>>,
    /// Of each space, in the answer at hand.
    weights: Vec<f32>,
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
                Ok(Named {
                    name: space.name.clone(),
                    tower: Tower::load(snapshot, &space.name, vectors.dimension())?,
                    index: space::open(snapshot, space, vectors)?,
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok((!spaces.is_empty()).then_some(Self { spaces }))
    }

    /// Fills the scratch's list, best first; `None` when no interest has a vector.
    pub(crate) fn find(
        &self,
        asking: Asking<'_>,
        depth: usize,
        scratch: &mut Scratch,
    ) -> Result<Option<SearchReport>, Error> {
        let Scratch {
            allowed,
            sums,
            content:
                ContentScratch {
                    queries,
                    weights,
                    hits,
                },
            lists,
            asked,
            ..
        } = scratch;
        let interests = asking.interests;
        self.set_queries(asking, queries)?;
        weights.clear();
        let of = self
            .spaces
            .iter()
            .zip(queries.iter())
            .map(|(space, query)| {
                if is_zero(query) {
                    0.0
                } else {
                    asking.weights.of_space(&space.name)
                }
            });
        weights.extend(of);
        let score = |id: u32| self.score(queries, weights, id);
        let is_interest = |id| interests.iter().any(|interest| interest.ordinal == id);
        let wanted = depth + interests.len();
        let mut report: Option<SearchReport> = None;
        for ((space, query), weight) in self.spaces.iter().zip(queries.iter()).zip(weights.iter()) {
            if *weight <= 0.0 {
                continue;
            }
            let named = (space.name.as_str(), &space.index);
            let found = space::search(named, query, wanted, allowed, hits)?;
            report = Some(report.map_or(found, |before| merged(before, found)));
            // The sums only collect who was found; each is scored in every space below.
            let near = hits.iter().filter(|hit| hit.score > 0.0);
            near.for_each(|hit| sums.add(hit.id, 1.0));
        }
        let out = lists.of_mut(Source::Content);
        sums.drain_where(|id| !is_interest(id), out);
        out.iter_mut().for_each(|hit| hit.score = score(hit.id));
        out.retain(|hit| hit.score > 0.0);
        keep_best(out, depth);
        asked.note(Source::Content, |id| {
            if is_interest(id) { 0.0 } else { score(id) }
        });
        Ok(report)
    }

    fn set_queries(&self, asking: Asking<'_>, queries: &mut Vec<Vec<f32>>) -> Result<(), Error> {
        queries.resize_with(self.spaces.len(), Vec::new);
        for (space, query) in self.spaces.iter().zip(queries) {
            space::mean(space.index.vectors(), asking.interests, query);
            let (Some(tower), Some(catalogue)) = (&space.tower, asking.shopper) else {
                continue;
            };
            if asking.interests.is_empty() {
                continue;
            }
            *query = tower.vector(Seen {
                interests: asking.interests,
                catalogue,
                mean: query,
            })?;
            space::normalise(query);
        }
        Ok(())
    }

    /// The mean cosine over the spaces, by their weights.
    fn score(&self, queries: &[Vec<f32>], weights: &[f32], id: u32) -> f32 {
        let (mut sum, mut asked) = (0.0, 0.0);
        for ((space, query), weight) in self.spaces.iter().zip(queries).zip(weights) {
            if *weight > 0.0 {
                let row = space.index.vectors().row(id);
                sum += weight * row.map_or(0.0, |row| space::dot(query, row).max(0.0));
                asked += weight;
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
