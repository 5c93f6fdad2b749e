//! Files that do not fit are refused when a generation is loaded, by name.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use ann_index::MaskKind;
use retrieval::Model;
use retrieval::files::{read_queries, write_popularity, write_queries};
use snapshot::{Builder, Manifest, Snapshot, files};
use support::shop;

fn refusal(parts: &support::Parts) -> String {
    let (_dir, snapshot) = parts.write();
    Model::load(&snapshot).unwrap_err().to_string()
}

#[test]
fn refuses_tables_of_another_length_than_the_catalogue() {
    let mut parts = shop(50, false);
    parts.popularity.pop();
    assert!(refusal(&parts).contains("scores has shape [49], expected [50]"));
    let mut parts = shop(50, false);
    parts.covisitation.pop();
    assert!(refusal(&parts).contains("covisitation.safetensors does not fit the catalogue"));
    let mut parts = shop(50, false);
    let vectors = &mut parts.embeddings.as_mut().unwrap().vectors;
    vectors.truncate(49 * 8);
    assert!(refusal(&parts).contains("49 vectors for 50 items"));
}

#[test]
fn refuses_neighbours_and_numbers_that_cannot_be() {
    let mut parts = shop(50, false);
    parts.covisitation[3].push((50, 1.0));
    assert!(refusal(&parts).contains("neighbour 50 of 50 items"));
    let mut parts = shop(50, false);
    parts.covisitation[3].push((1, f32::NAN));
    assert!(refusal(&parts).contains("weight NaN"));
    let mut parts = shop(50, false);
    parts.popularity[3] = -1.0;
    assert!(refusal(&parts).contains("score -1"));
}

#[test]
fn a_snapshot_without_a_table_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(dir.path().join("s")).unwrap();
    builder
        .write(files::ITEMS, b"{\"item_id\":\"a\"}\n")
        .unwrap();
    write_popularity(&mut builder, &[1.0]).unwrap();
    let snapshot = builder.finish(Manifest::default()).unwrap();
    let error = Model::load(&snapshot).unwrap_err().to_string();
    assert_eq!(
        error,
        "file covisitation.safetensors is not in this snapshot"
    );
}

#[test]
fn held_out_queries_come_back_with_their_true_neighbours() {
    let parts = shop(100, false);
    let embeddings = parts.embeddings.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(dir.path().join("s")).unwrap();
    let carts = [0, 7]
        .map(|at| embeddings.vectors[at * 8..at * 8 + 8].to_vec())
        .concat();
    let bands = [(1.0, MaskKind::Random), (0.05, MaskKind::Clustered)];
    write_queries(&mut builder, &embeddings, &carts, 10, &bands, 4).unwrap();
    let snapshot: Snapshot = builder.finish(Manifest::default()).unwrap();
    let held_out = read_queries(&snapshot).unwrap();
    assert_eq!(
        (held_out.queries, held_out.dimension, held_out.seed),
        (carts, 8, 4)
    );
    let lengths: Vec<Vec<usize>> = held_out
        .bands
        .iter()
        .map(|band| band.neighbours.iter().map(Vec::len).collect())
        .collect();
    assert_eq!(
        lengths,
        [[10, 10], [5, 5]],
        "five of a hundred rows pass the narrow filter"
    );
    assert_eq!(held_out.bands[1].kind, MaskKind::Clustered);
}
