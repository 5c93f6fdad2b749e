//! What is asked for, once its fields are known to be good.

use std::collections::BTreeMap;

use policy::sequence::{Kind, StepKey};

/// One question: what to do about this shopper's cart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Request {
    /// Empty for a preview without one.
    pub(crate) request_id: String,
    pub(crate) shopper_id: String,
    /// Replaces the stored cart unless empty.
    pub(crate) cart: Vec<CartLine>,
    pub(crate) context: Context,
    /// The server's clock when absent.
    pub(crate) now_ms: Option<i64>,
    /// The live generation when empty.
    pub(crate) generation: String,
    pub(crate) mode: Mode,
    pub(crate) occasion: Occasion,
}

/// What a decision is made for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Somebody asks.
    #[default]
    Asked,
    /// A step of recovery came due.
    Due { key: StepKey, left: Kind },
}

/// Whether the answer is kept.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Writes nothing.
    #[default]
    Preview,
    /// Writes the decision log, once per request id.
    Commit,
}

impl Mode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Commit => "commit",
        }
    }
}

/// Where the shopper is right now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Context {
    pub(crate) channel: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// One line of a cart, stored or given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CartLine {
    pub(crate) item_id: String,
    /// At least 1.
    pub(crate) quantity: u32,
    /// Price of one unit; 0 when unknown.
    pub(crate) price_minor: i64,
    pub(crate) currency: String,
    pub(crate) added_at_ms: Option<i64>,
    pub(crate) category: String,
    pub(crate) brand: String,
}

/// The question of `Rank`: in which order to show these items.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RankRequest {
    /// Empty when the cart is given.
    pub(crate) shopper_id: String,
    pub(crate) cart: Vec<CartLine>,
    pub(crate) item_ids: Vec<String>,
    pub(crate) generation: String,
    pub(crate) now_ms: Option<i64>,
}
