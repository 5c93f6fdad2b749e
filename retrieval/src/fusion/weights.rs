//! How the sources' lists become one: what training learns, and the defaults without it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Source};

/// Layout that this build writes and reads.
const VERSION: u32 = 1;
const FILE: &str = crate::files::FUSION;
const MOST: f64 = 1_000.0;
const MOST_BANDS: u32 = 16;
/// Under [`Normalisation::Rank`] the place with half the weight of the first.
const HALF_RANK: f64 = 10.0;

/// What becomes of a source's score before it is weighted; each gives the source's best item 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// score / best score.
    Best,
    /// Its square root.
    Root,
    /// 10 / (10 + rank), whatever the scores say.
    Rank,
    /// 1 / (1 + rank).
    Reciprocal,
}

impl Normalisation {
    pub const ALL: [Self; 4] = [Self::Best, Self::Root, Self::Rank, Self::Reciprocal];

    /// `share` is score / best score, above 0 and at most 1.
    #[must_use]
    #[inline]
    pub fn of(self, share: f64, rank: u32) -> f64 {
        match self {
            Self::Best => share,
            Self::Root => share.sqrt(),
            Self::Rank => HALF_RANK / (HALF_RANK + f64::from(rank)),
            Self::Reciprocal => 1.0 / (1.0 + f64::from(rank)),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Root => "root",
            Self::Rank => "rank",
            Self::Reciprocal => "reciprocal",
        }
    }
}

/// How much one source counts, and how its scores are made comparable.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceWeight {
    /// 0 to 1,000.
    pub weight: f64,
    pub normalisation: Normalisation,
    /// Share of their weight that interactions of earlier visits keep before this source, 0 to 1;
    /// session neighbours know only whether it is 0. Files from before visits were told apart do
    /// not have it and mean 1.
    #[serde(default = "whole")]
    pub earlier: f32,
}

fn whole() -> f32 {
    1.0
}

impl SourceWeight {
    #[must_use]
    pub fn new(weight: f64, normalisation: Normalisation) -> Self {
        Self {
            weight,
            normalisation,
            earlier: whole(),
        }
    }

    /// The same with another share for earlier visits.
    #[must_use]
    pub fn with_earlier(self, earlier: f32) -> Self {
        Self { earlier, ..self }
    }

    /// What a score adds.
    #[must_use]
    #[inline]
    pub fn of(self, share: f64, rank: u32) -> f64 {
        self.weight * self.normalisation.of(share, rank)
    }
}

/// How much each source counts, and what else the order of candidates depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct FusionWeights {
    /// By [`Source`] as a number. Popularity's scores are used as they are.
    pub sources: [SourceWeight; Source::COUNT],
    /// Share of its weight that revisit gives the item that the shopper dealt with last, above 0
    /// and at most 1. Before scores are made comparable, so that it means nothing where there is no
    /// other item: files of older trainers have it, newer ones `again`.
    pub newest: f32,
    /// Share that the item dealt with last gets of what revisit adds, 0 to 1.
    pub again: f32,
    /// Bands of like prices within which popularity counts, beside categories; 0 for none.
    pub price_bands: u32,
    /// How much each space of content counts beside the others, by its name, 0 to 1,000; 1 for one
    /// that is not named.
    pub spaces: BTreeMap<String, f64>,
}

/// The constants of generations without learned weights.
///
/// Sessions at 1 raise hit rate and MRR of clicks a lot and of baskets a little. Vectors fitted to
/// little data, with more dimensions than items, rank sharply and wrongly; at a quarter they add
/// items and settle near ties, and cannot turn round what sessions clearly say. Popularity only
/// fills.
impl Default for FusionWeights {
    fn default() -> Self {
        let weight = |source| match source {
            Source::Revisit | Source::Rebuy => 1.2,
            Source::Sessions | Source::Covisitation => 1.0,
            Source::Collaborative | Source::Content => 0.25,
            Source::Popularity => 0.0,
        };
        Self {
            sources: Source::ALL
                .map(|source| SourceWeight::new(weight(source), Normalisation::Best)),
            newest: 1.0,
            again: 1.0,
            price_bands: 0,
            spaces: BTreeMap::new(),
        }
    }
}

/// `fusion.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    /// By name, so that a source that comes or goes shifts no other.
    sources: BTreeMap<String, SourceWeight>,
    newest: f32,
    #[serde(default = "whole")]
    again: f32,
    price_bands: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    spaces: BTreeMap<String, f64>,
}

impl FusionWeights {
    #[must_use]
    #[inline]
    pub fn of(&self, source: Source) -> SourceWeight {
        self.sources[source as usize]
    }

