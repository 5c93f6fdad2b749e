use std::collections::BTreeMap;

use ann_index::{Bitmap, Hit};
use snapshot::{Catalogue, Snapshot, Tensors, files};

use crate::asked::Asked;
use crate::filters::join;
use crate::interests::Interest;
use crate::scratch::{Sums, keep_best};
use crate::{Error, Source, weights};

/// What many shoppers want: all items by score, and those of each category.
#[derive(Clone, Debug)]
pub(crate) struct Popularity {
    /// Divided by the greatest, so 0 to 1.
    scores: Vec<f32>,
    /// All ordinals, most popular first, ties by ordinal.
    order: Vec<u32>,
    /// Place of each ordinal in `order`.
    places: Vec<u32>,
    /// Category of each ordinal, by its full path.
    category: Vec<u32>,
    /// Ordinals of each category, most popular first.
    by_category: Vec<Vec<u32>>,
    /// The same of bands of like prices within a category; empty without bands.
    bands: Groups,
}

/// A number for each item, and the items of each number, most popular first.
#[derive(Clone, Debug, Default)]
struct Groups {
    of: Vec<u32>,
    lists: Vec<Vec<u32>>,
}

/// An item without a category, or without a price, is in no group.
const NO_GROUP: u32 = u32::MAX;
/// Priced items that a category needs for each of its bands.
const FEWEST: usize = 4;

impl Popularity {
    pub(crate) fn load(
        snapshot: &Snapshot,
        catalogue: &Catalogue,
        bands: u32,
    ) -> Result<Self, Error> {
        let tensors = Tensors::open(snapshot.file(files::POPULARITY)?)?;
        tensors.expect_shape("scores", &[catalogue.len()])?;
        let scores = tensors.f32("scores")?;
        if let Some(bad) = scores
            .iter()
            .find(|score| !(score.is_finite() && **score >= 0.0))
        {
            let detail = format!("score {bad}, only numbers from 0 are allowed");
            return Err(Error::Misfit {
                file: files::POPULARITY,
                detail,
            });
        }
        let mut popularity = Self::new(scores, catalogue);
        popularity.bands = popularity.banded(catalogue, bands);
        Ok(popularity)
    }

    fn new(raw: &[f32], catalogue: &Catalogue) -> Self {
        let most = raw.iter().copied().fold(0.0, f32::max);
        let scale = if most > 0.0 { most } else { 1.0 };
        let scores: Vec<f32> = raw.iter().map(|score| score / scale).collect();
        let mut order: Vec<u32> = (0u32..).take(scores.len()).collect();
        let by_score = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]);
        order.sort_by(|a, b| by_score(a, b).then(a.cmp(b)));
        let mut places = vec![0; order.len()];
        (0u32..)
            .zip(&order)
            .for_each(|(place, &ordinal)| places[ordinal as usize] = place);
        let (category, by_category) = group(&order, catalogue);
        Self {
            scores,
            order,
            places,
            category,
            by_category,
            bands: Groups::default(),
        }
    }

    /// The same scores with each category, and what has none, cut into bands of like prices at the
    /// quantiles of its items' prices; 0 for no bands. Items of one price are in one band.
    pub(crate) fn with_bands(&self, catalogue: &Catalogue, bands: u32) -> Self {
        Self {
            bands: self.banded(catalogue, bands),
            ..self.clone()
        }
    }

    fn banded(&self, catalogue: &Catalogue, bands: u32) -> Groups {
        match bands {
            0 => Groups::default(),
            count => banded(&self.order, &self.category, catalogue, count as usize),
        }
    }

    pub(crate) fn score(&self, ordinal: u32) -> f32 {
        self.scores.get(ordinal as usize).copied().unwrap_or(0.0)
    }

    /// The most popular allowed items of the categories that the shopper dealt with, weighted by
    /// how much of the interest lies there. Scores are above 1 and at most 2.
    pub(crate) fn in_categories(
        &self,
        interests: &[Interest],
        allowed: &Bitmap,
        depth: usize,
        sums: &mut Sums,
        asked: &mut Asked,
        out: &mut Vec<Hit>,
    ) {
        let groups = [
            (&self.category, &self.by_category),
            (&self.bands.of, &self.bands.lists),
        ];
        let banded = !self.bands.lists.is_empty();
        let part = if banded { 0.5 } else { 1.0 };
        let shared = groups.into_iter().flat_map(|(of, lists)| {
            let shares = shares(of, interests).into_iter();
            shares.filter_map(move |(group, share)| Some((lists.get(group as usize)?, share)))
        });
        for (popular, share) in shared {
            let share = share * part;
            let mut taken = 0;
            for &ordinal in popular {
                if taken == depth {
                    break;
                }
                let is_allowed = allowed.contains(ordinal);
                if is_allowed || asked.contains(ordinal) {
                    // The small constant keeps an item that nobody touched yet above 0.
                    sums.add(ordinal, share * (self.score(ordinal) + 1e-6));
                    taken += usize::from(is_allowed);
                }
            }
        }
        let score = |sum: f32| if sum > 0.0 { 1.0 + sum.min(1.0) } else { 0.0 };
        asked.note(Source::Popularity, |ordinal| score(sums.of(ordinal)));
        sums.drain(allowed, out);
        out.iter_mut().for_each(|hit| hit.score = score(hit.score));
        keep_best(out, depth);
    }

    /// Every allowed item, most popular first, with scores from 0 to 1. When few are allowed,
    /// those are sorted instead of walking past all that are not.
    pub(crate) fn overall<'a>(&'a self, allowed: &'a Bitmap) -> Box<dyn Iterator<Item = Hit> + 'a> {
        let hit = |id| Hit {
            id,
            score: self.score(id),
        };
        let eligible = usize::try_from(allowed.count()).unwrap_or(usize::MAX);
        if eligible.saturating_mul(16) < self.order.len() {
            let mut few: Vec<u32> = allowed.iter().collect();
            few.sort_unstable_by_key(|&ordinal| self.places.get(ordinal as usize).copied());
            return Box::new(few.into_iter().map(hit));
        }
        let all = self.order.iter().copied();
        Box::new(all.filter(|&ordinal| allowed.contains(ordinal)).map(hit))
    }
}

