//! A commit as arguments of its script.

use redis::Value;

use super::names::Names;
use super::scripts::Call;
use super::unavailable;
use crate::store::{Commit, CommitOutcome, Error, Key, Op, Versioned};

/// The keys in front of those that the changes name.
const FIRST_KEYS: usize = 2;

impl Names {
    pub(super) fn call(&self, commit: &Commit) -> Call {
        let mut call = Call::default();
        call.keys.push(self.counters(commit.partition));
        call.keys.push(self.deadlines(commit.partition));
        for op in &commit.ops {
            match op {
                Op::Put {
                    key,
                    expected,
                    value,
                } => self.put(
                    &mut call,
                    key,
                    (*expected, expected.saturating_add(1)),
                    value,
                ),
                Op::Create {
                    key,
                    version,
                    value,
                } => self.put(&mut call, key, (0, *version), value),
                Op::Delete { key, expected } => self.delete(&mut call, key, *expected),
                Op::Expect { key, expected } => {
                    call.keys.push(self.value(key));
                    call.arg("e");
                    call.args.push(stored_version(*expected));
                }
                Op::Schedule { id, due_at } => {
                    call.arg("s");
                    call.arg(id);
                    call.arg(due_at.0.to_string());
                }
                Op::Cancel { id } => {
                    call.arg("c");
                    call.arg(id);
                }
                Op::Append { log, value } => {
                    call.keys.push(self.log(commit.partition, *log));
                    call.arg("a");
                    call.arg(log.code());
                    call.arg(value);
                }
            }
        }
        call
    }

    /// Writes a value of the version `expected` anew, as one of the version `next`.
    fn put(&self, call: &mut Call, key: &Key, (expected, next): (u64, u64), value: &[u8]) {
        let listed = key.kind.is_listed();
        call.arg(if listed { "P" } else { "p" });
        call.arg(stored_version(expected));
        call.args.push(Versioned::pack(next, value));
        self.key(call, key, listed);
    }

    fn delete(&self, call: &mut Call, key: &Key, expected: u64) {
        let listed = key.kind.is_listed();
        call.arg(if listed { "D" } else { "d" });
        call.arg(stored_version(expected));
        self.key(call, key, listed);
    }

    fn key(&self, call: &mut Call, key: &Key, listed: bool) {
        call.keys.push(self.value(key));
        if listed {
            call.keys.push(self.index(key.partition, key.kind));
            call.arg(&key.id);
        }
    }
}

/// The bytes in front of a stored value of this version.
fn stored_version(version: u64) -> Vec<u8> {
    if version == 0 {
        Vec::new()
    } else {
        version.to_le_bytes().to_vec()
    }
}

/// What the script's answer says: 0, or where in its keys the conflict is.
pub(super) fn outcome(commit: &Commit, answer: &Value) -> Result<CommitOutcome, Error> {
    let Value::Int(number) = answer else {
        return Err(unavailable(format_args!(
            "a commit was answered with {answer:?}"
        )));
    };
    if *number == 0 {
        return Ok(CommitOutcome::Done);
    }
    let mut place = FIRST_KEYS + 1;
    for op in &commit.ops {
        let keys = match op {
            Op::Put { key, .. } | Op::Create { key, .. } | Op::Delete { key, .. } => {
                if usize::try_from(*number) == Ok(place) {
                    return Ok(CommitOutcome::Conflict { key: key.clone() });
                }
                1 + usize::from(key.kind.is_listed())
            }
            Op::Expect { key, .. } => {
                if usize::try_from(*number) == Ok(place) {
                    return Ok(CommitOutcome::Conflict { key: key.clone() });
                }
                1
            }
            Op::Schedule { .. } | Op::Cancel { .. } => 0,
            Op::Append { .. } => 1,
        };
        place += keys;
    }
    Err(unavailable(format_args!(
        "a commit conflicts at key {number}, which it does not have"
    )))
}
