use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::builder::push_json_line;
use crate::{Error, Snapshot, files};

/// What a generation knows of an item. Empty text and 0 mean unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CatalogueItem {
    pub item_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category_path: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub brand: String,
    pub price_minor: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_rate: Option<f64>,
}

/// The items of a snapshot. An item's place is its ordinal, by which every other file names it.
///
/// Items are in ascending order of their id's bytes, also where ids look like numbers: `10` comes
/// before `9`. So the order of ordinals is the order of ids, and ties by ordinal are ties by id.
#[derive(Clone, PartialEq)]
pub struct Catalogue {
    items: Vec<CatalogueItem>,
    /// Open addressing over `items`, a power of two at least twice their number: an id costs one
    /// hash and about one comparison, and no second copy of its text.
    slots: Vec<u32>,
}

const FREE: u32 = u32::MAX;
/// Bytes of the file that are read at once.
const BUFFER: usize = 1 << 18;

impl Catalogue {
    /// Sorts the items.
    ///
    /// # Errors
    /// An empty or repeated id.
    pub fn new(mut items: Vec<CatalogueItem>) -> Result<Self, Error> {
        items.sort_by(|a, b| a.item_id.cmp(&b.item_id));
        Self::from_sorted(items)
    }

    /// # Errors
    /// When the file is absent or unreadable, a line is not an item, or the order is broken.
    pub fn load(snapshot: &Snapshot) -> Result<Self, Error> {
        let (file, path) = open(snapshot)?;
        Self::read(file, &path)
    }

    fn read(from: impl BufRead, path: &Path) -> Result<Self, Error> {
        let mut items = Vec::new();
        each_line(from, path, |line| {
            items.push(serde_json::from_slice(line)?);
            Ok(())
        })?;
        Self::from_sorted(items)
    }

