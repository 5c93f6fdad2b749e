//! The bytes of a shopper: hand-written protobuf. Field numbers are for ever, and so is reading.
//!
//! Texts are numbers into `symbols`, which is sorted; 0 is the empty text. Lists of events and
//! tiles are columns, so that small differences take a byte. Times are milliseconds.

use prost::Message;

/// Number of the texts' field.
pub(crate) const SYMBOLS: u32 = 2;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Shopper {
    /// 1. First, so that a reader can tell before anything else.
    #[prost(uint32, tag = "1")]
    pub(crate) format: u32,
    #[prost(string, repeated, tag = "2")]
    pub(crate) symbols: Vec<String>,
    #[prost(message, optional, tag = "3")]
    pub(crate) tiles: Option<Tiles>,
    #[prost(message, optional, tag = "4")]
    pub(crate) interests: Option<Interests>,
    #[prost(message, optional, tag = "5")]
    pub(crate) cart: Option<Cart>,
    #[prost(message, optional, tag = "6")]
    pub(crate) history: Option<History>,
    #[prost(message, optional, tag = "7")]
    pub(crate) tail: Option<Tail>,
    #[prost(message, optional, tag = "8")]
    pub(crate) profile: Option<Profile>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) consents: Vec<Consent>,
    /// Where the state went when the shopper was linked to another id.
    #[prost(message, optional, tag = "10")]
    pub(crate) moved: Option<Moved>,
    /// Kept whole for whoever wins carts back.
    #[prost(bytes = "vec", tag = "11")]
    pub(crate) recovery: Vec<u8>,
    /// States of other ids of the same person.
    #[prost(message, repeated, tag = "12")]
    pub(crate) parts: Vec<Part>,
    /// Ids whose states are on their way here.
    #[prost(message, repeated, tag = "13")]
    pub(crate) expected: Vec<Expected>,
    /// What occurred before counts elsewhere.
    #[prost(int64, optional, tag = "14")]
    pub(crate) not_before: Option<i64>,
    /// What rows of this id are sealed with.
    #[prost(message, optional, tag = "15")]
    pub(crate) row_key: Option<RowKey>,
    /// What is left to do of an erasure; nothing else is kept then.
    #[prost(message, optional, tag = "16")]
    pub(crate) erasing: Option<Erasing>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RowKey {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) key: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Erasing {
    #[prost(int64, tag = "1")]
    pub(crate) at: i64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) ids: Vec<ErasedId>,
    /// Ids of the keys to destroy.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(crate) keys: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "4")]
    pub(crate) removed: Option<Removed>,
    #[prost(bool, tag = "5")]
    pub(crate) forgotten: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ErasedId {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    /// Since when the id is by itself: what it did from then on is not the person's.
    #[prost(int64, optional, tag = "2")]
    pub(crate) apart_since: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Removed {
    #[prost(uint64, tag = "1")]
    pub(crate) ids: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) keys: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) cart_lines: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) consents: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) recent_events: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) recovery_bytes: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Moved {
    #[prost(string, tag = "1")]
    pub(crate) to: String,
    #[prost(string, tag = "2")]
    pub(crate) link_id: String,
    /// The state is still here, and may not be there yet.
    #[prost(bool, tag = "3")]
    pub(crate) pending: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Part {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) link_id: String,
    #[prost(int64, tag = "3")]
    pub(crate) linked_at: i64,
    #[prost(int64, optional, tag = "4")]
    pub(crate) closed_at: Option<i64>,
    /// A whole value, of a format of its own.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) state: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Expected {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) link_id: String,
    #[prost(int64, tag = "3")]
    pub(crate) at: i64,
}

