//! The key for rows, and what is left to do of an erasure.

use crate::seal::{KeyId, RowKey};
use crate::state::erasing::{ErasedId, Erasing, wire as removed};
use crate::state::{DecodeError, wire};
use crate::time::Millis;

pub(super) fn encode_key(key: &RowKey) -> wire::RowKey {
    wire::RowKey {
        id: key.id.0.to_vec(),
        key: key.secret().to_vec(),
    }
}

pub(super) fn decode_key(wire: &wire::RowKey) -> Result<RowKey, DecodeError> {
    let key = RowKey::from_parts(&wire.id, &wire.key);
    key.ok_or(DecodeError::Corrupt(
        "a key for rows is not 16 and 32 bytes",
    ))
}

pub(super) fn encode(erasing: &Erasing) -> wire::Erasing {
    let id = |erased: &ErasedId| wire::ErasedId {
        id: erased.id.clone(),
        apart_since: erased.apart_since.map(|at| at.0),
    };
    wire::Erasing {
        at: erasing.at.0,
        ids: erasing.ids.iter().map(id).collect(),
        keys: erasing.keys.iter().map(|key| key.0.to_vec()).collect(),
        removed: Some(removed::encode(&erasing.removed)),
        forgotten: erasing.forgotten,
    }
}

pub(super) fn decode(wire: wire::Erasing) -> Result<Erasing, DecodeError> {
    let id = |erased: wire::ErasedId| ErasedId {
        id: erased.id,
        apart_since: erased.apart_since.map(Millis),
    };
    let key = |key: Vec<u8>| {
        let key = <[u8; 16]>::try_from(key.as_slice()).map(KeyId);
        key.map_err(|_| DecodeError::Corrupt("the id of a key is not 16 bytes"))
    };
    Ok(Erasing {
        at: Millis(wire.at),
        ids: wire.ids.into_iter().map(id).collect(),
        keys: wire.keys.into_iter().map(key).collect::<Result<_, _>>()?,
        removed: removed::decode(&wire.removed.unwrap_or_default()),
        forgotten: wire.forgotten,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shopper;
    use crate::state::Removed;

    fn survives(shopper: &Shopper, golden: &[u8]) {
        assert_eq!(shopper.encode(), golden);
        let loaded = Shopper::decode(golden).expect("the golden loads");
        assert_eq!(loaded.row_key, shopper.row_key);
        assert_eq!(loaded.erasing, shopper.erasing);
        assert_eq!(loaded.encode(), golden);
    }

    #[test]
    fn a_key_for_rows_and_an_erasure_are_the_goldens() {
        let shopper = Shopper {
            row_key: RowKey::from_parts(&[1; 16], &[2; 32]),
            ..Shopper::empty()
        };
        let golden = [
            &b"\x08\x04\x7a\x34\x0a\x10"[..],
            &[1; 16],
            b"\x12\x20",
            &[2; 32],
        ];
        survives(&shopper, &golden.concat());
        let id = |id: &str, since: Option<i64>| ErasedId {
            id: id.to_owned(),
            apart_since: since.map(Millis),
        };
        let erasing = |forgotten| Shopper {
            erasing: Some(Box::new(Erasing {
                at: Millis(5),
                ids: vec![id("a", None), id("b", Some(3))],
                keys: vec![KeyId([1; 16])],
                removed: Removed {
                    ids: 3,
                    keys: 1,
                    ..Removed::default()
                },
                forgotten,
            })),
            ..Shopper::empty()
        };
        let golden = [
            &b"\x08\x04\x82\x01\x26\x08\x05\x12\x03\x0a\x01a\x12\x05\x0a\x01b\x10\x03\x1a\x10"[..],
            &[1; 16],
            b"\x22\x04\x08\x03\x10\x01",
        ];
        survives(&erasing(false), &golden.concat());
        // An older version erases whom this one forgets.
        let golden = [
            &b"\x08\x04\x82\x01\x28\x08\x05\x12\x03\x0a\x01a\x12\x05\x0a\x01b\x10\x03\x1a\x10"[..],
            &[1; 16],
            b"\x22\x04\x08\x03\x10\x01\x28\x01",
        ];
        survives(&erasing(true), &golden.concat());
    }
}
