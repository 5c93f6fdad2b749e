//! A settings tree that serde reads. Text from the environment and from flags has no type of its
//! own, so it becomes what the settings type asks for.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserializer;
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};

use super::fault::Fault;

#[derive(Clone, Debug)]
pub(super) enum Node {
    /// From the environment or a flag: untyped.
    Text(String),
    /// From a file: typed.
    String(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    pub(super) fn text(value: &str) -> Self {
        Self::Text(value.to_owned())
    }

    /// The value as a person wrote it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) | Self::String(text) => format!("{text:?}"),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Bool(truth) => truth.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }

    /// Text read as the scalar that the settings type asks for.
    fn scalar<T: FromStr>(&self, allowed: &str) -> Option<Result<T, Fault>> {
        match self {
            Self::Text(text) => Some(text.trim().parse().map_err(|_| Fault::not_allowed(allowed))),
            Self::String(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Bool(_)
            | Self::List(_)
            | Self::Table(_) => None,
        }
    }
}

impl From<toml::Value> for Node {
    fn from(value: toml::Value) -> Self {
        match value {
            toml::Value::String(text) => Self::String(text),
            toml::Value::Integer(number) => Self::Integer(number),
            toml::Value::Float(number) => Self::Float(number),
            toml::Value::Boolean(truth) => Self::Bool(truth),
            toml::Value::Datetime(time) => Self::String(time.to_string()),
            toml::Value::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            toml::Value::Table(table) => {
                Self::Table(table.into_iter().map(|(k, v)| (k, Self::from(v))).collect())
            }
        }
    }
}

/// Puts `value` at `path`, making tables on the way.
pub(super) fn set(root: &mut BTreeMap<String, Node>, path: &[String], value: Node) {
    let Some((key, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        root.insert(key.clone(), value);
        return;
    }
    let inner = root
        .entry(key.clone())
        .or_insert_with(|| Node::Table(BTreeMap::new()));
    if !matches!(inner, Node::Table(_)) {
        *inner = Node::Table(BTreeMap::new());
    }
    if let Node::Table(table) = inner {
        set(table, rest, value);
    }
}

/// Takes out what is at `path`, or the list that holds it.
pub(super) fn remove(root: &mut BTreeMap<String, Node>, path: &[String]) -> Option<Node> {
    let (key, rest) = path.split_first()?;
    if let (false, Some(Node::Table(table))) = (rest.is_empty(), root.get_mut(key))
        && let Some(removed) = remove(table, rest)
    {
        return Some(removed);
    }
    root.remove(key)
}

macro_rules! scalars {
    ($($method:ident $visit:ident $type:ty, $allowed:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.scalar::<$type>($allowed) {
                Some(parsed) => visitor.$visit(parsed?),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Text(text) | Self::String(text) => visitor.visit_string(text),
            Self::Integer(number) => visitor.visit_i64(number),
            Self::Float(number) => visitor.visit_f64(number),
            Self::Bool(truth) => visitor.visit_bool(truth),
            Self::List(list) => visitor.visit_seq(Items {
                items: list.into_iter(),
                at: 0,
            }),
            Self::Table(table) => visitor.visit_map(Entries {
                entries: table.into_iter(),
                next: None,
            }),
        }
    }

    scalars! {
        deserialize_bool visit_bool bool, "true or false";
        deserialize_i8 visit_i64 i64, "a whole number";
        deserialize_i16 visit_i64 i64, "a whole number";
        deserialize_i32 visit_i64 i64, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_u8 visit_u64 u64, "a whole number, 0 or more";
        deserialize_u16 visit_u64 u64, "a whole number, 0 or more";
        deserialize_u32 visit_u64 u64, "a whole number, 0 or more";
        deserialize_u64 visit_u64 u64, "a whole number, 0 or more";
        deserialize_f32 visit_f64 f64, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor
            .visit_newtype_struct(self)
            .map_err(|mut fault: Fault| {
                fault.secret |= name == super::secret::NAME;
                fault
            })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Self::Text(text) | Self::String(text) => {
                let name: StringDeserializer<Fault> = text.into_deserializer();
                visitor.visit_enum(name)
            }
            Self::Table(table) => {
                let entries = Entries {
                    entries: table.into_iter(),
                    next: None,
                };
                visitor.visit_enum(MapAccessDeserializer::new(entries))
            }
            Self::Integer(_) | Self::Float(_) | Self::Bool(_) | Self::List(_) => {
                Err(Fault::not_allowed("a word"))
            }
        }
    }

    /// A list in one variable: `email,push`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if let Self::Text(text) = &self {
            let words = text
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty());
            let items: Vec<Self> = words.map(Self::text).collect();
            return visitor.visit_seq(Items {
                items: items.into_iter(),
                at: 0,
            });
        }
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

struct Entries {
    entries: std::collections::btree_map::IntoIter<String, Node>,
    next: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.next = self.entries.next();
        let Some((key, _)) = &self.next else {
            return Ok(None);
        };
        let key: StringDeserializer<Fault> = key.clone().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        match self.next.take() {
            Some((key, value)) => seed.deserialize(value).map_err(|fault| fault.under(&key)),
            None => Err(Fault::not_allowed("a value")),
        }
    }
}

struct Items {
    items: std::vec::IntoIter<Node>,
    at: usize,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let at = self.at.to_string();
        self.at += 1;
        seed.deserialize(item)
            .map(Some)
            .map_err(|fault| fault.under(&at))
    }
}
