//! The whole shop.

use feature_store::{Event, Item};

use crate::arrival::arrive;
use crate::catalogue::Catalogue;
use crate::random::Random;
use crate::shopper::{Shopper, ShopperKind};
use crate::visit::{DAY, Visitor};

/// Size and time of a shop.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub shoppers: usize,
    pub items: usize,
    /// At least one.
    pub days: u32,
    /// Midnight of the first day, in milliseconds since the Unix epoch.
    pub start_ms: i64,
}

impl Default for Options {
    /// The demo's shop: two weeks from Monday, 3 March 2025.
    fn default() -> Self {
        Self {
            shoppers: 600,
            items: 150,
            days: 14,
            start_ms: 1_740_960_000_000,
        }
    }
}

/// A generated shop.
#[derive(Clone, Debug, PartialEq)]
pub struct Shop {
    /// By item id.
    pub items: Vec<Item>,
    /// In the order of their arrival: mostly by time, some late, some twice.
    pub events: Vec<Event>,
    /// By shopper id. Those who never came are among them.
    pub shoppers: Vec<Shopper>,
}

impl Shop {
    /// The same seed and options give the same shop for ever.
    #[must_use]
    pub fn generate(seed: u64, options: Options) -> Self {
        let catalogue = Catalogue::generate(seed, options.items);
        let mut random = Random::new(seed, 2);
        let shoppers: Vec<Shopper> = (0..options.shoppers)
            .map(|number| Shopper::draw(number, &mut random))
            .collect();
        let mut farmers = Random::new(seed, 5);
        let shoppers = farmed(shoppers, &mut farmers);
        let start = options.start_ms;
        let end = start.saturating_add(i64::from(options.days.max(1)).saturating_mul(DAY));
        let mut events = Vec::new();
        for (number, shopper) in shoppers.iter().enumerate() {
            let random = Random::new(random.next(), 3);
            events.extend(Visitor::new(shopper, number, &catalogue, random, (start, end)).live());
        }
        let events = arrive(events, Random::new(seed, 4));
        Self {
            items: catalogue.items,
            events,
            shoppers,
        }
    }

    /// Of which kind a shopper truly is.
    #[must_use]
    pub fn kind_of(&self, shopper_id: &str) -> Option<ShopperKind> {
        self.shoppers
            .iter()
            .find(|shopper| shopper.shopper_id == shopper_id)
            .map(|found| found.kind)
    }

    /// The true probability that a usual cart of the shopper is left for good if nothing is done.
    #[must_use]
    pub fn true_risk(&self, shopper_id: &str) -> Option<f64> {
        self.kind_of(shopper_id).map(ShopperKind::true_risk)
    }
}

fn farmed(shoppers: Vec<Shopper>, random: &mut Random) -> Vec<Shopper> {
    let farmed = |shopper: Shopper, random: &mut Random| Shopper {
        kind: shopper.kind.or_farmer(random),
        ..shopper
    };
    let shoppers = shoppers.into_iter();
    shoppers.map(|shopper| farmed(shopper, random)).collect()
}

/// The shop of the demo.
#[must_use]
pub fn demo(seed: u64) -> Shop {
    Shop::generate(seed, Options::default())
}
