//! A registry with a live generation, and the binary to work on it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use simulator::{Options, Shop};
use snapshot::Snapshot;
use tempfile::TempDir;

/// A snapshot of a generated shop, large enough for an index, trained once for all tests.
pub(crate) fn good() -> &'static Snapshot {
    static GOOD: OnceLock<(TempDir, Snapshot)> = OnceLock::new();
    let (_, snapshot) = GOOD.get_or_init(|| {
        let options = Options {
            shoppers: 500,
            items: 1_500,
            ..Options::default()
        };
        let shop = Shop::generate(7, options);
        let dir = tempfile::tempdir().unwrap();
        let report = trainer::train(
            &shop.events,
            &shop.items,
            &trainer::Options::default(),
            &dir.path().join("good"),
            &mut |_| (),
        );
        (dir, report.unwrap().snapshot)
    });
    snapshot
}

/// What the binary said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Gates that refuse, each once.
    pub(crate) fn refusing(&self) -> Vec<String> {
        let verdicts = self.json()["verdicts"].as_array().unwrap().clone();
        let refusing = verdicts
            .iter()
            .filter(|one| one["passed"] == false && one["forced"] == false);
        let mut gates: Vec<String> = refusing
            .map(|one| one["gate"].as_str().unwrap().to_owned())
            .collect();
        gates.dedup();
        gates
    }
}

pub(crate) fn cartwright(args: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_cartwright"))
        .args(args)
        .output()
        .unwrap();
    Said {
        ok: output.status.success(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A registry in which the good snapshot is live.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) registry: String,
}

impl World {
    /// With nothing in the registry.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = dir.path().join("registry").to_str().unwrap().to_owned();
        Self { dir, registry }
    }

    pub(crate) fn new() -> Self {
        let world = Self::empty();
        world.publish(good().dir());
        let live = world.activate(good().id(), &[]);
        assert!(live.ok, "{live:?}");
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn publish(&self, dir: &Path) -> Said {
        cartwright(&[
            "snapshot",
            "publish",
            text(dir),
            "--registry",
            &self.registry,
            "--json",
        ])
    }

    pub(crate) fn activate(&self, id: &str, force: &[&str]) -> Said {
        let cache = self.path("cache");
        let mut args = vec![
            "snapshot",
            "activate",
            id,
            "--registry",
            &self.registry,
            "--json",
        ];
        args.extend(["--cache", text(&cache), "--why", "a test", "--by", "test"]);
        for gate in force {
            args.extend(["--force", gate]);
        }
        cartwright(&args)
    }

    pub(crate) fn rollback(&self, more: &[&str]) -> Said {
        let mut args = vec![
            "snapshot",
            "rollback",
            "--registry",
            &self.registry,
            "--why",
            "back",
        ];
        args.extend(more);
        cartwright(&args)
    }

    pub(crate) fn history(&self) -> Vec<Value> {
        let said = cartwright(&[
            "snapshot",
            "history",
            "--registry",
            &self.registry,
            "--json",
        ]);
        said.json().as_array().unwrap().clone()
    }

    pub(crate) fn live(&self) -> String {
        let history = self.history();
        history.last().unwrap()["snapshot"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
