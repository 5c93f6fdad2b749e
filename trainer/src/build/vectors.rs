//! Vectors of items: NumPy's `.npy`, or safetensors.

use std::path::Path;

use snapshot::{Catalogue, Tensors};

use super::unfit;
use crate::Error;

const MOST_DIMENSIONS: usize = 4_096;

/// Row i for ordinal i; zeros for items without.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<f32>,
    pub(super) dimension: usize,
    /// The run that made them together with a tower, where the file says it.
    pub(super) run: Option<String>,
}

impl Table {
    pub(super) fn of_length_one(&self) -> Vec<f32> {
        let mut rows = self.rows.clone();
        for row in rows.chunks_exact_mut(self.dimension) {
            let length = row
                .iter()
                .map(|&x| f64::from(x).powi(2))
                .sum::<f64>()
                .sqrt();
            if length > 0.0 {
                row.iter_mut()
                    .for_each(|x| *x = super::narrow(f64::from(*x) / length));
            }
        }
        rows
    }
}

/// Without ids in the file, its rows are those of the items file, line by line: `order` has the line
/// of each ordinal.
pub(super) fn read(
    name: &str,
    path: &Path,
    catalogue: &Catalogue,
    order: &[usize],
) -> Result<Table, Error> {
    check_name(name, path)?;
    let raw = match path.extension().and_then(|end| end.to_str()) {
        Some("npy") => npy(path)?,
        Some("safetensors") => safetensors(path)?,
        Some(_) | None => return Err(unfit(path, "allowed are .npy and .safetensors")),
    };
    let Raw {
        numbers,
        dimension,
        ids,
        run,
    } = raw;
    if !(1..=MOST_DIMENSIONS).contains(&dimension) {
        let allowed = format!("{dimension} dimensions, 1 to {MOST_DIMENSIONS} are allowed");
        return Err(unfit(path, allowed));
    }
    let count = numbers.len() / dimension;
    if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
        return Err(unfit(
            path,
            format!("row {} holds a number that is not finite", at / dimension),
        ));
    }
    let line_of = lines(path, ids.as_deref(), count, (catalogue, order))?;
    let mut rows = Vec::with_capacity(catalogue.len() * dimension);
    for line in line_of {
        let row = line.and_then(|line| numbers.get(line * dimension..(line + 1) * dimension));
        match row {
            Some(row) => rows.extend_from_slice(row),
            None => rows.extend(std::iter::repeat_n(0.0, dimension)),
        }
    }
    Ok(Table {
        rows,
        dimension,
        run,
    })
}

/// The row of each ordinal, by the ids of the file or the order of the items.
fn lines(
    path: &Path,
    ids: Option<&[String]>,
    count: usize,
    (catalogue, order): (&Catalogue, &[usize]),
) -> Result<Vec<Option<usize>>, Error> {
    let lines = match ids {
        Some(ids) if ids.len() != count => {
            return Err(unfit(path, format!("{} ids for {count} rows", ids.len())));
        }
        Some(ids) => {
            let mut lines = vec![None; catalogue.len()];
            for (id, line) in ids.iter().zip(0..) {
                let ordinal = catalogue.ordinal(id);
                let unknown = || unfit(path, format!("item {id:?} is not among the items"));
                let ordinal = ordinal.ok_or_else(unknown)?;
                if let Some(place) = lines.get_mut(usize::try_from(ordinal).unwrap_or(usize::MAX)) {
                    *place = Some(line);
                }
            }
            lines
        }
        None if count != catalogue.len() => {
            let items = catalogue.len();
            return Err(unfit(
                path,
                format!("{count} rows for {items} items, and no ids"),
            ));
        }
        None => order.iter().copied().map(Some).collect(),
    };
    Ok(lines)
}

fn check_name(name: &str, path: &Path) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if (1..=32).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    let said = format!("space {name:?}, allowed are 1 to 32 of a-z, 0-9 and _");
    Err(unfit(path, said))
}

struct Raw {
    numbers: Vec<f32>,
    dimension: usize,
    ids: Option<Vec<String>>,
    run: Option<String>,
}

/// One matrix of f32: `vectors`, `items`, or the only tensor there is; ids as a JSON list in the
/// metadata `ids`, and the run that made them as `tower_id`, if any.
fn safetensors(path: &Path) -> Result<Raw, Error> {
    let tensors = Tensors::open(path)?;
    let names: Vec<&str> = tensors.names().collect();
    let name = ["vectors", "items"]
        .into_iter()
        .find(|name| tensors.has(name));
    let name = name.or(match names.as_slice() {
        [only] => Some(*only),
        _ => None,
    });
    let name =
        name.ok_or_else(|| unfit(path, format!("tensors {names:?}, one `vectors` is wanted")))?;
    let &[_, dimension] = tensors.shape(name)? else {
        return Err(unfit(path, format!("tensor {name} is no matrix")));
    };
    let ids = tensors
        .metadata("ids")
        .map(serde_json::from_str)
        .transpose();
    Ok(Raw {
        numbers: tensors.f32(name)?.to_vec(),
        dimension,
        ids: ids.map_err(|error| unfit(path, format!("metadata ids: {error}")))?,
        run: tensors.metadata("tower_id").map(str::to_owned),
    })
}

/// Version 1 to 3 of NumPy's format: `\x93NUMPY`, two bytes of version, the header's length, and a
/// Python dictionary with `descr`, `fortran_order` and `shape`.
fn npy(path: &Path) -> Result<Raw, Error> {
    let bytes = super::read(path)?;
    let no = |what: &str| {
        unfit(
            path,
            format!("{what}: save it with numpy.save(\"E.npy\", rows)"),
        )
    };
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .ok_or_else(|| no("no .npy file"))?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]);
            (usize::try_from(length).unwrap_or(usize::MAX), rest)
        }
        _ => return Err(no("a version of .npy that is not read")),
    };
    let (header, data) = rest
        .split_at_checked(length)
        .ok_or_else(|| no("a file cut short"))?;
    let header = String::from_utf8_lossy(header);
    if !header.contains("'fortran_order': False") {
        return Err(no("columns before rows"));
    }
    let (rows, dimension) = shape(&header).ok_or_else(|| no("no matrix of rows and columns"))?;
    let numbers: Vec<f32> = if header.contains("'<f4'") {
        data.as_chunks()
            .0
            .iter()
            .copied()
            .map(f32::from_le_bytes)
            .collect()
    } else if header.contains("'<f8'") {
        let wide = data.as_chunks().0.iter().copied().map(f64::from_le_bytes);
        wide.map(super::narrow).collect()
    } else {
        return Err(no("numbers that are neither float32 nor float64"));
    };
    if rows.checked_mul(dimension) != Some(numbers.len()) {
        return Err(no("a file cut short"));
    }
    Ok(Raw {
        numbers,
        dimension,
        ids: None,
        run: None,
    })
}

/// `'shape': (3, 4)`
fn shape(header: &str) -> Option<(usize, usize)> {
    let (_, after) = header.split_once("'shape': (")?;
    let (inside, _) = after.split_once(')')?;
    let (rows, columns) = inside.split_once(',')?;
    Some((rows.trim().parse().ok()?, columns.trim().parse().ok()?))
}
