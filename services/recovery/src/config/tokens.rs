//! Keys of coupon codes and of links that bring a cart back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kit::config::{Period, Report, Secret};
use policy::token::Keyring;
use serde::{Deserialize, Serialize};

use crate::error::Error;

const ALLOWED: &str = "NUMBER:KEY with spaces or commas between them, a number from 0 to 255 and 64 hexadecimal digits each; the first signs";

/// Keys of coupon codes and of links that bring a cart back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// `NUMBER:KEY`, with spaces or commas between them; the first signs. No codes and links are
    /// made without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Secret>,
    /// More keys, in a file; those of `keys` go first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_file: Option<PathBuf>,
    /// How long a link holds.
    pub link_for: Period,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            keys: None,
            keys_file: None,
            link_for: Period::seconds(30 * 86_400),
        }
    }
}

impl Tokens {
    pub(super) fn check(&self, report: &mut Report) {
        if let Some(keys) = &self.keys
            && read(keys.expose()).is_none()
        {
            report.add("keys", keys, ALLOWED);
        }
        let (shortest, longest) = (Duration::from_secs(60), Duration::from_secs(365 * 86_400));
        if !(shortest..=longest).contains(&self.link_for.0) {
            report.add("link_for", self.link_for, "1m to 365 days");
        }
    }

    /// The keys, the first of which signs; `None` without any.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds something else.
    pub(crate) fn keyring(&self) -> Result<Option<Keyring>, Error> {
        let mut text = String::new();
        if let Some(keys) = &self.keys {
            text.push_str(keys.expose());
        }
        if let Some(path) = &self.keys_file {
            let file = std::fs::read_to_string(path).map_err(|source| Error::Keys {
                path: path.clone(),
                source,
            })?;
            text.push(' ');
            text.push_str(&file);
        }
        let keys = read(&text).ok_or_else(|| Error::Tokens(ALLOWED.to_owned()))?;
        let Some((current, _)) = keys.first().copied() else {
            return Ok(None);
        };
        let keys: BTreeMap<u8, [u8; 32]> = keys.into_iter().collect();
        let keyring = Keyring::new(keys, current);
        Ok(Some(
            keyring.map_err(|error| Error::Tokens(error.to_string()))?,
        ))
    }
}

/// `None` for what is not of this form; a number that comes twice is neither.
fn read(text: &str) -> Option<Vec<(u8, [u8; 32])>> {
    let is_between = |c: char| c == ',' || c.is_whitespace();
    let mut keys: Vec<(u8, [u8; 32])> = Vec::new();
    for word in text.split(is_between).filter(|word| !word.is_empty()) {
        let (number, digits) = word.split_once(':')?;
        let number = number.parse().ok()?;
        if keys.iter().any(|(other, _)| *other == number) {
            return None;
        }
        keys.push((number, key(digits)?));
    }
    Some(keys)
}

fn key(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut key = [0; 32];
    for (byte, at) in key.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_numbered_and_whole() {
        let key = "0f".repeat(32);
        let read = |text: &str| super::read(text).map(|keys| keys.len());
        assert_eq!(read(""), Some(0));
        assert_eq!(read(&format!("2:{key}, 1:{key}\n")), Some(2));
        for bad in [
            "x",
            "1:0f",
            "256:",
            &format!("1:{key} 1:{key}"),
            &format!("1:{}", "0g".repeat(32)),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let tokens = Tokens {
            keys: Some(Secret::new(format!("2:{key} 1:{key}"))),
            ..Tokens::default()
        };
        let shown = format!("{:?}", tokens.keyring().unwrap().unwrap());
        assert!(
            shown.contains("current: 2") && !shown.contains("15, 15"),
            "{shown}"
        );
    }
}
