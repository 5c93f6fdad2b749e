//! Who visits the shop.

use crate::random::Random;
use crate::words::SHELVES;

/// How a shopper takes to being left alone and to being written to, after the four groups of
/// uplift modelling (Radcliffe and Surry, 1999). Nobody can see it; models may only guess it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShopperKind {
    /// Buys anyway.
    Sure,
    /// Buys more often when reminded.
    Persuadable,
    /// Buys seldom, whatever is done.
    Lost,
    /// Buys less when written to.
    Annoyed,
}

impl ShopperKind {
    /// Every kind.
    pub const ALL: [ShopperKind; 4] = [
        ShopperKind::Sure,
        ShopperKind::Persuadable,
        ShopperKind::Lost,
        ShopperKind::Annoyed,
    ];

    /// Probability that a usual cart of such a shopper is left for good if nothing is done.
    #[must_use]
    pub fn true_risk(self) -> f64 {
        match self {
            ShopperKind::Sure => 0.18,
            ShopperKind::Persuadable => 0.5,
            ShopperKind::Lost => 0.82,
            ShopperKind::Annoyed => 0.45,
        }
    }

    fn draw(random: &mut Random) -> Self {
        match random.below(20) {
            0..=4 => ShopperKind::Sure,
            5..=11 => ShopperKind::Persuadable,
            12..=16 => ShopperKind::Lost,
            _ => ShopperKind::Annoyed,
        }
    }
}

/// A shopper as the simulator knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shopper {
    pub shopper_id: String,
    pub kind: ShopperKind,
}

/// What a shopper likes.
#[derive(Clone, Debug)]
pub(crate) struct Taste {
    /// Shelves, dearest to the heart first.
    pub(crate) shelves: [usize; 2],
    /// Place of the favourite among each shelf's brands.
    pub(crate) brand: usize,
    /// What a cart may usually cost.
    pub(crate) budget_minor: i64,
}

impl Taste {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let first = random.place(SHELVES.len());
        let second = if random.chance(0.5) {
            SHELVES[first].goes_with
        } else {
            random.place(SHELVES.len())
        };
        Self {
            shelves: [first, second],
            brand: random.place(3),
            budget_minor: 100 * random.between(40, 260),
        }
    }
}

impl Shopper {
    pub(crate) fn draw(number: usize, random: &mut Random) -> Self {
        let kind = ShopperKind::draw(random);
        Self {
            shopper_id: format!("shopper-{:04}", number + 1),
            kind,
        }
    }
}
