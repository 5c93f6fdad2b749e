//! The way from events to a snapshot.

use std::path::Path;

use feature_store::{Event, Item};

use crate::report::Step;
use crate::{Error, Options, TrainReport};

/// Trains on events, in any order, and writes a snapshot to `out`. The events are cleaned as
/// serving would; `items` go before what events say of items.
pub fn train(
    _events: &[Event],
    _items: &[Item],
    _options: &Options,
    _out: &Path,
    _progress: &mut dyn FnMut(Step),
) -> Result<TrainReport, Error> {
    todo!()
}
