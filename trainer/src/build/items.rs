//! Items of a table or of JSON lines.

use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array as _, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use snapshot::{Catalogue, CatalogueItem};

use super::unfit;
use crate::Error;
use crate::tables::{Table, Typed};

const TYPED: Typed = Typed {
    texts: &[
        "item_id",
        "name",
        "brand",
        "currency",
        "category",
        "category_path",
    ],
    times: &[],
};

/// The catalogue, and for each of its ordinals the line of the file.
pub(super) fn read(path: &Path) -> Result<(Catalogue, Vec<usize>), Error> {
    let items = match path.extension().and_then(|end| end.to_str()) {
        Some("jsonl" | "ndjson" | "json") => of_lines(path)?,
        Some(_) | None => of_table(path)?,
    };
    if items.is_empty() {
        return Err(unfit(path, "no items"));
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| items[*a].item_id.cmp(&items[*b].item_id));
    Ok((Catalogue::new(items)?, order))
}

fn of_lines(path: &Path) -> Result<Vec<CatalogueItem>, Error> {
    let bytes = super::read(path)?;
    let lines = bytes.split(|&byte| byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    lines
        .map(|(line, at)| {
            let item = serde_json::from_slice(line);
            item.map_err(|error| unfit(path, format!("line {at}: {error}")))
        })
        .collect()
}

fn of_table(path: &Path) -> Result<Vec<CatalogueItem>, Error> {
    let failed = |error: crate::TableError| unfit(path, error.to_string());
    let table = Table::open(path, TYPED).map_err(failed)?;
    table.require("item_id").map_err(failed)?;
    let mut items = Vec::new();
    for batch in table.batches(None).map_err(failed)? {
        let batch = batch.map_err(failed)?;
        let first = items.len();
        items.extend(std::iter::repeat_n(
            CatalogueItem::default(),
            batch.num_rows(),
        ));
        fill(path, &batch, &mut items[first..])?;
    }
    Ok(items)
}

fn fill(path: &Path, batch: &RecordBatch, items: &mut [CatalogueItem]) -> Result<(), Error> {
    texts(path, batch, "item_id", items, |item, text| {
        item.item_id = text
    })?;
    texts(path, batch, "name", items, |item, text| item.name = text)?;
    texts(path, batch, "brand", items, |item, text| item.brand = text)?;
    texts(path, batch, "currency", items, |item, text| {
        item.currency = text
    })?;
    for column in ["category", "category_path"] {
        texts(path, batch, column, items, |item, text| {
            item.category_path = text.split('.').map(str::to_owned).collect();
        })?;
    }
    whole(path, batch, "price_minor", items, |item, minor| {
        item.price_minor = minor
    })?;
    whole(path, batch, "cost_minor", items, |item, minor| {
        item.cost_minor = Some(minor)
    })?;
    if let Some(array) = column(path, batch, "margin_rate", &DataType::Float64)? {
        let rates = array.as_primitive::<Float64Type>().iter();
        let pairs = items.iter_mut().zip(rates);
        pairs.for_each(|(item, rate)| item.margin_rate = rate);
    }
    Ok(())
}

fn column(
    path: &Path,
    batch: &RecordBatch,
    name: &str,
    wanted: &DataType,
) -> Result<Option<arrow_array::ArrayRef>, Error> {
    let Some(array) = batch.column_by_name(name) else {
        return Ok(None);
    };
    let cast = cast(array, wanted);
    let cast = cast.map_err(|error| unfit(path, format!("column {name}: {error}")))?;
    if cast.null_count() > array.null_count() {
        let found = array.data_type();
        let said = format!("column {name} of {found} holds values that are no {wanted}");
        return Err(unfit(path, said));
    }
    Ok(Some(cast))
}

fn texts(
    path: &Path,
    batch: &RecordBatch,
    name: &str,
    items: &mut [CatalogueItem],
    set: impl Fn(&mut CatalogueItem, String),
) -> Result<(), Error> {
    let Some(array) = column(path, batch, name, &DataType::Utf8)? else {
        return Ok(());
    };
    for (item, text) in items.iter_mut().zip(array.as_string::<i32>().iter()) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            set(item, text.to_owned());
        }
    }
    Ok(())
}

fn whole(
    path: &Path,
    batch: &RecordBatch,
    name: &str,
    items: &mut [CatalogueItem],
    set: impl Fn(&mut CatalogueItem, i64),
) -> Result<(), Error> {
    let Some(array) = column(path, batch, name, &DataType::Int64)? else {
        return Ok(());
    };
    for (item, number) in items
        .iter_mut()
        .zip(array.as_primitive::<Int64Type>().iter())
    {
        if let Some(number) = number {
            set(item, number);
        }
    }
    Ok(())
}
