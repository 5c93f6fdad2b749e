//! Visits that nobody made: from an item to the one that people most often see with it, and on. What a
//! snapshot carries to be checked with should not be the history of a person.

use std::time::Duration;

use retrieval::{Kind, Query, Recent};
use snapshot::Catalogue;

use crate::covisitation::Rows;
use crate::moments::thinned;

/// Items of the longest walk.
const LONGEST: usize = 20;
const STEP: Duration = Duration::from_secs(60);
const KINDS: [Kind; 4] = [Kind::View, Kind::Add, Kind::View, Kind::Purchase];

/// Questions of many lengths, their first items spread over the catalogue; every other one leaves out
/// what was seen.
pub(crate) fn questions(rows: &Rows, catalogue: &Catalogue, most: usize, k: usize) -> Vec<Query> {
    let all = || (0_u32..).take(catalogue.len());
    let joined = all().filter(|item| !row(rows, *item).is_empty());
    let mut starts: Vec<u32> = thinned(joined.collect(), most);
    if starts.is_empty() {
        starts = thinned(all().collect(), most);
    }
    let question = |(at, start): (usize, u32)| {
        let recent = recent(&walk(rows, start, 1 + at * 7 % LONGEST), catalogue);
        let seen = recent.iter().map(|one| one.item_id.clone());
        Query {
            exclude: seen.filter(|_| at % 2 == 0).collect(),
            recent,
            k,
            rebuy: at % 4 == 1,
            ..Query::default()
        }
    };
    starts.into_iter().enumerate().map(question).collect()
}

/// Newest last; ends early where every neighbour of an item was visited.
fn walk(rows: &Rows, start: u32, most: usize) -> Vec<u32> {
    let mut visited = vec![start];
    while let (true, Some(last)) = (visited.len() < most, visited.last()) {
        let next = row(rows, *last).iter().map(|(item, _)| *item);
        let Some(next) = next.into_iter().find(|item| !visited.contains(item)) else {
            break;
        };
        visited.push(next);
    }
    visited
}

fn row(rows: &Rows, item: u32) -> &[(u32, f32)] {
    rows.get(item as usize).map_or(&[], Vec::as_slice)
}

fn recent(walk: &[u32], catalogue: &Catalogue) -> Vec<Recent> {
    let places = walk.iter().rev().zip(0_u32..);
    let known = places.filter_map(|(item, place)| Some((catalogue.get(*item)?, place)));
    let kind = |place: u32| KINDS[place as usize % KINDS.len()];
    known
        .map(|(item, place)| Recent {
            item_id: item.item_id.clone(),
            kind: kind(place),
            age: STEP * place,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use snapshot::CatalogueItem;

    use super::*;

    fn catalogue(items: usize) -> Catalogue {
        let item = |at: usize| CatalogueItem {
            item_id: format!("{at:02}"),
            ..Default::default()
        };
        Catalogue::new((0..items).map(item).collect()).unwrap()
    }

    #[test]
    fn every_step_of_a_walk_is_a_published_pair_and_no_item_comes_twice() {
        let rows: Rows = vec![
            vec![(1, 3.0), (2, 1.0)],
            vec![(0, 3.0), (2, 2.0)],
            vec![(1, 2.0), (0, 1.0)],
            vec![],
        ];
        assert_eq!(walk(&rows, 0, 20), [0, 1, 2]);
        assert_eq!(walk(&rows, 3, 20), [3]);
        let asked = questions(&rows, &catalogue(4), 20, 10);
        assert_eq!(asked.len(), 3, "no walk starts where there is no pair");
        let newest: Vec<&str> = asked.iter().map(|one| &*one.recent[0].item_id).collect();
        assert_eq!(newest, ["00", "02", "00"]);
        assert_eq!(asked[0].exclude, ["00"]);
        assert!(asked[1].exclude.is_empty() && asked[1].rebuy);
    }

    #[test]
    fn where_no_pair_is_published_each_question_names_one_item() {
        let asked = questions(&vec![Vec::new(); 50], &catalogue(50), 20, 10);
        assert_eq!(asked.len(), 20);
        assert!(asked.iter().all(|one| one.recent.len() == 1));
    }
}