/// Columns of numbers, packed: on the wire each is `repeated`, and here the bytes that it is, which are
/// read where they lie ([`super::codec::packed`]).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tail {
    /// `uint64`: differences to the event before; the first one to 0.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) times: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) kinds: Vec<u8>,
    /// `fixed64`.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) ids: Vec<u8>,
    /// `uint32`: positions in the columns of facts below.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) facts: Vec<u8>,
    /// `uint32`; empty when every quantity is 1.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) quantities: Vec<u8>,
    /// `uint32`: positions in `devices`, from 1; 0 = none. Empty when there is no device at all.
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) device_of: Vec<u8>,
    #[prost(fixed64, repeated, tag = "7")]
    pub(crate) devices: Vec<u64>,
    /// `uint32`.
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) items: Vec<u8>,
    /// `uint32`.
    #[prost(bytes = "vec", tag = "9")]
    pub(crate) categories: Vec<u8>,
    /// `uint32`.
    #[prost(bytes = "vec", tag = "10")]
    pub(crate) brands: Vec<u8>,
    /// `uint32`.
    #[prost(bytes = "vec", tag = "11")]
    pub(crate) currencies: Vec<u8>,
    /// `int64`.
    #[prost(bytes = "vec", tag = "12")]
    pub(crate) prices: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tiles {
    #[prost(message, repeated, tag = "1")]
    pub(crate) hours: Vec<Tile>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) days: Vec<Tile>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tile {
    #[prost(sint64, tag = "1")]
    pub(crate) index: i64,
    /// By event kind; zeros at the end are left out.
    #[prost(uint32, repeated, tag = "2")]
    pub(crate) counts: Vec<u32>,
    #[prost(int64, tag = "3")]
    pub(crate) spent_minor: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Interests {
    #[prost(message, repeated, tag = "1")]
    pub(crate) categories: Vec<Interest>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) brands: Vec<Interest>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) bands: Vec<Interest>,
    #[prost(int64, optional, tag = "4")]
    pub(crate) newest_at: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Interest {
    #[prost(uint32, tag = "1")]
    pub(crate) key: u32,
    #[prost(sint64, repeated, tag = "2")]
    pub(crate) days: Vec<i64>,
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) weights: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Cart {
    #[prost(message, repeated, tag = "1")]
    pub(crate) lines: Vec<Line>,
    #[prost(uint64, tag = "2")]
    pub(crate) version: u64,
    #[prost(int64, optional, tag = "3")]
    pub(crate) updated_at: Option<i64>,
    /// Columns of what was taken out; times are differences to the take before, the first one to 0.
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) take_items: Vec<u32>,
    #[prost(sint64, repeated, tag = "5")]
    pub(crate) take_times: Vec<i64>,
    /// 0 for a purchase.
    #[prost(uint32, repeated, tag = "6")]
    pub(crate) take_units: Vec<u32>,
    #[prost(int64, optional, tag = "7")]
    pub(crate) taken_until: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Line {
    #[prost(uint32, tag = "1")]
    pub(crate) item: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) quantity: u32,
    #[prost(int64, tag = "3")]
    pub(crate) price_minor: i64,
    #[prost(uint32, tag = "4")]
    pub(crate) currency: u32,
    #[prost(int64, tag = "5")]
    pub(crate) added_at: i64,
    #[prost(uint32, tag = "6")]
    pub(crate) category: u32,
    #[prost(uint32, tag = "7")]
    pub(crate) brand: u32,
    /// Columns of the adds after the first; times are differences to the add before.
    #[prost(sint64, repeated, tag = "8")]
    pub(crate) later_times: Vec<i64>,
    #[prost(uint32, repeated, tag = "9")]
    pub(crate) later_units: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct History {
    #[prost(int64, optional, tag = "1")]
    pub(crate) first_seen_at: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    pub(crate) last_active_at: Option<i64>,
    /// By event kind; 0 = never.
    #[prost(int64, repeated, tag = "3")]
    pub(crate) last_times: Vec<i64>,
    /// Differences to the interaction before; the first one to 0.
    #[prost(sint64, repeated, tag = "4")]
    pub(crate) recent_times: Vec<i64>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) recent_kinds: Vec<u8>,
    #[prost(uint32, repeated, tag = "6")]
    pub(crate) recent_items: Vec<u32>,
    #[prost(sint64, repeated, tag = "7")]
    pub(crate) message_times: Vec<i64>,
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) message_kinds: Vec<u8>,
    #[prost(message, optional, tag = "9")]
    pub(crate) intervals: Option<Intervals>,
    #[prost(message, optional, tag = "10")]
    pub(crate) session: Option<Session>,
    #[prost(fixed64, repeated, tag = "11")]
    pub(crate) devices: Vec<u64>,
    #[prost(uint64, tag = "12")]
    pub(crate) carted_units: u64,
    #[prost(uint64, tag = "13")]
    pub(crate) bought_units: u64,
    #[prost(int64, tag = "14")]
    pub(crate) bought_minor: i64,
    /// Gaps between two orders and their sum.
    #[prost(uint32, tag = "15")]
    pub(crate) order_gaps: u32,
    #[prost(int64, tag = "16")]
    pub(crate) order_gaps_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Intervals {
    #[prost(uint32, tag = "1")]
    pub(crate) count: u32,
    #[prost(int64, tag = "2")]
    pub(crate) sum_ms: i64,
    #[prost(int64, tag = "3")]
    pub(crate) min_ms: i64,
    #[prost(int64, tag = "4")]
    pub(crate) max_ms: i64,
    #[prost(int64, tag = "5")]
    pub(crate) last_ms: i64,
    #[prost(int64, optional, tag = "6")]
    pub(crate) last_at: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Session {
    #[prost(int64, optional, tag = "1")]
    pub(crate) started_at: Option<i64>,
    #[prost(uint32, tag = "2")]
    pub(crate) events: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) views: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) visits: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Profile {
    #[prost(string, tag = "1")]
    pub(crate) time_zone: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) channels: Vec<String>,
    #[prost(string, tag = "3")]
    pub(crate) jurisdiction: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Consent {
    #[prost(string, tag = "1")]
    pub(crate) purpose: String,
    #[prost(string, tag = "2")]
    pub(crate) channel: String,
    #[prost(bool, tag = "3")]
    pub(crate) granted: bool,
    #[prost(string, tag = "4")]
    pub(crate) wording: String,
    #[prost(int64, tag = "5")]
    pub(crate) at: i64,
    #[prost(string, tag = "6")]
    pub(crate) jurisdiction: String,
}
