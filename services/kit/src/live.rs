//! Hot state that is replaced whole while requests read it.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// A value that many requests read and that is now and then replaced as a whole.
///
/// | read | costs | for |
/// |---|---|---|
/// | [`Live::guard`] | no atomic write: a slot of this thread is marked | a look within one function, never across an `await` |
/// | [`Live::load`] | one atomic increment on a line that all readers share, and one decrement | a request, which keeps the value for as long as it lives |
/// | [`Cached::get`] | one comparison while nothing changed | a loop or a task that reads all the time and owns its cache |
///
/// `cargo bench -p kit --bench live` measures them beside each other, alone and with a second
/// reader. Take the value once per request and pass it on: two reads in one request may see two
/// values.
///
/// [`Live::store`] never waits for readers, and readers never wait for it. The last reader of the
/// old value drops it, possibly on a request's thread; a value that is expensive to free is for its
/// writer to hold until it is the only owner.
pub struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Live<T> {
    /// Starts with `value`.
    pub fn new(value: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(value)))
    }

    /// The current value, to keep.
    pub fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// The current value, to look at. Few guards of a thread are free of cost; do not collect them.
    pub fn guard(&self) -> Guarded<T> {
        Guarded(self.0.load())
    }

    /// A reader of its own that notices a change at its next look. Holds on to the value that it
    /// saw last, so whoever caches must go on reading, or go away.
    pub fn cache(&self) -> Cached<T> {
        Cached(arc_swap::Cache::new(self.0.clone()))
    }

    /// Replaces the value for all later reads.
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

/// A look at a [`Live`] value.
pub struct Guarded<T>(arc_swap::Guard<Arc<T>>);

impl<T> Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Guarded").field(&**self).finish()
    }
}

/// One reader's memory of a [`Live`] value.
pub struct Cached<T>(arc_swap::Cache<Arc<ArcSwap<T>>, Arc<T>>);

impl<T> Cached<T> {
    /// The current value.
    pub fn get(&mut self) -> &Arc<T> {
        self.0.load()
    }
}

impl<T> std::fmt::Debug for Cached<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_the_value_it_loaded() {
        let live = Live::new(1);
        let (before, guard, mut cached) = (live.load(), live.guard(), live.cache());
        assert_eq!(**cached.get(), 1);
        live.store(Arc::new(2));
        assert_eq!((*before, *guard, *live.load()), (1, 1, 2));
        assert_eq!(**cached.get(), 2, "a cache follows at its next look");
    }
}
