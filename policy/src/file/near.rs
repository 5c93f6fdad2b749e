//! "Did you mean".

use strsim::{damerau_levenshtein, jaro_winkler};

/// Similarity above which a name is worth suggesting.
const ALIKE: f64 = 0.84;

/// The allowed names that a misspelt one probably stands for, best first.
pub(crate) fn matches<'a>(name: &str, allowed: &[&'a str]) -> Vec<&'a str> {
    let mut close: Vec<(usize, &str)> = allowed
        .iter()
        .map(|candidate| (damerau_levenshtein(name, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2 || jaro_winkler(name, candidate) > ALIKE)
        .collect();
    close.sort_unstable();
    close
        .into_iter()
        .take(2)
        .map(|(_, candidate)| candidate)
        .collect()
}

/// The end of a message about an unknown name: what was probably meant, and what is allowed.
pub(crate) fn hint(name: &str, allowed: &[&str]) -> String {
    let meant = match matches(name, allowed).as_slice() {
        [] => String::new(),
        close => format!(", did you mean {}?", quoted(close, " or ")),
    };
    format!("{meant}; allowed are {}", allowed.join(", "))
}

fn quoted(names: &[&str], between: &str) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(between)
}
