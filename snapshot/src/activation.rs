use serde::{Deserialize, Serialize};

use crate::{Error, Verdict};

/// Layout of activation records that this build writes, and the highest that it reads.
const RECORD: u32 = 1;

/// Why another generation goes live.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    #[default]
    Activate,
    /// Somebody went back to a generation that was live before.
    Rollback,
    /// A server went back by itself, because the new generation broke its bars.
    Automatic,
}

impl Action {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Rollback => "rollback",
            Self::Automatic => "automatic",
        }
    }
}

/// One record of the sequence that says which generation is live: the highest number counts, and
/// the sequence is the history. A record is never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Activation {
    pub format: u32,
    /// From 1, without gaps.
    pub sequence: u64,
    pub action: Action,
    /// The generation that is live from here on.
    pub snapshot: String,
    /// The one that was live until here.
    pub previous: Option<String>,
    pub at_ms: i64,
    /// Who did it, such as `ann@build-7`.
    pub by: String,
    pub why: String,
    pub verdicts: Vec<Verdict>,
    /// Gates that were gone past although they refused.
    pub forced: Vec<String>,
    /// Generations that may not go live again from here on, unless forced.
    pub blocks: Vec<String>,
}

/// What a record says, before it has its place in the sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewActivation {
    pub action: Action,
    pub snapshot: String,
    pub at_ms: i64,
    pub by: String,
    pub why: String,
    pub verdicts: Vec<Verdict>,
    pub forced: Vec<String>,
    pub blocks: Vec<String>,
}

impl NewActivation {
    /// The record that comes after `before`, or the first one.
    #[cfg(any(test, feature = "registry"))]
    pub(crate) fn after(self, before: Option<&Activation>) -> Activation {
        Activation {
            format: RECORD,
            sequence: before.map_or(1, |before| before.sequence + 1),
            action: self.action,
            snapshot: self.snapshot,
            previous: before.map(|before| before.snapshot.clone()),
            at_ms: self.at_ms,
            by: self.by,
            why: self.why,
            verdicts: self.verdicts,
            forced: self.forced,
            blocks: self.blocks,
        }
    }
}

impl Activation {
    /// # Errors
    /// Text that is no record, one of a later layout, or one with another number than its name.
    pub fn parse(sequence: u64, json: &[u8]) -> Result<Self, Error> {
        let fail = |detail: String| Error::Record { sequence, detail };
        let record: Self = serde_json::from_slice(json).map_err(|e| fail(e.to_string()))?;
        if record.format == 0 || record.format > RECORD {
            let found = record.format;
            return Err(fail(format!(
                "format is {found}, this build reads 1 to {RECORD}"
            )));
        }
        if record.sequence != sequence {
            let found = record.sequence;
            return Err(fail(format!("it says that it is number {found}")));
        }
        Ok(record)
    }

    #[cfg(any(test, feature = "registry"))]
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, Error> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::Record {
            sequence: self.sequence,
            detail: e.to_string(),
        });
        json.map(|mut json| {
            json.push(b'\n');
            json
        })
    }

    /// Name of the gate that keeps a blocked generation out.
    pub const BLOCKED: &'static str = "blocked";

    /// The record that blocks a generation, if the history (in its order) leaves it blocked: the
    /// latest that names it, unless it was forced past that since.
    #[must_use]
    pub fn blocking<'a>(history: &'a [Self], snapshot: &str) -> Option<&'a Self> {
        let mut blocking = None;
        for record in history {
            if record.blocks.iter().any(|id| id == snapshot) {
                blocking = Some(record);
            } else if record.snapshot == snapshot && record.forced_past(Self::BLOCKED) {
                blocking = None;
            }
        }
        blocking
    }

    fn forced_past(&self, gate: &str) -> bool {
        self.forced.iter().any(|forced| forced == gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, snapshot: &str, forced: &[&str], blocks: &[&str]) -> Activation {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Activation {
            sequence,
            snapshot: snapshot.into(),
            forced: texts(forced),
            blocks: texts(blocks),
            ..Activation::default()
        }
    }

    #[test]
    fn a_blocked_generation_stays_blocked_until_it_is_forced() {
        let history = [
            record(1, "a", &[], &[]),
            record(2, "b", &[], &[]),
            record(3, "a", &[], &["b"]),
            record(4, "c", &["recall"], &[]),
        ];
        assert_eq!(Activation::blocking(&history, "b"), Some(&history[2]));
        assert_eq!(Activation::blocking(&history, "a"), None);
        let mut forced = history.to_vec();
        forced.push(record(5, "b", &["blocked"], &[]));
        assert_eq!(Activation::blocking(&forced, "b"), None);
        forced.push(record(6, "a", &[], &["b"]));
        assert_eq!(Activation::blocking(&forced, "b"), Some(&forced[5]));
    }

    #[test]
    fn a_record_reads_back_and_one_from_elsewhere_is_refused() {
        let new = NewActivation {
            snapshot: "a".into(),
            why: "first".into(),
            ..NewActivation::default()
        };
        let first = new.clone().after(None);
        let second = NewActivation {
            snapshot: "b".into(),
            ..new
        }
        .after(Some(&first));
        assert_eq!((first.sequence, second.sequence), (1, 2));
        assert_eq!(second.previous.as_deref(), Some("a"));
        let json = second.to_json().unwrap();
        assert_eq!(Activation::parse(2, &json).unwrap(), second);
        let error = Activation::parse(3, &json).unwrap_err().to_string();
        assert!(error.contains("it says that it is number 2"), "{error}");
        let newer = String::from_utf8(json).unwrap();
        let newer = newer.replace("\"format\": 1", "\"format\": 2");
        let error = Activation::parse(2, newer.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains("reads 1 to 1"), "{error}");
    }
}
