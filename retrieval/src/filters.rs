use std::collections::BTreeMap;

use ann_index::Bitmap;
use snapshot::Catalogue;

use crate::interests::Interest;
use crate::{Filter, Gate};

/// The items of each brand and of each category, made once for a generation.
///
/// Lists of ordinals and not bitmaps: ten thousand brands of a hundred thousand items would be
/// 125 MB of bits, and setting the bits of one list costs less than reading one such bitmap.
#[derive(Debug)]
pub(crate) struct FilterIndex {
    brands: BTreeMap<String, Vec<u32>>,
    /// Every part of a path is a key: `a.b` is listed under `a` and under `a.b`.
    categories: BTreeMap<String, Vec<u32>>,
    /// The catalogue's prices side by side: its rows are too wide to be read for every query.
    prices: Vec<i64>,
}

impl FilterIndex {
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let mut brands: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut categories: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut path = String::new();
        for (ordinal, item) in (0u32..).zip(catalogue.items()) {
            if !item.brand.is_empty() {
                list(&mut brands, &item.brand, ordinal);
            }
            for prefix in prefixes(join(&item.category_path, &mut path)) {
                list(&mut categories, prefix, ordinal);
            }
        }
        let prices = catalogue
            .items()
            .iter()
            .map(|item| item.price_minor)
            .collect();
        Self {
            brands,
            categories,
            prices,
        }
    }

    /// Makes `allowed` the items that filter, gate and exclusions leave.
    pub(crate) fn apply(
        &self,
        catalogue: &Catalogue,
        rules: &Rules<'_>,
        allowed: &mut Bitmap,
        part: &mut Bitmap,
    ) {
        let filter = rules.filter;
        allowed.reset(catalogue.len());
        allowed.fill();
        if !filter.allow.is_empty() {
            let known = filter.allow.iter().filter_map(|id| catalogue.ordinal(id));
            keep_only(known, allowed, part);
        }
        if !filter.categories.is_empty() {
            keep_only(listed(&self.categories, &filter.categories), allowed, part);
        }
        if !filter.brands.is_empty() {
            keep_only(listed(&self.brands, &filter.brands), allowed, part);
        }
        if filter.has_price() {
            self.keep_priced(rules, allowed);
        }
        allowed.and_not(rules.gate.blocked());
        let excluded = rules.exclude.iter().filter_map(|id| catalogue.ordinal(id));
        excluded.for_each(|ordinal| allowed.clear(ordinal));
        rules.owned().for_each(|ordinal| allowed.clear(ordinal));
    }

    /// Keeps items whose price, the live one where there is one, is inside the filter's bounds.
    fn keep_priced(&self, rules: &Rules<'_>, allowed: &mut Bitmap) {
        allowed.retain(|ordinal| {
            let listed = self.prices.get(ordinal as usize).copied().unwrap_or(0);
            rules
                .filter
                .covers_price(rules.gate.price(ordinal).unwrap_or(listed))
        });
    }
}

/// What rules items out.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) gate: &'a Gate,
    pub(crate) exclude: &'a [String],
    pub(crate) interests: &'a [Interest],
    /// Whether what was bought may be answered.
    pub(crate) rebuy: bool,
}

impl Rules<'_> {
    /// Items that are ruled out because they were bought.
    fn owned(&self) -> impl Iterator<Item = u32> + '_ {
        let is_owned = |interest: &&Interest| interest.bought && !self.rebuy;
        let owned = self.interests.iter().filter(is_owned);
        owned.map(|interest| interest.ordinal)
    }
}

fn keep_only(ordinals: impl Iterator<Item = u32>, allowed: &mut Bitmap, part: &mut Bitmap) {
    part.reset(allowed.len());
    ordinals.for_each(|ordinal| part.set(ordinal));
    allowed.and(part);
}

fn listed<'a>(
    lists: &'a BTreeMap<String, Vec<u32>>,
    names: &'a [String],
) -> impl Iterator<Item = u32> + 'a {
    names
        .iter()
        .filter_map(|name| lists.get(name))
        .flatten()
        .copied()
}

/// Items are many, names are few: one is copied when it is seen first.
fn list(lists: &mut BTreeMap<String, Vec<u32>>, name: &str, ordinal: u32) {
    match lists.get_mut(name) {
        Some(list) => list.push(ordinal),
        None => {
            lists.insert(name.to_owned(), vec![ordinal]);
        }
    }
}

/// A category as one text, `a.b`, in memory that the next one takes over.
pub(crate) fn join<'a>(path: &[String], text: &'a mut String) -> &'a str {
    text.clear();
    for (at, part) in path.iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        text.push_str(part);
    }
    text
}

/// `a.b.c` → `a`, `a.b`, `a.b.c`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let ends = path
        .match_indices('.')
        .map(|(at, _)| at)
        .chain([path.len()]);
    ends.map(|end| &path[..end])
        .filter(|prefix| !prefix.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_listed_under_each_of_its_parts() {
        assert_eq!(prefixes("a.b.c").collect::<Vec<_>>(), ["a", "a.b", "a.b.c"]);
        assert_eq!(prefixes("").count(), 0);
    }
}
