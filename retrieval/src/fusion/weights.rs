//! How the sources' lists become one: what training learns, and the defaults without it.

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
}

impl Normalisation {
    pub const ALL: [Self; 3] = [Self::Best, Self::Root, Self::Rank];

    /// `share` is score / best score, above 0 and at most 1.
    #[must_use]
    #[inline]
    pub fn of(self, share: f64, rank: u32) -> f64 {
        match self {
            Self::Best => share,
            Self::Root => share.sqrt(),
            Self::Rank => HALF_RANK / (HALF_RANK + f64::from(rank)),
        }
    }
}

/// The weights of the sources, and how their scores are made comparable.
#[derive(Clone, Debug, PartialEq)]
pub struct FusionWeights {
    pub normalisation: Normalisation,
    /// By [`Source`] as a number; 0 to 1,000.
    pub weights: [f64; Source::COUNT],
    /// Bands of like prices within which popularity counts, beside categories; 0 for none.
    pub price_bands: u32,
}

/// The constants of generations without learned weights.
///
/// Sessions at 1 raise hit rate and MRR of clicks a lot and of baskets a little; at 2 clicks gain
/// another hundredth and nothing else does. `docs/retrieval.md` has the figures. Vectors fitted to
/// little data, with more dimensions than items, rank sharply and wrongly; at a quarter they add
/// items and settle near ties, and cannot turn round what sessions clearly say. Popularity only
/// fills.
impl Default for FusionWeights {
    fn default() -> Self {
        Self {
            normalisation: Normalisation::Best,
            weights: Source::ALL.map(|source| match source {
                Source::Revisit | Source::Rebuy => 1.2,
                Source::Sessions | Source::Covisitation => 1.0,
                Source::Collaborative | Source::Content => 0.25,
                Source::Popularity => 0.0,
            }),
            price_bands: 0,
        }
    }
}

/// `fusion.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    normalisation: Normalisation,
    /// By name, so that a source that comes or goes shifts no other.
    weights: std::collections::BTreeMap<String, f64>,
    #[serde(default)]
    price_bands: u32,
}

impl FusionWeights {
    #[must_use]
    #[inline]
    pub fn of(&self, source: Source) -> f64 {
        self.weights[source as usize]
    }

    /// # Errors
    /// A weight or a number of bands outside the limits.
    pub fn validate(&self) -> Result<(), Error> {
        for (source, weight) in Source::ALL.iter().zip(self.weights) {
            if !(0.0..=MOST).contains(&weight) {
                let detail = format!(
                    "weights.{} is {weight}, 0 to {MOST} is allowed",
                    source.as_str()
                );
                return Err(Error::Misfit { file: FILE, detail });
            }
        }
        if self.price_bands > MOST_BANDS {
            let bands = self.price_bands;
            let detail = format!("price_bands is {bands}, 0 to {MOST_BANDS} is allowed");
            return Err(Error::Misfit { file: FILE, detail });
        }
        Ok(())
    }

    /// # Errors
    /// No JSON of this version, a source that is unknown, a number outside its limits. A source
    /// that the file does not name has its default weight.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let misfit = |detail: String| Error::Misfit { file: FILE, detail };
        let stored: Stored = serde_json::from_slice(json).map_err(|e| misfit(e.to_string()))?;
        if stored.version != VERSION {
            let found = stored.version;
            return Err(misfit(format!("version is {found}, {VERSION} is allowed")));
        }
        let mut parsed = Self {
            normalisation: stored.normalisation,
            price_bands: stored.price_bands,
            ..Self::default()
        };
        for (name, weight) in stored.weights {
            let known = Source::ALL.iter().find(|source| source.as_str() == name);
            let source =
                known.ok_or_else(|| misfit(format!("weights names {name:?}, no source")))?;
            parsed.weights[*source as usize] = weight;
        }
        parsed.validate()?;
        Ok(parsed)
    }

    /// # Errors
    /// Never for valid weights.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        self.validate()?;
        let named = Source::ALL.iter().zip(self.weights);
        let stored = Stored {
            version: VERSION,
            normalisation: self.normalisation,
            weights: named
                .map(|(source, weight)| (source.as_str().to_owned(), weight))
                .collect(),
            price_bands: self.price_bands,
        };
        let mut json = serde_json::to_vec_pretty(&stored).map_err(|e| Error::Misfit {
            file: FILE,
            detail: e.to_string(),
        })?;
        json.push(b'\n');
        Ok(json)
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
        let weights = FusionWeights {
            normalisation: Normalisation::Root,
            price_bands: 4,
            ..FusionWeights::default()
        };
        let read = FusionWeights::parse(&weights.to_json().unwrap()).unwrap();
        assert_eq!(read, weights);
    }

    #[test]
    fn a_source_that_the_file_does_not_name_has_its_default() {
        let json = r#"{"version": 1, "normalisation": "best", "weights": {"sessions": 2.5}}"#;
        let read = FusionWeights::parse(json.as_bytes()).unwrap();
        let default = FusionWeights::default();
        let bits = |weights: &FusionWeights, source| weights.of(source).to_bits();
        assert_eq!(
            bits(&read, Source::Revisit),
            bits(&default, Source::Revisit)
        );
        assert_eq!(bits(&read, Source::Sessions), 2.5_f64.to_bits());
    }

    #[test]
    fn each_mistake_is_named() {
        let with = |weights: &str| {
            format!(r#"{{"version": 1, "normalisation": "best", "weights": {weights}}}"#)
        };
        assert!(
            message(&with(r#"{"sessions": -1}"#)).contains("weights.sessions is -1, 0 to 1000")
        );
        assert!(message(&with(r#"{"magic": 1}"#)).contains("\"magic\", no source"));
        assert!(
            message(r#"{"version": 2, "normalisation": "best", "weights": {}}"#)
                .contains("version is 2")
        );
        assert!(message(&with("{}").replace("best", "worst")).contains("worst"));
    }
}
