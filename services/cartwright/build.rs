//! Tells the binary from which commit it is built: `CARTWRIGHT_COMMIT` where that is set, as in an
//! image, else the repository's HEAD. A development build is of no commit; were it told one, every
//! commit would build it again.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=CARTWRIGHT_COMMIT");
    let commit = given()
        .or_else(head)
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=CARTWRIGHT_COMMIT={commit}");
}

fn given() -> Option<String> {
    let given = std::env::var_os("CARTWRIGHT_COMMIT")?;
    given
        .into_string()
        .ok()
        .filter(|commit| !commit.trim().is_empty())
}

fn head() -> Option<String> {
    if std::env::var_os("PROFILE")? != "release" {
        return None;
    }
    // It grows with every commit and checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let said = said.trim();
    (output.status.success() && !said.is_empty()).then(|| said.to_owned())
}
