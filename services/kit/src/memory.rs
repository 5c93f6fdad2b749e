//! Giving freed memory back to the system, at a moment of one's own choice.

use std::sync::OnceLock;

static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

/// Says how the process's allocator gives back what is free. Only the first call counts; without
/// one, [`give_back`] does nothing, as with an allocator that does so by itself.
pub fn give_back_by(how: fn()) {
    GIVE_BACK.get_or_init(|| how);
}

/// Gives back what is free. Takes some 100 ms for a GiB: not for a thread that answers.
pub fn give_back() {
    if let Some(how) = GIVE_BACK.get() {
        how();
    }
}
