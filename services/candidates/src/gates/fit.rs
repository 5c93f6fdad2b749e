//! Index, catalogue and models speak of the same items, in as many dimensions.

use std::collections::BTreeSet;

use kit::causes::causes;
use retrieval::files::{SESSIONS, SPACE, space_file};
use snapshot::{Catalogue, Error, Snapshot, TensorFile, Verdict, files, gates};

use super::golden::{self, Request};
use crate::role::ROLE;

const ITEMS_BAR: &str = "all files speak of the catalogue's items";
/// In a list of neighbours, no neighbour.
const PADDING: u32 = u32::MAX;

/// Counts and places of items in every file against the catalogue, and the names that stored
/// requests use.
pub(super) fn items(snapshot: &Snapshot) -> Verdict {
    let (measured, passed) = match fit(snapshot) {
        Ok(items) => (format!("{items} items in every file"), true),
        Err(misfit) => (misfit, false),
    };
    Verdict::new(gates::ITEMS, ROLE, measured, ITEMS_BAR, passed)
}

/// The number of items, or the first thing that does not fit. The catalogue is looked through and
/// not loaded: that comes later, and once.
fn fit(snapshot: &Snapshot) -> Result<usize, String> {
    let requests = golden::requests(snapshot).unwrap_or_default();
    let mut unknown: BTreeSet<&str> = requests.iter().flat_map(Request::answered).collect();
    let n = Catalogue::ids(snapshot, &mut |id| {
        unknown.remove(id);
    });
    let n = n.map_err(|error| causes(&error))?;
    let places = [
        (files::COVISITATION, "neighbours"),
        (SESSIONS, "items"),
        (files::QUERIES, "neighbours"),
    ];
    let mut places = places.into_iter();
    let misfit = wrong_count(snapshot, n)
        .or_else(|| places.find_map(|(file, tensor)| wrong_place(snapshot, file, tensor, n)))
        .or_else(|| unknown.first().map(|item| unknown_name(item)));
    misfit.map_or(Ok(n), Err)
}

fn wrong_count(snapshot: &Snapshot, n: usize) -> Option<String> {
    let counts = [
        (files::COVISITATION.to_owned(), "offsets", n + 1),
        (files::POPULARITY.to_owned(), "scores", n),
    ];
    let spaces = snapshot.manifest().spaces.iter();
    let spaces = spaces.map(|space| (space_file(&space.name), "items", n));
    let mut counts = counts.into_iter().chain(spaces);
    counts.find_map(|(file, tensor, expected)| {
        let found = *open(snapshot, &file)?.shape(tensor)?.first()?;
        let said = || format!("{file}: {found} {tensor} for {n} items of the catalogue");
        (found != expected).then(said)
    })
}

/// A file that is not there, or is no tensor file, is for loading to complain about.
fn open(snapshot: &Snapshot, file: &str) -> Option<TensorFile> {
    TensorFile::open(snapshot.file(file).ok()?).ok()
}

fn wrong_place(snapshot: &Snapshot, file: &str, tensor: &str, n: usize) -> Option<String> {
    let mut beyond: Option<u32> = None;
    let mut look = |place: u32| {
        let known = usize::try_from(place).is_ok_and(|place| place < n);
        if !known && place != PADDING {
            beyond = beyond.max(Some(place));
        }
    };
    open(snapshot, file)?.numbers(tensor, &mut look).ok()?;
    let beyond = beyond?;
    Some(format!(
        "{file}: {tensor} names place {beyond} of {n} items of the catalogue"
    ))
}

/// Requests were made from the same catalogue, so each name in an answer is one of its.
fn unknown_name(item: &str) -> String {
    format!(
        "{}: item {item:?} is not in the catalogue",
        files::GOLDEN_RETRIEVE
    )
}

/// Vectors, their index's queries and what folds carts in have the manifest's dimension. `None`
/// without spaces.
pub(super) fn dimension(snapshot: &Snapshot) -> Option<Verdict> {
    let spaces = &snapshot.manifest().spaces;
    if spaces.is_empty() {
        return None;
    }
    let mut said = Vec::new();
    let mut passed = true;
    for space in spaces {
        let expected = usize::try_from(space.dimension).unwrap_or(usize::MAX);
        let file = space_file(&space.name);
        let mut tensors = vec![(file.as_str(), "items")];
        if space.name == SPACE {
            tensors.extend([(file.as_str(), "gram"), (files::QUERIES, "queries")]);
        }
        for (file, tensor) in tensors {
            let found = width(snapshot, file, tensor);
            if let Some(found) = found.filter(|found| *found != expected) {
                passed = false;
                said.push(format!("{file}: {tensor} has {found} dimensions"));
            }
        }
        said.push(format!("{} {expected}", space.name));
    }
    let bar = "the manifest's dimensions";
    Some(Verdict::new(
        gates::DIMENSION,
        ROLE,
        said.join(", "),
        bar,
        passed,
    ))
}

fn width(snapshot: &Snapshot, file: &str, tensor: &str) -> Option<usize> {
    match open(snapshot, file)?.shape(tensor)? {
        &[_, width] => Some(width),
        _ => None,
    }
}

/// Shows each vector of a space's file.
pub(super) fn vectors(
    snapshot: &Snapshot,
    space: &str,
    each: &mut dyn FnMut(&[f32]),
) -> Result<(), Error> {
    TensorFile::open(snapshot.file(&space_file(space))?)?.rows("items", each)
}
