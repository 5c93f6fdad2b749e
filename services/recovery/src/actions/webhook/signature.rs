//! Signatures of what is posted: `t=SECONDS,v1=HEX`, HMAC-SHA256 over `SECONDS.BODY`, one `v1` for each
//! key. While keys are changed both are used, and the receiver takes whichever it knows.

use std::path::Path;

use ring::hmac;

use crate::config;
use crate::error::Error;
use crate::record::hex;

/// What signs.
pub(super) struct Signer {
    keys: Vec<hmac::Key>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("keys", &self.keys.len())
            .finish()
    }
}

impl Signer {
    pub(super) fn of(settings: &config::Webhook) -> Result<Self, Error> {
        let mut keys = Vec::new();
        if let Some(text) = &settings.keys {
            keys.extend(split(text.expose()));
        }
        if let Some(path) = &settings.keys_file {
            keys.extend(split(&read(path)?));
        }
        if keys
            .iter()
            .any(|key| key.len() < config::Webhook::KEY_BYTES)
            || keys.is_empty()
        {
            let least = config::Webhook::KEY_BYTES;
            let why = format!("each key needs {least} characters, and one is needed");
            return Err(Error::Webhook(why));
        }
        let key = |key: &String| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        Ok(Self {
            keys: keys.iter().map(key).collect(),
        })
    }

    /// The header's value.
    pub(super) fn sign(&self, seconds: i64, body: &str) -> String {
        let message = format!("{seconds}.{body}");
        let mut value = format!("t={seconds}");
        for key in &self.keys {
            let tag = hmac::sign(key, message.as_bytes());
            value.push_str(",v1=");
            value.push_str(&hex(tag.as_ref()));
        }
        value
    }
}

fn split(text: &str) -> Vec<String> {
    let is_between = |c: char| c == ',' || c.is_whitespace();
    let keys = text.split(is_between).filter(|key| !key.is_empty());
    keys.map(str::to_owned).collect()
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Keys {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use kit::config::Secret;

    use super::*;

    #[test]
    fn every_key_signs_timestamp_and_body_with_hmac_sha256() {
        let settings = config::Webhook {
            keys: Some(Secret::new(
                "the-first-secret-of-all, the-second-secret-of-all",
            )),
            ..config::Webhook::default()
        };
        let signed = Signer::of(&settings).unwrap().sign(1_767_225_600, "{}");
        // Computed by Python's hmac module.
        assert_eq!(
            signed,
            "t=1767225600,v1=c404821152d336d461f57922f385cdee14b4eedad2211f81f9a8e91cb1588dbe,v1=5d8412fa883b151a87d337830a914c299c221f595bb0987b9b9dd95ebf789d79"
        );
    }

    #[test]
    fn a_key_that_can_be_guessed_and_none_at_all_are_refused() {
        for keys in ["", "short", "the-first-secret-of-all short"] {
            let settings = config::Webhook {
                keys: Some(Secret::new(keys)),
                ..config::Webhook::default()
            };
            assert!(Signer::of(&settings).is_err(), "{keys:?}");
        }
    }
}
