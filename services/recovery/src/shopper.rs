//! What the features role knows of a shopper, as far as decisions need it.

use retrieval::Kind;

use crate::request::CartLine;

/// One shopper at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shopper {
    /// In the order of the generation's feature names; `None` where there is no value, or one
    /// older than its allowed age.
    pub(crate) values: Vec<Option<f64>>,
    pub(crate) cart: Cart,
    /// Newest first.
    pub(crate) recent: Vec<Recent>,
    pub(crate) profile: Profile,
}

/// The stored cart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cart {
    pub(crate) lines: Vec<CartLine>,
    pub(crate) version: u64,
    /// Last event of the shopper of any kind but messages.
    pub(crate) last_active_ms: Option<i64>,
}

/// One of the last interactions with an item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recent {
    pub(crate) item_id: String,
    pub(crate) kind: Kind,
    pub(crate) at_ms: i64,
}

/// What the shopper allows. Empty means that nothing is known, and consent that is not known is
/// denied.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Profile {
    pub(crate) channels: Vec<String>,
    pub(crate) consented_channels: Vec<String>,
    pub(crate) jurisdiction: String,
    pub(crate) messages_7d: u32,
}
