//! How items lie in the store. Field numbers are for ever.

use bytes::Bytes;
use prost::Message;

use super::Item;
use crate::store::{Error, Key};

#[derive(Clone, PartialEq, Message)]
struct ItemRecord {
    #[prost(string, tag = "1")]
    item_id: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, repeated, tag = "3")]
    category_path: Vec<String>,
    #[prost(string, tag = "4")]
    brand: String,
    #[prost(int64, tag = "5")]
    price_minor: i64,
    #[prost(string, tag = "6")]
    currency: String,
    #[prost(int64, optional, tag = "7")]
    cost_minor: Option<i64>,
    #[prost(double, optional, tag = "8")]
    margin_rate: Option<f64>,
    #[prost(int64, optional, tag = "9")]
    stock: Option<i64>,
    #[prost(string, repeated, tag = "10")]
    tags: Vec<String>,
    #[prost(bool, tag = "11")]
    unsellable: bool,
}

#[derive(Clone, PartialEq, Message)]
struct CatalogRecord {
    #[prost(uint64, tag = "1")]
    version: u64,
    #[prost(message, optional, tag = "2")]
    item: Option<ItemRecord>,
}

impl Item {
    pub(crate) fn encode(&self) -> Bytes {
        ItemRecord::from(self).encode_to_vec().into()
    }

    pub(crate) fn decode(key: &Key, bytes: &[u8]) -> Result<Self, Error> {
        let record = ItemRecord::decode(bytes).map_err(|error| Error::corrupt(key, error))?;
        Ok(record.into())
    }
}

/// An entry of the catalogue log: an item as it became, and the version it has in the store.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct CatalogEntry {
    pub(crate) version: u64,
    pub(crate) item: Item,
}

impl CatalogEntry {
    pub(crate) fn encode(version: u64, item: &Item) -> Bytes {
        let record = CatalogRecord {
            version,
            item: Some(item.into()),
        };
        record.encode_to_vec().into()
    }

    /// `None` when the bytes are not an entry.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let record = CatalogRecord::decode(bytes).ok()?;
        Some(Self {
            version: record.version,
            item: record.item?.into(),
        })
    }
}

impl From<&Item> for ItemRecord {
    fn from(item: &Item) -> Self {
        let item = item.clone();
        Self {
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
}

impl From<ItemRecord> for Item {
    fn from(record: ItemRecord) -> Self {
        Self {
            item_id: record.item_id,
            name: record.name,
            category_path: record.category_path,
            brand: record.brand,
            price_minor: record.price_minor,
            currency: record.currency,
            cost_minor: record.cost_minor,
            margin_rate: record.margin_rate,
            stock: record.stock,
            tags: record.tags,
            unsellable: record.unsellable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Item {
        Item {
            item_id: "1".to_owned(),
            name: "Phone".to_owned(),
            category_path: vec!["electronics".to_owned()],
            brand: "b".to_owned(),
            price_minor: 5,
            currency: "EUR".to_owned(),
            cost_minor: Some(0),
            margin_rate: Some(0.5),
            stock: Some(0),
            tags: vec!["t".to_owned()],
            unsellable: true,
        }
    }

    #[test]
    fn every_field_survives_its_bytes() {
        let key = Key::item("1");
        assert_eq!(Item::decode(&key, &full().encode()), Ok(full()));
        let entry = CatalogEntry::decode(&CatalogEntry::encode(7, &full()));
        assert_eq!(
            entry,
            Some(CatalogEntry {
                version: 7,
                item: full()
            })
        );
    }

    #[test]
    fn an_unreadable_item_names_its_key() {
        let error = Item::decode(&Key::item("1"), b"\xff\xff").expect_err("is corrupt");
        assert!(error.to_string().contains(":i:1 cannot be read"), "{error}");
    }
}
