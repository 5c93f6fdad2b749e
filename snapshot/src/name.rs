//! Which file names a snapshot may hold.

use crate::{Error, MANIFEST};

/// Accepts relative names of plain parts separated by `/`, so that a manifest from elsewhere can
/// never make a reader or a writer leave the snapshot's folder.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    match problem(name) {
        Some(reason) => Err(Error::Name {
            name: name.to_owned(),
            reason,
        }),
        None => Ok(()),
    }
}

fn problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name == MANIFEST {
        return Some("the manifest does not list itself");
    }
    if name.starts_with('/') {
        return Some("it is absolute");
    }
    if name.contains(['\\', ':', '\0']) {
        return Some("it holds a backslash, a colon or a zero byte");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("a part is empty, `.` or `..`");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_relative_names() {
        for name in ["items.jsonl", "embeddings/collab.safetensors", "a/b/c..d"] {
            assert!(check(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn refuses_names_that_could_leave_the_folder() {
        for name in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "./a",
            "a\\b",
            "c:x",
            "a/",
            MANIFEST,
        ] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
