//! Rows of the answer, each encoded while its values are computed.
//!
//! A hundred shoppers are five thousand values. As messages, each would be built, measured once for
//! every message that it lies in, written and dropped. Here it is written.

use feature_store::{FeatureValue, ShopperView, Value};
use prost::encoding::{self, WireType, encode_key, encode_varint};

use super::feature::{self, EntityId, Included};
use super::time;

/// Bytes that most rows have room in.
const USUAL: usize = 2_048;

/// Numbers of the fields.
mod tag {
    pub(super) const ENTITY: u32 = 1;
    pub(super) const VALUES: u32 = 2;
    pub(super) const CART: u32 = 3;
    pub(super) const RECENT_ITEMS: u32 = 4;
    pub(super) const PROFILE: u32 = 5;

    pub(super) const SHOPPER_ID: u32 = 1;
    pub(super) const ITEM_ID: u32 = 2;

    pub(super) const STATUS: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const INT64: u32 = 3;
    pub(super) const DOUBLE: u32 = 4;
    pub(super) const STRING: u32 = 5;
    pub(super) const STRING_LIST: u32 = 6;
    pub(super) const DOUBLE_LIST: u32 = 7;
    pub(super) const EVENT_TIME: u32 = 8;
    /// Of either list.
    pub(super) const LISTED: u32 = 1;
}

/// A `FeatureRow`, encoded.
pub(crate) fn encode(
    entity: &EntityId,
    values: impl IntoIterator<Item = FeatureValue>,
    view: Option<&ShopperView>,
    include: Included,
) -> Vec<u8> {
    let mut row = Vec::with_capacity(USUAL);
    nest(tag::ENTITY, &mut row, |row| match entity {
        EntityId::Shopper(id) => put_text(tag::SHOPPER_ID, id, row),
        EntityId::Item(id) => put_text(tag::ITEM_ID, id, row),
    });
    for value in values {
        nest(tag::VALUES, &mut row, |row| put_value(&value, row));
    }
    if include.cart {
        encoding::message::encode(tag::CART, &feature::encode_cart(view), &mut row);
    }
    if let Some(view) = view.filter(|_| include.recent_items) {
        let recent: Vec<_> = view.recent.iter().map(feature::encode_recent).collect();
        encoding::message::encode_repeated(tag::RECENT_ITEMS, &recent, &mut row);
    }
    if let Some(view) = view.filter(|_| include.profile) {
        encoding::message::encode(tag::PROFILE, &feature::encode_profile(view), &mut row);
    }
    row
}

fn put_value(value: &FeatureValue, out: &mut Vec<u8>) {
    let status = feature::encode_status(value.status);
    encoding::int32::encode(tag::STATUS, &status.into(), out);
    match &value.value {
        None => {}
        Some(Value::Bool(value)) => encoding::bool::encode(tag::BOOL, value, out),
        Some(Value::Int(value)) => encoding::int64::encode(tag::INT64, value, out),
        Some(Value::Double(value)) => encoding::double::encode(tag::DOUBLE, value, out),
        Some(Value::Text(value)) => put_text(tag::STRING, value, out),
        Some(Value::Texts(values)) => nest(tag::STRING_LIST, out, |list| {
            for value in values {
                put_text(tag::LISTED, value, list);
            }
        }),
        Some(Value::Doubles(values)) => nest(tag::DOUBLE_LIST, out, |list| {
            encoding::double::encode_packed(tag::LISTED, values, list);
        }),
    }
    if let Some(at) = value.event_time {
        encoding::message::encode(tag::EVENT_TIME, &time::encode(at), out);
    }
}

