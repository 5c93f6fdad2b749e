//! The shoppers and items of a run: the same seed makes the same ones.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::random::Random;

/// An item that shoppers look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) price_minor: i64,
    pub(crate) category: String,
    pub(crate) brand: String,
}

/// A shopper with a history: positions of items, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shopper {
    pub(crate) id: String,
    pub(crate) viewed: Vec<usize>,
    pub(crate) carted: Vec<usize>,
    /// Items in the stored cart, as the server answered before the run.
    pub(crate) stored_cart: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Population {
    pub(crate) items: Vec<Item>,
    pub(crate) shoppers: Vec<Shopper>,
    /// The items are this tool's own and not the snapshot's.
    pub(crate) made_up: bool,
}

/// All prices are in one currency, as one shop's are.
pub(crate) const CURRENCY: &str = "EUR";

const BRANDS: [&str; 8] = [
    "alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple",
];

impl Population {
    /// Makes `shoppers` with carts over `items`.
    pub(crate) fn new(items: Vec<Item>, made_up: bool, shoppers: usize, seed: u64) -> Self {
        let count = items.len();
        let shoppers = (0..shoppers).map(|n| shopper(n, count, seed)).collect();
        Self {
            items,
            shoppers,
            made_up,
        }
    }

    /// The shopper that a random number falls on.
    pub(crate) fn shopper(&self, random: &mut Random) -> Option<&Shopper> {
        self.shoppers.get(random.below(self.shoppers.len()))
    }

    /// The item that a random number falls on.
    pub(crate) fn item(&self, random: &mut Random) -> Option<&Item> {
        self.items.get(popular(random, self.items.len()))
    }
}

/// Ids carry the seed, so that runs with different seeds do not share shoppers.
fn shopper(number: usize, items: usize, seed: u64) -> Shopper {
    let mut random = Random::of(seed, number as u64);
    let mut pick = |least: usize, most: usize| {
        let count = least + random.below(most - least + 1);
        let mut picked = Vec::with_capacity(count);
        for _ in 0..count {
            let item = popular(&mut random, items);
            if !picked.contains(&item) {
                picked.push(item);
            }
        }
        picked
    };
    Shopper {
        id: format!("load-{seed}-{number}"),
        viewed: pick(2, 8),
        carted: pick(1, 4),
        stored_cart: Vec::new(),
    }
}

/// Few items get most of the interest: the square of an even draw.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count of items in memory, rounded down"
)]
fn popular(random: &mut Random, items: usize) -> usize {
    (random.unit().powi(2) * items as f64) as usize
}

/// Makes `count` items up.
pub(crate) fn items(count: usize, seed: u64) -> Vec<Item> {
    (0..count)
        .map(|n| item(format!("load-item-{n}"), seed, n))
        .collect()
}

fn item(id: String, seed: u64, number: usize) -> Item {
    // The complement keeps items and shoppers on streams of their own.
    let mut random = Random::of(!seed, number as u64);
    let price = 500 + 5 * random.below(4_000);
    Item {
        id,
        price_minor: i64::try_from(price).unwrap_or(500),
        category: format!("load.category{}", random.below(20)),
        brand: BRANDS
            .get(random.below(BRANDS.len()))
            .copied()
            .unwrap_or("alder")
            .to_owned(),
    }
}

/// What is read of a line of a snapshot's `items.jsonl`.
#[derive(Deserialize)]
struct Line {
    item_id: String,
    #[serde(default)]
    price_minor: i64,
    #[serde(default)]
    currency: String,
}

/// Reads item ids from a file: one a line, or a snapshot's `items.jsonl`.
pub(crate) fn read_items(path: &Path, seed: u64) -> anyhow::Result<Vec<Item>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("read {name}"))?;
    let mut items = Vec::new();
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() {
            continue;
        }
        let read = read_item(line, seed, number);
        items.push(read.with_context(|| format!("{name} line {}", number + 1))?);
    }
    ensure!(!items.is_empty(), "{name} names no item");
    Ok(items)
}

fn read_item(line: &str, seed: u64, number: usize) -> anyhow::Result<Item> {
    if !line.starts_with('{') {
        ensure!(
            line.len() <= 128,
            "item id has {} bytes, at most 128 are allowed",
            line.len()
        );
        return Ok(item(line.to_owned(), seed, number));
    }
    let read: Line = serde_json::from_str(line)?;
    let mut item = item(read.item_id, seed, number);
    if read.price_minor > 0 && read.currency == CURRENCY {
        item.price_minor = read.price_minor;
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_shoppers() {
        let make = |seed| Population::new(items(100, seed), true, 50, seed);
        assert_eq!(make(1), make(1));
        assert_ne!(make(1).shoppers[0].carted, make(2).shoppers[0].carted);
    }

    #[test]
    fn every_shopper_has_a_cart_of_items_that_exist() {
        let population = Population::new(items(30, 3), true, 500, 3);
        for shopper in &population.shoppers {
            assert!((1..=4).contains(&shopper.carted.len()));
            assert!(
                shopper
                    .carted
                    .iter()
                    .chain(&shopper.viewed)
                    .all(|at| *at < 30)
            );
        }
    }

    #[test]
    fn reads_plain_ids_and_a_snapshots_items() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("items");
        let json = r#"{"item_id":"b","name":"B","price_minor":1234,"currency":"EUR"}"#;
        std::fs::write(&path, format!("a\n\n{json}\n")).unwrap();
        let items = read_items(&path, 1).unwrap();
        assert_eq!(items[0].id, "a");
        assert_eq!((items[1].id.as_str(), items[1].price_minor), ("b", 1_234));
        std::fs::write(&path, "{\"id\":1}").unwrap();
        let error = format!("{:#}", read_items(&path, 1).unwrap_err());
        assert!(error.contains("line 1: missing field `item_id`"), "{error}");
    }
}
