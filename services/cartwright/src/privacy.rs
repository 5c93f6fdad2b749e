//! The people behind snapshots: where the privacy key and the erased come from, and what a snapshot
//! says of it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use feature_store::{ErasuresRead, FeatureStore, MacKey, Millis, ShopperMac, Tombstone};
use serde::Deserialize;
use snapshot::{Manifest, Privacy};
use trainer::People;

use crate::failure::{Failure, OrFail as _};
use crate::{output, stores};

/// A store that is read and not served.
#[derive(Debug, clap::Args)]
#[group(id = "stored", required = true, multiple = true)]
pub(crate) struct Stored {
    /// The folder of an embedded store that no server is using
    #[arg(long, value_name = "DIR", conflicts_with = "redis")]
    store: Option<PathBuf>,
    /// The Redis of a features role
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Separates shops that share one Redis
    #[arg(long, value_name = "TEXT", requires = "redis", default_value = "")]
    key_prefix: String,
}

impl Stored {
    pub(crate) async fn open(&self) -> anyhow::Result<FeatureStore> {
        let redis = self.redis.as_deref();
        stores::open(redis, &self.key_prefix, self.store.as_deref()).await
    }
}

/// What training on files is told of the people in them.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Files {
    /// The deployment's key, from `cartwright privacy key`: past sessions then carry a MAC of their
    /// shopper, by which those of people erased later are taken out of a snapshot that is served
    #[arg(long, value_name = "FILE")]
    privacy_key: Option<PathBuf>,
    /// Who was erased, from `cartwright privacy erased`: what they did is left out
    #[arg(long, value_name = "FILE", requires = "privacy_key")]
    erased: Option<PathBuf>,
}

impl Files {
    pub(crate) fn read(&self) -> anyhow::Result<People> {
        let Some(path) = &self.privacy_key else {
            return Ok(People::default());
        };
        let erased = self.erased.as_deref().map(erased).transpose()?;
        Ok(People::new(key(path)?, erased.as_deref()))
    }
}

fn key(path: &Path) -> anyhow::Result<MacKey> {
    let what = || format!("read {}", path.display());
    let text = std::fs::read_to_string(path)
        .with_context(what)
        .or_usage("`cartwright privacy key` writes the file")?;
    let key = text.trim().parse::<MacKey>().with_context(what);
    key.or_usage("--privacy-key takes a file of 64 hexadecimal digits")
}

/// A line of a file of erased shoppers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    shopper: String,
    erased_at_ms: i64,
}

fn erased(path: &Path) -> anyhow::Result<Vec<Tombstone>> {
    const HINT: &str = "`cartwright privacy erased` writes the file";
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read {}", path.display()))
        .or_usage(HINT)?;
    let lines = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty());
    let parse = |line: &str| -> anyhow::Result<Tombstone> {
        let line: Line = serde_json::from_str(line)?;
        Ok(Tombstone {
            shopper: line.shopper.parse::<ShopperMac>().context("shopper")?,
            erased_at: Millis(line.erased_at_ms),
        })
    };
    lines
        .map(|(line, at)| {
            let parsed = parse(line).with_context(|| format!("{}, line {at}", path.display()));
            parsed.or_usage(HINT)
        })
        .collect()
}

/// Everybody who was erased, as a store knows it.
pub(crate) async fn tombstones(store: &FeatureStore) -> anyhow::Result<Vec<Tombstone>> {
    let (mut read, mut all) = (ErasuresRead::default(), Vec::new());
    loop {
        let page = store
            .erasures(&mut read)
            .await
            .context("read who was erased")?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The people of a store: its key, and whom it erased.
pub(crate) async fn people(store: &FeatureStore) -> anyhow::Result<People> {
    let key = store.mac_key().await.context("read the privacy key")?;
    Ok(People::new(key, Some(&tombstones(store).await?)))
}

/// Refuses two answers to one question.
pub(crate) fn refuse_both(files: &Files) -> anyhow::Result<()> {
    if files.privacy_key.is_some() {
        let message = "--privacy-key is given, and a store that has its own";
        return Err(Failure::usage(message).hint("leave one of them out").into());
    }
    Ok(())
}

/// What a snapshot did for the people in its events, a row of a table each.
pub(crate) fn in_words(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let Some(privacy) = &manifest.privacy else {
        return vec![(
            "privacy",
            "says nothing of the people in its events".to_owned(),
        )];
    };
    vec![
        ("of few people", few(privacy)),
        ("past sessions", sessions(privacy)),
        ("erased shoppers", gone(privacy)),
    ]
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

fn sessions(privacy: &Privacy) -> String {
    match &privacy.sessions_key {
        Some(key) => format!("carry a MAC of their shopper, key {key}"),
        None => {
            "carry no MAC: those of a shopper who is erased stay until the next training".to_owned()
        }
    }
}

fn gone(privacy: &Privacy) -> String {
    match (privacy.erased_shoppers, privacy.erased_events) {
        (Some(shoppers), Some(events)) => format!(
            "{} of {} left out",
            counted(events, "event"),
            counted(shoppers, "erased shopper id"),
        ),
        _ => "nobody said who was erased".to_owned(),
    }
}

fn counted(count: u64, what: &str) -> String {
    output::counted(usize::try_from(count).unwrap_or(usize::MAX), what)
}
