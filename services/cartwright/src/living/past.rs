//! A snapshot of a living shop, from people of other days.

use std::path::Path;

use feature_store::Event;
use simulator::{Options, What, World};

use crate::reading::Log;
use crate::training::{self, Settings};

/// Enough shoppers to learn from.
const SHOPPERS: usize = 2_000;
const DAYS: u32 = 14;
const BEFORE_MS: i64 = 30 * 24 * 3_600_000;

/// Trains on how people left their carts in the month before, and what they did then.
pub(crate) fn train(seed: u64, world: &World, out: &Path) -> anyhow::Result<()> {
    let options = Options {
        shoppers: SHOPPERS,
        start_ms: world.options().start_ms - BEFORE_MS,
        days: DAYS,
        ..world.options()
    };
    let past = World::new(seed, options);
    let mut events: Vec<Event> = Vec::new();
    for number in 0..SHOPPERS {
        events.extend(past.visit(number).events);
        for act in past.life(number, &[]).acts {
            if let What::Event(event) = act.what {
                events.push(*event);
            }
        }
    }
    events.sort_by_key(|event| (event.occurred_at, event.kind));
    let log = Log {
        events,
        items: world.items().to_vec(),
        bad_lines: 0,
        unreadable: 0,
    };
    let mut settings = Settings::default();
    settings.options.seed = Some(seed);
    settings.options.dimension = Some(16);
    training::train(&log, &settings, out).map(drop)
}
