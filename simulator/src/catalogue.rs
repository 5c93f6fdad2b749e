//! The items on the shelves.

use feature_store::Item;

use crate::random::Random;
use crate::words::{SHELVES, Shelf};

pub(crate) const CURRENCY: &str = "EUR";
const COMPANIONS: usize = 2;

/// The shop's items with what shoppers know about them.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) items: Vec<Item>,
    /// Places of the items of each shelf.
    pub(crate) shelves: Vec<Vec<usize>>,
    /// Places of the items that are bought along with each item.
    pub(crate) companions: Vec<Vec<usize>>,
}

impl Catalogue {
    pub(crate) fn generate(seed: u64, count: usize) -> Self {
        let mut random = Random::new(seed, 1);
        let mut shelves = vec![Vec::new(); SHELVES.len()];
        let mut items = Vec::with_capacity(count);
        for (place, (number, shelf)) in (0..count).zip(SHELVES.iter().enumerate().cycle()) {
            items.push(item(place, shelf, place / SHELVES.len(), &mut random));
            if let Some(places) = shelves.get_mut(number) {
                places.push(place);
            }
        }
        let companions = companions(count, &shelves, &mut random);
        Self {
            items,
            shelves,
            companions,
        }
    }

    pub(crate) fn shelf_of(place: usize) -> usize {
        place % SHELVES.len()
    }
}

fn item(place: usize, shelf: &Shelf, copy: usize, random: &mut Random) -> Item {
    let price_minor = price(shelf, random);
    let (cost_minor, margin_rate) = margin(shelf, price_minor, random);
    Item {
        item_id: format!("item-{:03}", place + 1),
        name: name(shelf, copy),
        category_path: shelf.path.map(str::to_owned).to_vec(),
        brand: random
            .pick(&shelf.brands)
            .map(|brand| (*brand).to_owned())
            .unwrap_or_default(),
        price_minor,
        currency: CURRENCY.to_owned(),
        cost_minor,
        margin_rate,
        stock: stock(random),
        tags: if random.chance(0.1) {
            vec!["new".to_owned()]
        } else {
            Vec::new()
        },
        unsellable: false,
    }
}

/// Every look of every noun once, as 5 nouns and 6 looks have no common factor; then numbered series.
fn name(shelf: &Shelf, copy: usize) -> String {
    let noun = shelf.nouns[copy % shelf.nouns.len()];
    let look = shelf.looks[copy % shelf.looks.len()];
    match copy / (shelf.nouns.len() * shelf.looks.len()) {
        0 => format!("{look} {noun}"),
        series => format!("{look} {noun} No. {}", series + 1),
    }
}

/// Cheap items are more common than dear ones; prices end in 90 cents.
fn price(shelf: &Shelf, random: &mut Random) -> i64 {
    let (low, high) = shelf.price;
    let first = random.between(low, high + 1);
    let second = random.between(low, high + 1);
    first.min(second) * 100 + 90
}

/// Most costs are known, some as a rate, and some not at all.
fn margin(shelf: &Shelf, price_minor: i64, random: &mut Random) -> (Option<i64>, Option<f64>) {
    let (low, high) = shelf.margin;
    let percent = random.between(low, high + 1);
    match random.below(20) {
        0..=14 => (Some(price_minor * (100 - percent) / 100), None),
        15..=16 => (
            None,
            i32::try_from(percent)
                .ok()
                .map(|percent| f64::from(percent) / 100.0),
        ),
        _ => (None, None),
    }
}

fn stock(random: &mut Random) -> Option<i64> {
    match random.below(40) {
        0 => Some(0),
        1..=3 => Some(random.between(1, 5)),
        4..=5 => None,
        _ => Some(random.between(12, 240)),
    }
}

fn companions(count: usize, shelves: &[Vec<usize>], random: &mut Random) -> Vec<Vec<usize>> {
    let of = |place: usize, random: &mut Random| {
        let other = SHELVES[Catalogue::shelf_of(place)].goes_with;
        let shelf = shelves.get(other).map_or(&[][..], Vec::as_slice);
        let mut chosen: Vec<usize> = (0..COMPANIONS)
            .filter_map(|_| random.pick(shelf).copied())
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    };
    (0..count).map(|place| of(place, random)).collect()
}
