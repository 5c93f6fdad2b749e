//! A file of logged decisions: JSON, a line each, the policies that they name before them.

use serde::{Deserialize, Serialize};

use super::{Record, ReplayError, decode, hex};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// A policy that decisions of the file name by its content.
    Policy {
        /// [`policy::Policy::id`] in hexadecimal digits.
        id: String,
        /// The file.
        toml: String,
    },
    /// A decision.
    Decision {
        /// For people and tools that look for one; the record says the same.
        decision_id: String,
        /// The entry of the log in hexadecimal digits.
        record: String,
    },
    /// Decisions whose records nobody can read: they were sealed with keys that are destroyed.
    Erased {
        /// How many.
        decisions: u64,
    },
}

/// Why a line is none.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not JSON of either form.
    #[error("it is no line of this format: {0}")]
    Json(#[from] serde_json::Error),
    /// The record is not in hexadecimal digits.
    #[error("record is not made of pairs of hexadecimal digits")]
    Hex,
    /// The record is no record.
    #[error(transparent)]
    Record(#[from] ReplayError),
    /// The text of a policy is not the one that its id names.
    #[error("the policy {id} has another text")]
    Text {
        /// The id that the line says.
        id: String,
    },
}

impl Line {
    /// The line of a policy.
    #[must_use]
    pub fn policy(toml: &str) -> Self {
        Self::Policy {
            id: hex(&policy::Policy::id_of(toml)),
            toml: toml.to_owned(),
        }
    }

    /// The line of an entry of the decision log.
    #[must_use]
    pub fn decision(decision_id: &str, entry: &[u8]) -> Self {
        Self::Decision {
            decision_id: decision_id.to_owned(),
            record: hex(entry),
        }
    }

    /// Reads a line; the text of a policy is checked against its id.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &str) -> Result<Self, LineError> {
        let line: Self = serde_json::from_str(text)?;
        match &line {
            Self::Policy { id, toml } if *id != hex(&policy::Policy::id_of(toml)) => {
                Err(LineError::Text { id: id.clone() })
            }
            Self::Policy { .. } | Self::Decision { .. } | Self::Erased { .. } => Ok(line),
        }
    }

    /// As it is written.
    ///
    /// # Errors
    /// None that these texts can cause.
    pub fn write(&self) -> Result<String, LineError> {
        Ok(serde_json::to_string(self)?)
    }

    /// The record of a decision.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn record(record: &str) -> Result<Record, LineError> {
        Ok(decode(&bytes(record).ok_or(LineError::Hex)?)?)
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|one| one.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let byte = |pair: &[u8]| pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    Some(pairs.map(byte).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_first_form_load_and_are_written_so() {
        let policy = "{\"policy\":{\"id\":\"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262\",\"toml\":\"\"}}";
        assert_eq!(Line::policy("").write().unwrap(), policy);
        assert_eq!(Line::read(policy).unwrap(), Line::policy(""));
        let decision = r#"{"decision":{"decision_id":"d1","record":"0801"}}"#;
        assert_eq!(Line::decision("d1", b"\x08\x01").write().unwrap(), decision);
        assert_eq!(
            Line::read(decision).unwrap(),
            Line::decision("d1", b"\x08\x01")
        );
        assert_eq!(Line::record("0801").unwrap().format, 1);
        let other = policy.replace("\"toml\":\"\"", "\"toml\":\"x\"");
        assert!(matches!(Line::read(&other), Err(LineError::Text { .. })));
        assert!(matches!(Line::record("080"), Err(LineError::Hex)));
        assert!(Line::read("{}").is_err());
    }
}
