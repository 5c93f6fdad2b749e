//! Deciding again, from what was logged and nothing else.

use policy::{Inputs, Policy};
use prost::Message as _;

use super::{FORMAT, Record, SEALED_SINCE, hex};

/// Why a decision cannot be recomputed, or was recomputed otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It is no record.
    #[error("the record cannot be read: {0}")]
    Malformed(String),
    /// Written by a later version.
    #[error("the record has format {found}, formats up to {FORMAT} can be read")]
    Format {
        /// The record's format.
        found: u32,
    },
    /// It is not as it was written.
    #[error("the record is damaged: its checksum is another")]
    Damaged,
    /// The record was decided by another policy.
    #[error("the record was decided by policy {recorded}, this is policy {given}")]
    Policy {
        /// The record's policy.
        recorded: String,
        /// The policy at hand.
        given: String,
    },
    /// The logged inputs are damaged.
    #[error("the logged inputs cannot be read: {0}")]
    Inputs(String),
    /// Deciding again came to something else.
    #[error("decided again it is {again}, and {logged} is logged")]
    Differs {
        /// The digest in the log.
        logged: String,
        /// The digest of the decision that was made again.
        again: String,
    },
}

/// Reads a record, whole and as it was written.
///
/// # Errors
/// When it is none, from a later version, or damaged.
pub fn decode(bytes: &[u8]) -> Result<Record, ReplayError> {
    let record =
        Record::decode(bytes).map_err(|error| ReplayError::Malformed(error.to_string()))?;
    check(&record).map(|()| record)
}

/// Decides again, from the log alone. The answer is that of the first time, bit for bit: since the
/// second format of records that is checked here.
///
/// # Errors
/// When the record is from a later version, damaged, or was decided by another policy; and when the
/// decision comes out another.
pub fn replay(record: &Record, policy: &Policy) -> Result<policy::Decision, ReplayError> {
    check(record)?;
    let is_same = match record.format < SEALED_SINCE {
        true => record.policy_version == policy.version(),
        false => record.policy_id == policy.id(),
    };
    if !is_same {
        return Err(ReplayError::Policy {
            recorded: name(&record.policy_version, &record.policy_id),
            given: name(policy.version(), &policy.id()),
        });
    }
    let inputs =
        Inputs::decode(&record.inputs).map_err(|error| ReplayError::Inputs(error.to_string()))?;
    let decision = policy.decide(&inputs, record.seed);
    let again = decision.digest();
    if record.format >= SEALED_SINCE && record.digest != again {
        return Err(ReplayError::Differs {
            logged: hex(&record.digest),
            again: hex(&again),
        });
    }
    Ok(decision)
}

fn check(record: &Record) -> Result<(), ReplayError> {
    match record.format {
        found if !(1..=FORMAT).contains(&found) => Err(ReplayError::Format { found }),
        _ if !record.is_intact() => Err(ReplayError::Damaged),
        _ => Ok(()),
    }
}

fn name(version: &str, id: &[u8]) -> String {
    let short: String = hex(id).chars().take(12).collect();
    match short.is_empty() {
        true => version.to_owned(),
        false => format!("{version} ({short})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy::parse(Policy::DEFAULT).unwrap()
    }

    fn record() -> Record {
        let inputs = Inputs {
            risk: 0.5,
            ..Inputs::default()
        };
        Record {
            format: FORMAT,
            inputs: inputs.encode(),
            seed: 7,
            policy_version: policy().version().to_owned(),
            policy_id: policy().id().to_vec(),
            digest: policy().decide(&inputs, 7).digest().to_vec(),
            ..Record::default()
        }
        .sealed()
    }

    #[test]
    fn any_byte_that_changed_is_noticed() {
        let bytes = record().encode_to_vec();
        assert!(replay(&decode(&bytes).unwrap(), &policy()).is_ok());
        for at in 0..bytes.len() {
            for bit in [0x01, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                let again = decode(&changed).and_then(|record| replay(&record, &policy()));
                assert!(again.is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn another_policy_a_later_format_and_another_outcome_cannot_replay() {
        let other = Policy::DEFAULT.replace("items_shown = 3", "items_shown = 2");
        let other = Policy::parse(&other).unwrap();
        assert!(matches!(
            replay(&record(), &other),
            Err(ReplayError::Policy { .. })
        ));
        let later = Record {
            format: FORMAT + 1,
            ..record()
        };
        assert!(matches!(
            replay(&later.sealed(), &policy()),
            Err(ReplayError::Format { .. })
        ));
        let outcome = Record {
            digest: vec![0; 16],
            ..record()
        };
        assert!(matches!(
            replay(&outcome.sealed(), &policy()),
            Err(ReplayError::Differs { .. })
        ));
    }

    #[test]
    fn a_record_of_the_first_format_is_replayed_by_the_version_of_its_policy() {
        let first = Record {
            format: 1,
            policy_id: Vec::new(),
            digest: Vec::new(),
            checksum: Vec::new(),
            ..record()
        };
        assert!(replay(&decode(&first.encode_to_vec()).unwrap(), &policy()).is_ok());
        let other = Record {
            policy_version: "another".to_owned(),
            ..first
        };
        assert!(matches!(
            replay(&other, &policy()),
            Err(ReplayError::Policy { .. })
        ));
    }
}
