//! What the roles that answer from a snapshot show of it, and of the item table that they follow.

use super::age::{Age, seconds};
use super::declaration::{Declared, Group, Label, Unit};
use super::instrument::Gauge;
use super::registry::{Info, Registry};
use crate::Clock;

static GENERATION: Declared<Info> = Declared::info(
    "generation",
    "The generation that answers; nothing until the first is loaded.",
)
.labels(&[Label::bounded(
    "generation",
    "the id of the snapshot that answers, one at a time",
)]);
static LOADED_AT: Declared<Gauge> = Declared::gauge(
    "generation_loaded_at",
    "When the generation that answers was loaded, in seconds since 1970 by the role's clock.",
)
.unit(Unit::Seconds);
static ITEMS: Declared<Gauge> =
    Declared::gauge("generation_items", "Items of the generation that answers.");

/// The generation that answers.
pub static GENERATION_GROUP: Group = Group {
    title: "Generation",
    about: "",
    metrics: &[
        &GENERATION.declaration,
        &LOADED_AT.declaration,
        &ITEMS.declaration,
    ],
};

/// Says which generation answers. Cloning shares what is said.
#[derive(Clone, Debug)]
pub struct GenerationMetrics {
    info: Info,
    loaded_at: Gauge,
    items: Gauge,
}

impl GenerationMetrics {
    /// Registers the metrics; they say nothing yet.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            info: registry.info(&GENERATION),
            loaded_at: Gauge::default(),
            items: Gauge::default(),
        };
        let loaded_at = metrics.loaded_at.clone();
        registry.watch(&LOADED_AT, move || {
            let at_ms = loaded_at.get();
            (at_ms != 0).then(|| seconds(at_ms))
        });
        let items = metrics.items.clone();
        registry.watch(&ITEMS, move || {
            let items = items.get();
            (items != 0).then(|| f64::from(i32::try_from(items).unwrap_or(i32::MAX)))
        });
        metrics
    }

    /// From now on the generation `id` answers.
    pub fn live(&self, id: &str, loaded_at_ms: i64, items: usize) {
        self.info.say(&[&[id]]);
        self.loaded_at.set(loaded_at_ms);
        self.items.set(i64::try_from(items).unwrap_or(i64::MAX));
    }
}

static CONNECTED: Declared<Gauge> = Declared::gauge(
    "item_table_connected",
    "1 while the item updates of the features role are followed, else 0.",
);
static LAG: Declared<Gauge> = Declared::gauge(
    "item_table_lag",
    "Time since the features role sent the newest item update that was taken in; it sends one every second, changes or not. Nothing before the first.",
)
.unit(Unit::Seconds);

/// The item table that follows the features role.
pub static ITEM_TABLE_GROUP: Group = Group {
    title: "Item table",
    about: "",
    metrics: &[&CONNECTED.declaration, &LAG.declaration],
};

/// How well the features role's item table is followed. Cloning shares the state.
#[derive(Clone, Debug)]
pub struct ItemTableMetrics {
    /// 1 while updates come in.
    pub connected: Gauge,
    /// When the newest update was sent.
    pub heard: Age,
}

impl ItemTableMetrics {
    /// Registers the metrics; `clock` is the role's.
    pub fn register(registry: &mut Registry, clock: Clock) -> Self {
        let metrics = Self {
            connected: registry.one(&CONNECTED),
            heard: Age::default(),
        };
        let heard = metrics.heard.clone();
        registry.watch(&LAG, move || heard.seconds(clock.now_ms()));
        metrics
    }
}
