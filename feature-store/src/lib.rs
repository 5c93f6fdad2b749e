//! Events, shopper state, windowed features, items, and the two online stores.
//!
//! | module | what it holds |
//! |---|---|
//! | [`time`] | [`Millis`], the one unit of time |
//! | [`event`] | [`Event`], its limits, and why one is refused |
//! | [`state`] | [`Shopper`]: all that is known of a person, folded from events into one value |
//! | [`view`] | [`ShopperView`]: what can be read of a shopper at a moment |
//! | [`features`] | [`Registry`] of named, typed features and the [`Plan`] that computes a list of them |
//! | [`log`] | [`LoggedEvent`], the entry of the event log |
//! | [`replay`] | [`Replay`], which turns a log back into what serving saw |
//! | [`point_in_time`] | [`PointInTime`]: features as `GetFeatures` would have answered them at a past moment |
//! | [`items`] | [`Item`], the in-memory [`ItemTable`], item statistics |
//! | [`erasure`] | [`Tombstone`]: that a shopper was erased, by a keyed hash of the id |
//! | [`store`] | the [`store::Store`] trait and its two engines |
//!
//! State is a function of the set of accepted events, never of the order in which they arrived;
//! the clock is always an argument. Nothing here knows of gRPC or of models.

/// The target of spans that are stages of a request; whoever serves us collects them.
const STAGE: &str = "stage";

/// An id or a name: a short one lies in place, a long one is shared, so that a copy costs little.
pub type Text = smol_str::SmolStr;

pub mod erasure;
pub mod event;
mod facade;
pub mod features;
pub mod items;
pub mod log;
pub mod point_in_time;
pub mod replay;
mod seal;
pub mod state;
pub mod store;
pub mod time;
pub mod view;

pub use erasure::{MacKey, ShopperMac, Tombstone};
pub use event::{Event, EventKind, Outcome, RejectCode, Rejection};
pub use facade::{
    Ages, Changed, DeadLetter, Delivery, Ended, Ender, Erased, ErasuresRead, Exported, Exporter,
    FeatureStore, FoundDecision, Issued, LinkRefusal, Linked, Look, NewOutcome, Reader, Retention,
    Settings, ShopperChange, StoredIssue, StoredShopper, Swapped, Wake,
};
pub use features::{
    EntityKind, FeatureDef, FeatureValue, Plan, Registry, Status, UnknownFeature, Value, ValueType,
};
pub use items::{
    Availability, Item, ItemRejection, ItemRow, ItemStats, ItemTable, ItemUpdate, Tally,
};
pub use log::LoggedEvent;
pub use point_in_time::{Applied, EventLog, PointInTime, Seen};
pub use replay::Replay;
pub use seal::RowKey;
pub use state::{
    ConsentRecord, DecodeError, ProfileUpdate, RecoveryTooLarge, Removed, Shopper, Standing,
};
pub use time::Millis;
pub use view::{
    Cart, CartLine, MessageRecord, OrderGaps, Portrait, Profile, Recent, Session, ShopperView,
};
