//! What a shopper did lately, with the cart's own lines among it.

use std::time::Duration;

use crate::query::{Kind, MAX_RECENT, Recent};

/// Recent items and cart lines (item, age), newest first, as many as a query takes. A line whose
/// addition is among the recent items is not counted again. Serving and training ask with this.
#[must_use]
pub fn interactions<'a>(
    lines: impl IntoIterator<Item = (&'a str, Duration)>,
    recent: Vec<Recent>,
) -> Vec<Recent> {
    let is_new = |item_id: &str| {
        let mut added = recent.iter().filter(|one| one.kind == Kind::Add);
        !added.any(|one| one.item_id == item_id)
    };
    let lines = lines.into_iter().filter(|(item_id, _)| is_new(item_id));
    let mut all: Vec<Recent> = lines
        .map(|(item_id, age)| Recent {
            item_id: item_id.to_owned(),
            kind: Kind::Add,
            age,
        })
        .collect();
    all.extend(recent);
    all.sort_by_key(|one| one.age);
    all.truncate(MAX_RECENT);
    all
}