    /// Shows each id, in memory for one line; returns their number.
    ///
    /// # Errors
    /// When the file is absent or unreadable, or a line names no item.
    pub fn ids(snapshot: &Snapshot, each: &mut dyn FnMut(&str)) -> Result<usize, Error> {
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            item_id: Cow<'a, str>,
        }
        let (file, path) = open(snapshot)?;
        let mut count = 0;
        each_line(file, &path, |line| {
            let named: Named<'_> = serde_json::from_slice(line)?;
            each(&named.item_id);
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    fn from_sorted(items: Vec<CatalogueItem>) -> Result<Self, Error> {
        if u32::try_from(items.len()).map_or(true, |n| n == FREE) {
            return Err(bad(
                0,
                format!("{} items, at most {} are allowed", items.len(), FREE - 1),
            ));
        }
        if items.first().is_some_and(|item| item.item_id.is_empty()) {
            return Err(bad(0, "item_id is empty".into()));
        }
        if let Some(at) = items
            .windows(2)
            .position(|pair| pair[0].item_id >= pair[1].item_id)
        {
            let id = &items[at + 1].item_id;
            return Err(bad(
                at + 1,
                format!("item_id {id:?} repeats or is out of byte order"),
            ));
        }
        let slots = slots_of(&items);
        Ok(Self { items, slots })
    }

    /// The content of `items.jsonl`.
    ///
    /// # Errors
    /// When a margin rate is not a finite number, which JSON cannot hold.
    pub fn to_jsonl(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        for (at, item) in self.items.iter().enumerate() {
            push_json_line(&mut out, item).map_err(|e| bad(at, e.to_string()))?;
        }
        Ok(out)
    }

    #[must_use]
    pub fn items(&self) -> &[CatalogueItem] {
        &self.items
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    #[must_use]
    pub fn get(&self, ordinal: u32) -> Option<&CatalogueItem> {
        self.items.get(usize::try_from(ordinal).ok()?)
    }

    #[must_use]
    pub fn ordinal(&self, item_id: &str) -> Option<u32> {
        let mut at = start(item_id, self.slots.len());
        loop {
            let ordinal = self.slots[at];
            let item = self.get(ordinal)?;
            if item.item_id == item_id {
                return Some(ordinal);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Catalogue({} items)", self.items.len())
    }
}

fn slots_of(items: &[CatalogueItem]) -> Vec<u32> {
    let mut slots = vec![FREE; (items.len() * 2).next_power_of_two()];
    for (ordinal, item) in (0u32..).zip(items) {
        let mut at = start(&item.item_id, slots.len());
        while slots[at] != FREE {
            at = (at + 1) & (slots.len() - 1);
        }
        slots[at] = ordinal;
    }
    slots
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the mask keeps fewer bits than a usize has"
)]
fn start(item_id: &str, slots: usize) -> usize {
    xxh3_64(item_id.as_bytes()) as usize & (slots - 1)
}

fn open(snapshot: &Snapshot) -> Result<(BufReader<File>, PathBuf), Error> {
    let path = snapshot.file(files::ITEMS)?;
    let file = File::open(&path).map_err(Error::io("read", &path))?;
    Ok((BufReader::with_capacity(BUFFER, file), path))
}

/// One line is in memory at a time: all of them would take as much as the items do.
fn each_line(
    mut from: impl BufRead,
    path: &Path,
    mut each: impl FnMut(&[u8]) -> serde_json::Result<()>,
) -> Result<(), Error> {
    let mut line = Vec::new();
    for at in 0.. {
        line.clear();
        let read = from.read_until(b'\n', &mut line);
        if read.map_err(Error::io("read", path))? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if !text.is_empty() {
            each(text).map_err(|e| bad(at, e.to_string()))?;
        }
    }
    Ok(())
}

fn bad(at: usize, detail: String) -> Error {
    Error::Catalogue {
        name: files::ITEMS.to_owned(),
        line: at + 1,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(ids: &[&str]) -> Vec<CatalogueItem> {
        ids.iter()
            .map(|id| CatalogueItem {
                item_id: (*id).into(),
                ..Default::default()
            })
            .collect()
    }

    fn parse(text: &[u8]) -> Result<Catalogue, Error> {
        Catalogue::read(text, Path::new(files::ITEMS))
    }

    #[test]
    fn orders_ids_by_bytes_even_when_they_look_like_numbers() {
        let catalogue = Catalogue::new(items(&["9", "10", "a", "B", "1"])).unwrap();
        let order: Vec<_> = catalogue
            .items()
            .iter()
            .map(|item| item.item_id.as_str())
            .collect();
        assert_eq!(order, ["1", "10", "9", "B", "a"]);
    }

    #[test]
    fn finds_every_item_by_id_and_no_other() {
        let ids: Vec<String> = (0..5_000).map(|n| format!("item-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let catalogue = Catalogue::new(items(&ids)).unwrap();
        for id in ids {
            let ordinal = catalogue.ordinal(id).unwrap();
            assert_eq!(catalogue.get(ordinal).unwrap().item_id, id);
        }
        assert_eq!(catalogue.ordinal("item-5000"), None);
        assert_eq!(Catalogue::new(Vec::new()).unwrap().ordinal("x"), None);
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let mut rows = items(&["a", "b"]);
        rows[0].category_path = vec!["home".into(), "lamp".into()];
        rows[0].margin_rate = Some(0.1 + 0.2);
        rows[1].cost_minor = Some(-1);
        let catalogue = Catalogue::new(rows).unwrap();
        assert_eq!(parse(&catalogue.to_jsonl().unwrap()).unwrap(), catalogue);
    }

    #[test]
    fn refuses_a_repeated_id_a_broken_order_and_a_bad_line() {
        assert!(Catalogue::new(items(&["a", "a"])).is_err());
        assert!(Catalogue::new(items(&[""])).is_err());
        let text = "{\"item_id\":\"b\"}\n{\"item_id\":\"a\"}\n";
        let error = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        let error = parse(b"{\"item_id\":\"b\"}\nnot json\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("items.jsonl line 2"), "{error}");
    }
}
