//! Socket addresses in settings, with an error that says what one looks like. For
//! `#[serde(with = "kit::config::socket")]`, and `socket::optional`, where `none` switches off.

use std::fmt;
use std::net::SocketAddr;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

struct SocketVisitor;

impl Visitor<'_> for SocketVisitor {
    type Value = SocketAddr;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address and a port such as 127.0.0.1:7101 (port 0 picks a free one)")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SocketAddr, E> {
        text.parse()
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// # Errors
/// When the text is not an address with a port.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    deserializer.deserialize_str(SocketVisitor)
}

/// # Errors
/// As the serializer does.
pub fn serialize<S: Serializer>(addr: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(addr)
}

/// An address that may be `none`.
pub mod optional {
    use super::{Deserializer, Error, Serializer, SocketAddr, SocketVisitor, Visitor, fmt};

    struct OptionalVisitor;

    impl Visitor<'_> for OptionalVisitor {
        type Value = Option<SocketAddr>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            SocketVisitor.expecting(f)?;
            f.write_str(", or none")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<SocketAddr>, E> {
            if text == "none" {
                return Ok(None);
            }
            let parsed = text.parse().map(Some);
            parsed.map_err(|_| E::invalid_value(super::Unexpected::Str(text), &self))
        }
    }

    /// # Errors
    /// When the text is neither an address with a port nor `none`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        deserializer.deserialize_str(OptionalVisitor)
    }

    /// # Errors
    /// As the serializer does.
    pub fn serialize<S: Serializer>(
        addr: &Option<SocketAddr>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match addr {
            Some(addr) => serializer.collect_str(addr),
            None => serializer.serialize_str("none"),
        }
    }
}
