//! Checks of a snapshot: whole, and complete enough for decisions about money.

use std::path::Path;

use snapshot::{Catalogue, Snapshot};

use super::Finding;

pub(super) fn examine(dir: &Path) -> Vec<Finding> {
    match Snapshot::open(dir) {
        Err(error) => vec![Finding::fail("snapshot", error.to_string())],
        Ok(snapshot) => vec![checksums(&snapshot), margins(&snapshot)],
    }
}

fn checksums(snapshot: &Snapshot) -> Finding {
    match snapshot.verify() {
        Ok(_) => Finding::ok(
            "snapshot",
            format!("{}: every checksum holds", snapshot.id()),
        ),
        Err(error) => Finding::fail("snapshot", error.to_string()),
    }
}

/// Without a cost or margin the policy file's rate is used and discounts are capped.
fn margins(snapshot: &Snapshot) -> Finding {
    let catalogue = match Catalogue::load(snapshot) {
        Ok(catalogue) => catalogue,
        Err(error) => return Finding::fail("margins", error.to_string()),
    };
    let unknown =
        |item: &&snapshot::CatalogueItem| item.cost_minor.is_none() && item.margin_rate.is_none();
    let missing = catalogue.items().iter().filter(unknown).count();
    let detail = format!(
        "{missing} of {} items have neither cost nor margin",
        catalogue.len()
    );
    if missing == 0 {
        Finding::ok("margins", detail)
    } else {
        Finding::warn(
            "margins",
            format!("{detail}: the policy's rate is used, discounts are capped"),
        )
    }
}