    /// Of a space of content.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 1,000, and scores are single"
    )]
    pub fn of_space(&self, name: &str) -> f32 {
        self.spaces.get(name).map_or(1.0, |weight| *weight as f32)
    }

    /// # Errors
    /// A number outside its limits.
    pub fn validate(&self) -> Result<(), Error> {
        let misfit = |detail: String| Err(Error::Misfit { file: FILE, detail });
        for (source, given) in Source::ALL.iter().zip(self.sources) {
            if !(0.0..=MOST).contains(&given.weight) {
                let (name, weight) = (source.as_str(), given.weight);
                return misfit(format!(
                    "sources.{name}.weight is {weight}, 0 to {MOST} is allowed"
                ));
            }
            if !(0.0..=1.0).contains(&given.earlier) {
                let (name, earlier) = (source.as_str(), given.earlier);
                return misfit(format!(
                    "sources.{name}.earlier is {earlier}, 0 to 1 is allowed"
                ));
            }
        }
        let mut spaces = self.spaces.iter();
        if let Some((name, weight)) = spaces.find(|(_, weight)| !(0.0..=MOST).contains(*weight)) {
            return misfit(format!("spaces.{name} is {weight}, 0 to {MOST} is allowed"));
        }
        if !(self.newest > 0.0 && self.newest <= 1.0) {
            let newest = self.newest;
            return misfit(format!("newest is {newest}, above 0 to 1 is allowed"));
        }
        if !(0.0..=1.0).contains(&self.again) {
            let again = self.again;
            return misfit(format!("again is {again}, 0 to 1 is allowed"));
        }
        if self.price_bands > MOST_BANDS {
            let bands = self.price_bands;
            return misfit(format!(
                "price_bands is {bands}, 0 to {MOST_BANDS} is allowed"
            ));
        }
        Ok(())
    }

    /// # Errors
    /// No JSON of this version, a source that is unknown, a number outside its limits. A source
    /// that the file does not name has its default.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let misfit = |detail: String| Error::Misfit { file: FILE, detail };
        let stored: Stored = serde_json::from_slice(json).map_err(|e| misfit(e.to_string()))?;
        if stored.version != VERSION {
            let found = stored.version;
            return Err(misfit(format!("version is {found}, {VERSION} is allowed")));
        }
        let mut parsed = Self {
            newest: stored.newest,
            again: stored.again,
            price_bands: stored.price_bands,
            spaces: stored.spaces,
            ..Self::default()
        };
        for (name, given) in stored.sources {
            let known = Source::ALL.iter().find(|source| source.as_str() == name);
            let source =
                known.ok_or_else(|| misfit(format!("sources names {name:?}, no source")))?;
            parsed.sources[*source as usize] = given;
        }
        parsed.validate()?;
        Ok(parsed)
    }

    /// # Errors
    /// A number outside its limits.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        self.validate()?;
        let named = Source::ALL.iter().zip(self.sources);
        let stored = Stored {
            version: VERSION,
            sources: named
                .map(|(source, given)| (source.as_str().to_owned(), given))
                .collect(),
            newest: self.newest,
            again: self.again,
            price_bands: self.price_bands,
            spaces: self.spaces.clone(),
        };
        let mut json = serde_json::to_vec_pretty(&stored).map_err(|e| Error::Misfit {
            file: FILE,
            detail: e.to_string(),
        })?;
        json.push(b'\n');
        Ok(json)
    }

    /// One line for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let named = Source::ALL.iter().zip(self.sources);
        let shown = named.map(|(source, given)| {
            let how = given.normalisation.as_str();
            let (
                name,
                SourceWeight {
                    weight, earlier, ..
                },
            ) = (source.as_str(), given);
            if earlier < 1.0 {
                format!("{name} {weight} ({how}, earlier visits {earlier})")
            } else {
                format!("{name} {weight} ({how})")
            }
        });
        let shown: Vec<String> = shown.collect();
        format!(
            "{}, newest {}, again {}, price bands {}",
            shown.join(", "),
            self.newest,
            self.again,
            self.price_bands
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> String {
        FusionWeights::parse(json.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut weights = FusionWeights {
            newest: 0.25,
            again: 0.5,
            price_bands: 4,
            spaces: [("image".to_owned(), 0.5)].into(),
            ..FusionWeights::default()
        };
        weights.sources[2] = SourceWeight::new(0.5, Normalisation::Reciprocal).with_earlier(0.25);
        let read = FusionWeights::parse(&weights.to_json().unwrap()).unwrap();
        assert_eq!(read, weights);
    }

    const GOOD: &str = r#"{"version": 1, "newest": 1, "price_bands": 0,
        "sources": {"sessions": {"weight": 2.5, "normalisation": "root"}}}"#;

    #[test]
    fn a_source_that_the_file_does_not_name_has_its_default() {
        let read = FusionWeights::parse(GOOD.as_bytes()).unwrap();
        let default = FusionWeights::default();
        assert_eq!(read.of(Source::Revisit), default.of(Source::Revisit));
        let given = SourceWeight::new(2.5, Normalisation::Root);
        assert_eq!(read.of(Source::Sessions), given);
        assert_eq!(
            (given.earlier, read.again),
            (1.0, 1.0),
            "as before there were shares"
        );
    }

    #[test]
    fn each_mistake_is_named() {
        let wrong = |part: &str, instead: &str| message(&GOOD.replace(part, instead));
        assert!(wrong("2.5", "-1").contains("sources.sessions.weight is -1, 0 to 1000"));
        assert!(wrong("sessions", "magic").contains("\"magic\", no source"));
        assert!(wrong("\"version\": 1", "\"version\": 2").contains("version is 2, 1 is"));
        assert!(wrong("root", "worst").contains("worst"));
        assert!(wrong("\"newest\": 1", "\"newest\": 0").contains("newest is 0, above 0"));
        let earlier = wrong("\"root\"", "\"root\", \"earlier\": 1.5");
        assert!(earlier.contains("sources.sessions.earlier is 1.5, 0 to 1"));
        let again = wrong("\"newest\": 1", "\"newest\": 1, \"again\": -1");
        assert!(again.contains("again is -1, 0 to 1"));
        let spaces = wrong(
            "\"price_bands\": 0",
            "\"price_bands\": 0, \"spaces\": {\"text\": -2}",
        );
        assert!(spaces.contains("spaces.text is -2, 0 to 1000"));
        let bands = wrong("\"price_bands\": 0", "\"price_bands\": 99");
        assert!(bands.contains("price_bands is 99, 0 to 16"));
    }
}
