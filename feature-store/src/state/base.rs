//! The base: all that is left of the events before the tail.

use crate::state::affinity::Interests;
use crate::state::cart::CartState;
use crate::state::history::History;
use crate::state::tail::TailEvent;
use crate::state::tiles::Tiles;
use crate::time::Millis;

/// Every part folds one event at a time, in the one order of events, and stays bounded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Base {
    pub(crate) tiles: Tiles,
    pub(crate) interests: Interests,
    pub(crate) cart: CartState,
    pub(crate) history: History,
}

impl Base {
    pub(crate) fn fold(&mut self, event: &TailEvent) {
        self.tiles.fold(event);
        self.fold_but_tiles(event);
    }

    /// For a view, which counts the tail's events exactly and not by tiles.
    pub(crate) fn fold_but_tiles(&mut self, event: &TailEvent) {
        self.interests.fold(event);
        self.cart.fold(event);
        self.history.fold(event);
    }

    /// Drops what no view can reach once the tail begins at `horizon`. It depends on the horizon
    /// alone, so that the moment of pruning leaves no trace.
    pub(crate) fn prune(&mut self, horizon: Millis) {
        self.tiles.prune(horizon);
        self.interests.prune(horizon);
    }
}
