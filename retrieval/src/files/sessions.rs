use snapshot::{Builder, Snapshot, TensorData, Tensors, write_tensors};

use super::SESSIONS;
use crate::sessions::STORED;
use crate::{Error, SessionSettings, SessionTable};

/// Absent where training had no key, and in files of older trainers.
const SHOPPERS: &str = "shoppers";

/// Writes past sessions with how they are to be asked.
///
/// # Errors
/// Settings outside their limits, or a disk error.
pub fn write_sessions(
    builder: &mut Builder,
    table: &SessionTable,
    settings: SessionSettings,
) -> Result<(), Error> {
    settings.validate()?;
    let SessionTable {
        offsets,
        items,
        ended,
        shoppers,
    } = table.clone();
    let settings = settings.to_numbers().to_vec();
    let mut tensors = vec![
        ("offsets", vec![offsets.len()], TensorData::U64(offsets)),
        ("items", vec![items.len()], TensorData::U32(items)),
        ("ended", vec![ended.len()], TensorData::U64(ended)),
        ("settings", vec![STORED], TensorData::F32(settings)),
    ];
    if !shoppers.is_empty() {
        let shape = vec![shoppers.len()];
        tensors.push((SHOPPERS, shape, TensorData::U64(shoppers)));
    }
    Ok(builder.write(SESSIONS, &write_tensors(&tensors)?)?)
}

/// `None` when the snapshot has no such file.
pub(crate) fn read_sessions(
    snapshot: &Snapshot,
) -> Result<Option<(SessionTable, SessionSettings)>, Error> {
    if !snapshot.has(SESSIONS) {
        return Ok(None);
    }
    let mut tensors = Tensors::open(snapshot.file(SESSIONS)?)?;
    tensors.expect_shape("settings", &[STORED])?;
    let shoppers = if tensors.has(SHOPPERS) {
        tensors.take_u64(SHOPPERS)?
    } else {
        Vec::new()
    };
    let table = SessionTable {
        shoppers,
        offsets: tensors.take_u64("offsets")?,
        items: tensors.take_u32("items")?,
        ended: tensors.take_u64("ended")?,
    };
    let mut numbers = [0.0; STORED];
    numbers.copy_from_slice(tensors.f32("settings")?);
    Ok(Some((table, SessionSettings::from_numbers(numbers))))
}
