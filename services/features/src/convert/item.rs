//! Items, their statistics and their changes.

use feature_store::{Availability, Item, ItemRejection, ItemRow};
use proto::v1 as pb;

use super::time;

pub(crate) fn decode(item: pb::Item) -> Item {
    Item {
        item_id: item.item_id,
        name: item.name,
        category_path: item.category_path,
        brand: item.brand,
        price_minor: item.price_minor,
        currency: item.currency,
        cost_minor: item.cost_minor,
        margin_rate: item.margin_rate,
        stock: item.stock,
        tags: item.tags,
        unsellable: item.unsellable,
    }
}

pub(crate) fn encode(item: &Item) -> pb::Item {
    pb::Item {
        item_id: item.item_id.clone(),
        name: item.name.clone(),
        category_path: item.category_path.clone(),
        brand: item.brand.clone(),
        price_minor: item.price_minor,
        currency: item.currency.clone(),
        cost_minor: item.cost_minor,
        margin_rate: item.margin_rate,
        stock: item.stock,
        tags: item.tags.clone(),
        unsellable: item.unsellable,
    }
}

/// What the catalogue says; an item that was only seen in events has nothing but its id.
pub(crate) fn encode_row(row: &ItemRow) -> pb::Item {
    row.item.as_deref().map_or_else(
        || pb::Item {
            item_id: row.item_id.to_string(),
            ..pb::Item::default()
        },
        encode,
    )
}

pub(crate) fn encode_stats(row: &ItemRow) -> pb::ItemStats {
    let stats = row.stats;
    pb::ItemStats {
        item_id: row.item_id.to_string(),
        views_24h: stats.views_24h,
        carts_24h: stats.carts_24h,
        purchases_24h: stats.purchases_24h,
        views_30d: stats.views_30d,
        carts_30d: stats.carts_30d,
        purchases_30d: stats.purchases_30d,
        as_of: Some(time::encode(stats.as_of)),
    }
}

pub(crate) fn decode_availability(change: pb::Availability) -> Availability {
    Availability {
        item_id: change.item_id,
        stock: change.stock,
        price_minor: change.price_minor,
        unsellable: change.unsellable,
    }
}

pub(crate) fn encode_result(outcome: Result<(), ItemRejection>) -> pb::ItemResult {
    use pb::item_result::Status;
    match outcome {
        Ok(()) => pb::ItemResult {
            status: Status::Ok.into(),
            ..pb::ItemResult::default()
        },
        Err(rejection) => {
            let status = if rejection.not_found {
                Status::NotFound
            } else {
                Status::Rejected
            };
            pb::ItemResult {
                status: status.into(),
                reason: rejection.detail,
                field: rejection.field.to_owned(),
            }
        }
    }
}
