//! Hot state that is replaced whole while requests read it.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// A value that many requests read and that is now and then replaced as a whole.
///
/// - [`Live::load`] costs one atomic increment (about 10 ns uncontended) and keeps the value alive
///   for as long as the `Arc` lives. Take it once per request and pass it on: two loads in one
///   request may see two generations.
/// - [`Live::store`] never waits for readers, and readers never wait for it. The last reader of
///   the old value drops it, possibly on a request's thread; a value that is expensive to free is
///   for its writer to hold until it is the only owner.
pub struct Live<T>(ArcSwap<T>);

impl<T> Live<T> {
    /// Starts with `value`.
    pub fn new(value: T) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    /// The current value.
    pub fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Replaces the value for all later loads.
    pub fn store(&self, value: Arc<T>) {
        self.0.store(value);
    }

    /// Replaces the value and hands back the one before.
    pub fn swap(&self, value: Arc<T>) -> Arc<T> {
        self.0.swap(value)
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Live").field(&self.load()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_the_value_it_loaded() {
        let live = Live::new(1);
        let before = live.load();
        live.store(Arc::new(2));
        assert_eq!((*before, *live.load()), (1, 2));
    }
}
