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
    /// Buys less when written to: a sleeping dog.
    Annoyed,
    /// Waits for a coupon, and buys with one what they would have bought without.
    CouponFarmer,
}

impl ShopperKind {
    /// Every kind.
    pub const ALL: [ShopperKind; 5] = [
        ShopperKind::Sure,
        ShopperKind::Persuadable,
        ShopperKind::Lost,
        ShopperKind::Annoyed,
        ShopperKind::CouponFarmer,
    ];

    /// The name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ShopperKind::Sure => "sure_thing",
            ShopperKind::Persuadable => "persuadable",
            ShopperKind::Lost => "lost_cause",
            ShopperKind::Annoyed => "sleeping_dog",
            ShopperKind::CouponFarmer => "coupon_farmer",
        }
    }

    /// Probability that a usual cart of such a shopper is left for good if nothing is done.
    #[must_use]
    pub fn true_risk(self) -> f64 {
        match self {
            ShopperKind::Sure => 0.18,
            ShopperKind::Persuadable | ShopperKind::CouponFarmer => 0.5,
            ShopperKind::Lost => 0.82,
            ShopperKind::Annoyed => 0.45,
        }
    }

    pub(crate) fn draw(random: &mut Random) -> Self {
        match random.below(20) {
            0..=4 => ShopperKind::Sure,
            5..=11 => ShopperKind::Persuadable,
            12..=16 => ShopperKind::Lost,
            _ => ShopperKind::Annoyed,
        }
    }

    /// One in five of those who look persuadable farms coupons. Nobody who is left alone shows it,
    /// so it is drawn apart and changes nothing that they do.
    pub(crate) fn or_farmer(self, random: &mut Random) -> Self {
        if self == ShopperKind::Persuadable && random.chance(0.2) {
            return ShopperKind::CouponFarmer;
        }
        self
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
        Self {
            shopper_id: format!("shopper-{:04}", number + 1),
            kind: ShopperKind::draw(random),
        }
    }
}
