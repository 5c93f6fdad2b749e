//! Where a value lies: partition, kind and id.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// How many partitions there are. Fixed: it is part of every stored key.
pub const PARTITIONS: u16 = 256;

/// One of [`PARTITIONS`] slices of all shoppers and items; what changes together lies in one.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Partition(u16);

impl Partition {
    /// The partition of a shopper id or of an item id.
    pub fn of(id: &str) -> Self {
        let hash = xxh3_64(id.as_bytes()) % u64::from(PARTITIONS);
        Self(u16::try_from(hash).unwrap_or_default())
    }

    /// `None` from [`PARTITIONS`] on.
    pub fn new(number: u16) -> Option<Self> {
        (number < PARTITIONS).then_some(Self(number))
    }

    /// Every partition, in order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> + Clone {
        (0..PARTITIONS).map(Self)
    }

    /// 0 to 255.
    pub fn number(self) -> u16 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:03}", self.0)
    }
}

/// What a value is.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// All that is known of one shopper.
    Shopper,
    /// One item of the catalogue.
    Item,
    /// Counters of all items over one stretch of time.
    ItemTiles,
    /// How far a reader of a log has come.
    Offset,
    /// One decision, by its id.
    Decision,
    /// The budget of one campaign in one period.
    Budget,
    /// That a report about a decision was taken, by the report's id.
    Outcome,
    /// The text of a policy, by its hash.
    Policy,
    /// An action that its receiver did not take, by the decision's id.
    DeadLetter,
    /// What a coupon code stands for, by its serial.
    Coupon,
    /// A cart that a link brings back, by the link's reference.
    StoredCart,
    /// The campaigns of the shop, all in one value.
    Campaigns,
    /// A secret of the whole deployment, by its name.
    Secret,
    /// What rows of one shopper id are sealed with, by the id of the key.
    RowKey,
    /// That a shopper was erased, by a keyed hash of the id.
    Tombstone,
}

impl Kind {
    /// The part of the key that names the kind. It is stored: never change one.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Shopper => "s",
            Self::Item => "i",
            Self::ItemTiles => "is",
            Self::Offset => "io",
            Self::Decision => "d",
            Self::Budget => "b",
            Self::Outcome => "o",
            Self::Policy => "p",
            Self::DeadLetter => "dl",
            Self::Coupon => "c",
            Self::StoredCart => "rc",
            Self::Campaigns => "cm",
            Self::Secret => "sec",
            Self::RowKey => "k",
            Self::Tombstone => "x",
        }
    }

    /// Whether ids of this kind are of people, or of what one of them did: such an id is never shown.
    fn is_personal(self) -> bool {
        match self {
            Self::Shopper
            | Self::Decision
            | Self::Outcome
            | Self::DeadLetter
            | Self::Coupon
            | Self::StoredCart
            | Self::RowKey
            | Self::Tombstone => true,
            Self::Item
            | Self::ItemTiles
            | Self::Offset
            | Self::Budget
            | Self::Policy
            | Self::Campaigns
            | Self::Secret => false,
        }
    }

    /// Whether [`Store::list`](super::Store::list) knows the ids of this kind. An index costs a
    /// write for each new id, so what there is as much of as of shoppers or messages has none.
    pub fn is_listed(self) -> bool {
        match self {
            Self::Item
            | Self::ItemTiles
            | Self::Decision
            | Self::Budget
            | Self::Policy
            | Self::DeadLetter => true,
            Self::Shopper
            | Self::Offset
            | Self::Outcome
            | Self::Coupon
            | Self::StoredCart
            | Self::Campaigns
            | Self::Secret
            | Self::RowKey
            | Self::Tombstone => false,
        }
    }
}

/// The logs that a partition has.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Log {
    /// Accepted events, in the order of their acceptance.
    Events,
    /// Changes of items.
    Catalog,
    /// Actions to be handed to messaging systems.
    Outbox,
    /// Decisions made.
    Decisions,
    /// What became of actions.
    Outcomes,
    /// Policies that decisions were made by.
    Policies,
    /// Dead letters that are to be delivered again.
    Redriven,
    /// Who was erased.
    Erasures,
}

#[cfg(any(feature = "embedded", feature = "redis"))]
impl Log {
    #[cfg(feature = "embedded")]
    pub(crate) const ALL: [Self; 8] = [
        Self::Events,
        Self::Catalog,
        Self::Outbox,
        Self::Decisions,
        Self::Outcomes,
        Self::Policies,
        Self::Redriven,
        Self::Erasures,
    ];

    /// The part of the key that names the log. It is stored: never change one.
    #[cfg(feature = "redis")]
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Events => "ev",
            Self::Catalog => "cat",
            Self::Outbox => "out",
            Self::Decisions => "dec",
            Self::Outcomes => "oc",
            Self::Policies => "pol",
            Self::Redriven => "rd",
            Self::Erasures => "er",
        }
    }
}

/// Names one value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// Where it lies.
    pub partition: Partition,
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: String,
}

impl Key {
    /// The key of a shopper's state.
    pub fn shopper(id: &str) -> Self {
        Self::new(Partition::of(id), Kind::Shopper, id)
    }

    /// The key of an item.
    pub fn item(id: &str) -> Self {
        Self::new(Partition::of(id), Kind::Item, id)
    }

    pub(crate) fn new(partition: Partition, kind: Kind, id: impl Into<String>) -> Self {
        Self {
            partition,
            kind,
            id: id.into(),
        }
    }
}

/// For messages, which end up in logs: without the id where it is a person's.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = if self.kind.is_personal() {
            "…"
        } else {
            &self.id
        };
        write!(f, "{{{}}}:{}:{id}", self.partition, self.kind.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_message_names_an_item_and_never_a_person() {
        let partition = Partition::of("anna");
        let shown = Key::shopper("anna").to_string();
        assert_eq!(shown, format!("{{{partition}}}:s:…"));
        let personal = [Kind::Decision, Kind::Coupon, Kind::DeadLetter];
        for kind in personal {
            let shown = Key::new(partition, kind, "anna").to_string();
            assert!(!shown.contains("anna"), "{shown}");
        }
        assert!(Key::item("lamp").to_string().ends_with(":i:lamp"));
    }
}
