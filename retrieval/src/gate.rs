use ann_index::Bitmap;

const NO_PRICE: i64 = i64::MIN;

/// What can be sold right now: an overlay over a generation's catalogue, by ordinal.
///
/// A gate is built for one generation and read-only while it is used; whoever follows stock and
/// prices swaps in a new one. Copying is two memory copies of a bit and 8 bytes an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    blocked: Bitmap,
    /// Empty until a first live price is set, which is the usual case in tools.
    prices: Vec<i64>,
}

impl Gate {
    /// A gate for `items` items that blocks none.
    #[must_use]
    pub fn open(items: usize) -> Self {
        Self {
            blocked: Bitmap::new(items),
            prices: Vec::new(),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.blocked.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps an item out of every answer: unsellable, or out of stock.
    pub fn block(&mut self, ordinal: u32) {
        self.blocked.set(ordinal);
    }

    pub fn unblock(&mut self, ordinal: u32) {
        self.blocked.clear(ordinal);
    }

    #[must_use]
    pub fn is_blocked(&self, ordinal: u32) -> bool {
        self.blocked.contains(ordinal)
    }

    #[must_use]
    pub fn blocked_count(&self) -> u64 {
        self.blocked.count()
    }

    /// Replaces the catalogue's price in price filters; 0 makes it unknown.
    pub fn set_price(&mut self, ordinal: u32, minor: i64) {
        if self.prices.is_empty() {
            self.prices = vec![NO_PRICE; self.len()];
        }
        if let Some(price) = self.prices.get_mut(ordinal as usize) {
            *price = minor;
        }
    }

    /// The live price, when one was set.
    #[must_use]
    #[inline]
    pub fn price(&self, ordinal: u32) -> Option<i64> {
        self.prices
            .get(ordinal as usize)
            .copied()
            .filter(|&price| price != NO_PRICE)
    }

    pub(crate) fn blocked(&self) -> &Bitmap {
        &self.blocked
    }
}