fn put_text(tag: u32, text: &str, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Writes a message before its length is known. Most lengths take the one byte that is left for them;
/// a longer one moves what it measures.
fn nest(tag: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    encode_key(tag, WireType::LengthDelimited, out);
    let place = out.len();
    out.push(0);
    write(out);
    let length = out.len() - place - 1;
    match (u8::try_from(length), out.get_mut(place)) {
        (Ok(length @ ..=0x7f), Some(byte)) => *byte = length,
        _ => {
            let mut prefix = Vec::new();
            encode_varint(length as u64, &mut prefix);
            out.splice(place..=place, prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use feature_store::{Event, EventKind, Millis, Registry, Shopper};
    use prost::Message as _;
    use proto::{EncodedFeaturesResponse, v1 as pb};

    use super::*;

    const START: i64 = 1_700_000_000_000;
    const ALL: Included = Included {
        cart: true,
        recent_items: true,
        profile: true,
    };

    fn somebody() -> ShopperView {
        let mut shopper = Shopper::empty();
        for n in 0..60_i64 {
            let event = Event {
                event_id: n.to_string(),
                shopper_id: "s".into(),
                kind: EventKind::ALL[usize::try_from(n).unwrap() % 5],
                item_id: format!("item-{}", n % 23),
                price_minor: 100 * n + 1,
                currency: "EUR".into(),
                category: format!("home.room-{}", n % 9),
                brand: "märk".repeat(usize::try_from(n % 3).unwrap() * 20),
                occurred_at: Millis(START + n * 3_600_000),
                ..Event::default()
            };
            shopper.apply(&event, event.occurred_at);
        }
        shopper.view(Millis(START + 60 * 3_600_000))
    }

    /// The row as a message.
    fn message(
        entity: &EntityId,
        values: Vec<FeatureValue>,
        view: Option<&ShopperView>,
        include: Included,
    ) -> pb::FeatureRow {
        let id = match entity {
            EntityId::Shopper(id) => pb::entity::Id::ShopperId(id.clone()),
            EntityId::Item(id) => pb::entity::Id::ItemId(id.clone()),
        };
        let recent = view.filter(|_| include.recent_items);
        let recent = recent.map(|view| view.recent.iter().map(feature::encode_recent).collect());
        pb::FeatureRow {
            entity: Some(pb::Entity { id: Some(id) }),
            values: values.into_iter().map(feature::encode_value).collect(),
            cart: include.cart.then(|| feature::encode_cart(view)),
            recent_items: recent.unwrap_or_default(),
            profile: view
                .filter(|_| include.profile)
                .map(feature::encode_profile),
        }
    }

    #[test]
    fn a_row_has_the_bytes_of_its_message() {
        let registry = Registry::standard();
        let names: Vec<&str> = registry.features().iter().map(|def| def.name).collect();
        let plan = registry.plan(&names).unwrap();
        let view = somebody();
        let shopper = EntityId::Shopper("shopper-1".into());
        let item = EntityId::Item("i".repeat(128));
        for (entity, view, include) in [
            (&shopper, Some(&view), ALL),
            (&shopper, Some(&view), Included::default()),
            (&shopper, None, ALL),
            (&item, None, Included::default()),
        ] {
            let values = plan.shopper(view);
            let row = encode(entity, values.clone(), view, include);
            let expected = message(entity, values, view, include);
            assert_eq!(pb::FeatureRow::decode(row.as_slice()).unwrap(), expected);
            assert_eq!(row, expected.encode_to_vec());
        }
    }

    #[test]
    fn a_length_takes_as_many_bytes_as_it_needs() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let text = "x".repeat(length);
            let mut bytes = vec![1, 2, 3];
            nest(6, &mut bytes, |out| out.extend_from_slice(text.as_bytes()));
            let mut expected = vec![1, 2, 3];
            encoding::string::encode(6, &text, &mut expected);
            assert_eq!(bytes, expected, "{length} bytes");
        }
    }

    #[test]
    fn an_answer_of_encoded_rows_is_the_answer() {
        let entity = EntityId::Shopper("s".into());
        let rows = vec![message(&entity, Vec::new(), None, ALL); 2];
        let now = Some(time::encode(Millis(START)));
        let encoded = EncodedFeaturesResponse {
            rows: rows.iter().map(pb::FeatureRow::encode_to_vec).collect(),
            schema_fingerprint: "f".into(),
            now,
        };
        let expected = pb::GetFeaturesResponse {
            rows,
            schema_fingerprint: "f".into(),
            now,
        };
        assert_eq!(encoded.encode_to_vec(), expected.encode_to_vec());
    }
}
