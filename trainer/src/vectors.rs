//! Vectors of items made elsewhere, such as of their images, read from a safetensors file.
//!
//! The file holds one tensor `vectors`, f32 \[n, d\], and in its metadata `ids`, a JSON list of n
//! item ids. Items may be missing from it; ids that the catalogue does not know are left out.

use std::collections::BTreeMap;
use std::path::Path;

use snapshot::{Catalogue, Tensors};

use crate::Error;

const MOST_DIMENSIONS: usize = 4_096;

/// Vectors by item id, for one space.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenVectors {
    name: String,
    rows: BTreeMap<String, Vec<f32>>,
    dimension: usize,
}

impl GivenVectors {
    /// Reads `path` as the space `name`: 1 to 32 lower-case letters, digits and `_`, and none of
    /// the names that training itself uses.
    ///
    /// # Errors
    /// Another name, a file that is not as described, an id that is empty or given twice, a number
    /// that is not finite, a row of zeros.
    pub fn read(name: &str, path: &Path) -> Result<Self, Error> {
        let fail = |detail: String| Error::Vectors {
            space: name.to_owned(),
            detail,
        };
        check_name(name).map_err(fail)?;
        let tensors = Tensors::open(path)?;
        let &[count, dimension] = tensors.shape("vectors")? else {
            let shape = tensors.shape("vectors")?;
            return Err(fail(format!(
                "tensor vectors has shape {shape:?}, allowed is [items, dimensions]"
            )));
        };
        if !(1..=MOST_DIMENSIONS).contains(&dimension) {
            return Err(fail(format!(
                "vectors have {dimension} dimensions, 1 to {MOST_DIMENSIONS} are allowed"
            )));
        }
        let ids = ids(&tensors).map_err(fail)?;
        if ids.len() != count {
            return Err(fail(format!("{} ids for {count} vectors", ids.len())));
        }
        let mut rows = BTreeMap::new();
        for (id, row) in ids
            .into_iter()
            .zip(tensors.f32("vectors")?.chunks_exact(dimension))
        {
            check_row(&id, row).map_err(fail)?;
            if let Some(other) = rows.insert(id.clone(), row.to_vec()) {
                drop(other);
                return Err(fail(format!("id {id:?} is given twice, once is allowed")));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            rows,
            dimension,
        })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Ids that the catalogue does not know.
    #[must_use]
    pub fn unknown(&self, catalogue: &Catalogue) -> usize {
        let ids = self.rows.keys();
        ids.filter(|id| catalogue.ordinal(id).is_none()).count()
    }

    /// What a user should know of ids that no item has.
    pub(crate) fn note(&self, catalogue: &Catalogue) -> Option<String> {
        let unknown = self.unknown(catalogue);
        let (name, all) = (&self.name, self.len());
        (unknown > 0).then(|| {
            format!(
                "space {name}: {unknown} of {all} ids are no item of the catalogue, and left out"
            )
        })
    }

    /// Ids in the file.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Row-major in the order of the catalogue, each row of length 1, and zeros for items that the
    /// file does not have.
    #[must_use]
    pub fn table(&self, catalogue: &Catalogue) -> Vec<f32> {
        let mut table = Vec::with_capacity(catalogue.len() * self.dimension);
        for item in catalogue.items() {
            match self.rows.get(&item.item_id) {
                Some(row) => {
                    let length = length(row);
                    table.extend(row.iter().map(|x| narrow(f64::from(*x) / length)));
                }
                None => table.extend(std::iter::repeat_n(0.0, self.dimension)),
            }
        }
        table
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if [retrieval::files::SPACE, crate::text::SPACE].contains(&name) {
        return Err("the name is used by training itself; give another".to_owned());
    }
    if (1..=32).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(());
    }
    Err("the name of a space is 1 to 32 lower-case letters, digits and _".to_owned())
}

fn ids(tensors: &Tensors) -> Result<Vec<String>, String> {
    let text = tensors.metadata("ids").ok_or(
        "the file's metadata has no ids; save it with metadata={\"ids\": json.dumps(ids)}",
    )?;
    serde_json::from_str(text)
        .map_err(|e| format!("ids in the metadata are no JSON list of texts: {e}"))
}

fn check_row(id: &str, row: &[f32]) -> Result<(), String> {
    if id.is_empty() {
        return Err("an id is empty, each must name an item".to_owned());
    }
    if let Some(bad) = row.iter().find(|x| !x.is_finite()) {
        return Err(format!(
            "the vector of {id:?} holds {bad}, only finite numbers are allowed"
        ));
    }
    if length(row) > 0.0 {
        Ok(())
    } else {
        Err(format!(
            "the vector of {id:?} is all zeros; leave the item out"
        ))
    }
}

fn length(row: &[f32]) -> f64 {
    row.iter()
        .map(|x| f64::from(*x).powi(2))
        .sum::<f64>()
        .sqrt()
}

#[expect(clippy::cast_possible_truncation, reason = "vectors are stored as f32")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use snapshot::{CatalogueItem, TensorData, write_tensors_with};

    use super::*;

    fn file(ids: &str, rows: &[[f32; 2]]) -> tempfile::NamedTempFile {
        let tensor = (
            "vectors",
            vec![rows.len(), 2],
            TensorData::F32(rows.concat()),
        );
        let bytes = write_tensors_with(&[tensor], &[("ids", ids)]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn error(name: &str, ids: &str, rows: &[[f32; 2]]) -> String {
        GivenVectors::read(name, file(ids, rows).path())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn rows_follow_the_catalogue_and_missing_items_are_zeros() {
        let file = file(r#"["b", "zz"]"#, &[[3.0, 4.0], [1.0, 0.0]]);
        let given = GivenVectors::read("image", file.path()).unwrap();
        let item = |id: &str| CatalogueItem {
            item_id: id.to_owned(),
            ..Default::default()
        };
        let catalogue = Catalogue::new(vec![item("a"), item("b")]).unwrap();
        assert_eq!(given.table(&catalogue), [0.0, 0.0, 0.6, 0.8]);
        assert_eq!((given.unknown(&catalogue), given.len()), (1, 2));
    }

    #[test]
    fn each_mistake_is_named() {
        let good = r#"["a", "b"]"#;
        let rows = [[1.0, 0.0], [0.0, 1.0]];
        assert!(error("text", good, &rows).contains("used by training"));
        assert!(error("My Space", good, &rows).contains("1 to 32 lower-case"));
        assert!(error("image", r#"["a"]"#, &rows).contains("1 ids for 2 vectors"));
        assert!(error("image", r#"["a", "a"]"#, &rows).contains("\"a\" is given twice"));
        assert!(error("image", "[1]", &rows).contains("no JSON list of texts"));
        assert!(error("image", good, &[[f32::NAN, 0.0], [0.0, 1.0]]).contains("holds NaN"));
        assert!(error("image", good, &[[0.0, 0.0], [0.0, 1.0]]).contains("all zeros"));
    }
}
