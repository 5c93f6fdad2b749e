//! The request that this thread works on right now.

use std::cell::RefCell;

use super::recording::Recording;

/// Recordings of ended requests that a thread keeps for the next ones.
const SPARE: usize = 32;

/// In their boxes, which are used again as well.
type Spares = Vec<Box<Recording>>;

thread_local! {
    static CURRENT: RefCell<Option<Box<Recording>>> = const { RefCell::new(None) };
    static SPARES: RefCell<Spares> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with the recording in the thread's slot, and takes it out again. What is dropped in
/// `work` still finds it.
pub(super) fn within<T>(recording: &mut Option<Box<Recording>>, work: impl FnOnce() -> T) -> T {
    struct Back<'a>(&'a mut Option<Box<Recording>>);
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            swap(self.0);
        }
    }
    if recording.is_none() {
        return work();
    }
    swap(recording);
    let _back = Back(recording);
    work()
}

fn swap(recording: &mut Option<Box<Recording>>) {
    // Fails only while the thread ends, when nothing is recorded any more.
    let _ = CURRENT.try_with(|slot| {
        if let Ok(mut slot) = slot.try_borrow_mut() {
            std::mem::swap(&mut *slot, recording);
        }
    });
}

/// The recording in the slot, if there is one and nobody else is writing to it.
pub(super) fn with<T>(work: impl FnOnce(&mut Recording) -> T) -> Option<T> {
    CURRENT
        .try_with(|slot| slot.try_borrow_mut().ok()?.as_deref_mut().map(work))
        .ok()
        .flatten()
}

/// A used recording, when the thread has one.
pub(super) fn spare() -> Option<Box<Recording>> {
    SPARES
        .try_with(|spares| spares.try_borrow_mut().ok()?.pop())
        .ok()
        .flatten()
}

/// Keeps the memory of a recording for a later request.
pub(super) fn recycle(recording: Box<Recording>) {
    let _ = SPARES.try_with(|spares| {
        if let Ok(mut spares) = spares.try_borrow_mut()
            && spares.len() < SPARE
        {
            spares.push(recording);
        }
    });
}
