//! Every dependency may be used under a licence that we accept.

use cargo_metadata::MetadataCommand;

/// Permissive licences, and weak copyleft ones that end at the file.
const ACCEPTED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

/// An SPDX expression is acceptable when some choice of its alternatives is: each alternative of
/// an `OR` (or of the old `/`) counts as a whole, and all parts of an `AND` must be accepted.
fn acceptable(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" AND ").all(|part| {
        part.split(" OR ")
            .any(|licence| ACCEPTED.contains(&licence.trim()))
    })
}

#[test]
fn every_dependency_has_an_accepted_licence() {
    let metadata = MetadataCommand::new().exec().expect("cargo metadata runs");
    let refused: Vec<String> = metadata
        .packages
        .iter()
        .filter(|package| !package.license.as_deref().is_some_and(acceptable))
        .map(|package| {
            format!(
                "{} {}: {:?}",
                package.name, package.version, package.license
            )
        })
        .collect();
    assert!(refused.is_empty(), "not accepted:\n{}", refused.join("\n"));
}

#[test]
fn refuses_strong_copyleft_and_unknown_licences() {
    assert!(acceptable("MIT OR GPL-3.0"));
    assert!(acceptable("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!acceptable("AGPL-3.0"));
    assert!(!acceptable("MIT AND GPL-3.0"));
    assert!(!acceptable(""));
}