/// The heaviest groups with their share of the interests' weight.
fn shares(of: &[u32], interests: &[Interest]) -> Vec<(u32, f32)> {
    let mut weights: BTreeMap<u32, f32> = BTreeMap::new();
    for interest in interests {
        let group = of.get(interest.ordinal as usize).copied();
        if let Some(group) = group.filter(|&group| group != NO_GROUP) {
            *weights.entry(group).or_default() += interest.weight;
        }
    }
    let total: f32 = weights.values().sum();
    let mut shares: Vec<(u32, f32)> = weights.into_iter().map(|(g, w)| (g, w / total)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    shares.truncate(weights::CATEGORIES);
    shares
}

/// Bands of each category with enough priced items, numbered by category and price.
fn banded(order: &[u32], category: &[u32], catalogue: &Catalogue, count: usize) -> Groups {
    let mut priced: BTreeMap<u32, Vec<(i64, u32)>> = BTreeMap::new();
    for ((item, &category), ordinal) in catalogue.items().iter().zip(category).zip(0u32..) {
        if item.price_minor > 0 {
            let entry = priced.entry(category).or_default();
            entry.push((item.price_minor, ordinal));
        }
    }
    let mut of = vec![NO_GROUP; catalogue.len()];
    let mut bands = 0;
    for mut items in priced
        .into_values()
        .filter(|items| items.len() >= FEWEST * count)
    {
        items.sort_unstable();
        let total = items.len();
        let mut rank = 0;
        for run in items.chunk_by(|a, b| a.0 == b.0) {
            let band = u32::try_from(rank * count / total).unwrap_or(0);
            run.iter()
                .for_each(|(_, ordinal)| of[*ordinal as usize] = bands + band);
            rank += run.len();
        }
        bands += u32::try_from(count).unwrap_or(0);
    }
    let mut lists = vec![Vec::new(); bands as usize];
    for &ordinal in order {
        if let Some(list) = lists.get_mut(of[ordinal as usize] as usize) {
            list.push(ordinal);
        }
    }
    Groups { of, lists }
}

/// Numbers the categories in order of their first item and lists each one's items.
fn group(order: &[u32], catalogue: &Catalogue) -> (Vec<u32>, Vec<Vec<u32>>) {
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut lists: Vec<Vec<u32>> = Vec::new();
    let mut category = vec![NO_GROUP; catalogue.len()];
    let mut text = String::new();
    for &ordinal in order {
        let item = catalogue.get(ordinal);
        let path = item.map_or("", |item| join(&item.category_path, &mut text));
        if path.is_empty() {
            continue;
        }
        let number = numbers.get(path).copied().unwrap_or_else(|| {
            let next = u32::try_from(lists.len()).unwrap_or(NO_GROUP);
            numbers.insert(path.to_owned(), next);
            lists.push(Vec::new());
            next
        });
        if let Some(list) = lists.get_mut(number as usize) {
            list.push(ordinal);
            category[ordinal as usize] = number;
        }
    }
    (category, lists)
}
