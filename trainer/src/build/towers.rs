//! Networks that make a shopper's vector, and the runs that made them and the vectors.

use std::path::Path;

use retrieval::write_tower;
use snapshot::Builder;

use super::{Given, read, unfit};
use crate::Error;

/// Towers and runs are of spaces that there are.
pub(super) fn check_names(given: &Given) -> Result<(), Error> {
    let towers = given.towers.iter();
    let towers = towers.map(|(space, path)| (space, path.display().to_string()));
    let runs = given.runs.iter();
    let runs = runs.map(|(space, run)| (space, format!("run {run:?}")));
    match towers
        .chain(runs)
        .find(|(space, _)| !given.embeddings.contains_key(*space))
    {
        None => Ok(()),
        Some((space, file)) => Err(Error::Given {
            file,
            detail: format!("no vectors of a space {space} are given"),
        }),
    }
}

/// The run that made a space's vectors, by their file or by whoever builds.
pub(super) fn run_of(
    given: &Given,
    space: &str,
    path: &Path,
    said: Option<&str>,
) -> Result<Option<String>, Error> {
    match (said, given.runs.get(space)) {
        (Some(said), Some(given)) if said != given => {
            let detail = format!("its vectors are of run {said:?}, and not of {given:?}");
            Err(unfit(path, detail))
        }
        (said, given) => Ok(said.map(str::to_owned).or_else(|| given.cloned())),
    }
}

/// Writes the tower of a space, if it has one: of the run that made the vectors, else the gate would
/// refuse the snapshot.
pub(super) fn write(
    builder: &mut Builder,
    given: &Given,
    space: &str,
    dimension: usize,
    run: Option<&str>,
) -> Result<(), Error> {
    let Some(path) = given.towers.get(space) else {
        return Ok(());
    };
    let id = write_tower(builder, space, &read(path)?, dimension)?;
    match run {
        Some(run) if run == id => Ok(()),
        Some(run) => {
            let detail = format!("a network of run {id:?} for vectors of run {run:?}");
            Err(unfit(path, detail))
        }
        None => {
            let detail = format!(
                "a network of run {id:?}, and nothing says which run made the vectors: their metadata \
                 tower_id, or whoever builds"
            );
            Err(unfit(path, detail))
        }
    }
}
