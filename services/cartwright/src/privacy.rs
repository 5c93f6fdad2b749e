//! What a snapshot did for the people in its events, in words.

use snapshot::{Manifest, Privacy};

use crate::output;

/// A row of a table each.
pub(crate) fn in_words(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let Some(privacy) = &manifest.privacy else {
        return vec![(
            "privacy",
            "says nothing of the people in its events".to_owned(),
        )];
    };
    vec![("of few people", few(privacy))]
}

fn few(privacy: &Privacy) -> String {
    match privacy.min_people {
        0 | 1 => "pairs and vectors are published whoever made them, be it one person".to_owned(),
        people => format!(
            "{} of fewer than {people} people left out, {} without a vector for that",
            counted(privacy.pairs_left_out, "pair"),
            counted(privacy.items_left_out, "item"),
        ),
    }
}

fn counted(count: u64, what: &str) -> String {
    output::counted(usize::try_from(count).unwrap_or(usize::MAX), what)
}
