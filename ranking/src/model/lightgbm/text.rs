//! Lines `name=value`, in a header and in blocks that begin with `Tree=`.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::error::Error;

/// The lines of one block by name; one without a value is there with an empty one.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    /// Number of the tree; nothing for the header.
    tree: Option<usize>,
    fields: BTreeMap<&'a str, &'a str>,
}

/// The header and the trees. What follows the trees is for people.
pub(super) fn split(text: &str) -> Result<(Fields<'_>, Vec<Fields<'_>>), Error> {
    let mut blocks = vec![Fields::default()];
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.next().unwrap_or_default();
    if first != "tree" {
        return Err(field("line 1", first, "\"tree\" is"));
    }
    for line in lines {
        if line == "end of trees" {
            let mut blocks = blocks.into_iter();
            return Ok((blocks.next().unwrap_or_default(), blocks.collect()));
        }
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        if name == "Tree" {
            blocks.push(Fields {
                tree: Some(blocks.len() - 1),
                ..Fields::default()
            });
        }
        if let Some(block) = blocks.last_mut() {
            block.fields.insert(name, value);
        }
    }
    Err(field(
        "the file",
        "cut off: its line \"end of trees\" is missing",
        "a whole file is",
    ))
}

impl<'a> Fields<'a> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name).copied()
    }

    pub(super) fn require(&self, name: &str) -> Result<&'a str, Error> {
        self.get(name)
            .ok_or_else(|| field(&self.place(name), "missing", "a line of this name is"))
    }

    pub(super) fn tree(&self) -> usize {
        self.tree.unwrap_or_default()
    }

    pub(super) fn one_of(&self, name: &str, allowed: &[&str]) -> Result<&'a str, Error> {
        let value = self.require(name)?;
        self.check(name, allowed.contains(&value), || {
            format!("{} is", allowed.join(" or "))
        })?;
        Ok(value)
    }

    pub(super) fn number<T: FromStr>(&self, name: &str, allowed: &str) -> Result<T, Error> {
        let text = self.require(name)?;
        let number = text.trim().parse();
        number.map_err(|_| field(&self.place(name), text, allowed))
    }

    /// Exactly as many numbers as `count`.
    pub(super) fn numbers<T: FromStr>(
        &self,
        name: &str,
        count: usize,
        allowed: &str,
    ) -> Result<Vec<T>, Error> {
        let words = self.require(name)?.split_ascii_whitespace();
        let mut numbers = Vec::new();
        for (at, word) in words.enumerate() {
            let place = || format!("{}[{at}]", self.place(name));
            if at == count {
                return Err(field(&place(), word, &format!("{count} values are")));
            }
            numbers.push(word.parse().map_err(|_| field(&place(), word, allowed))?);
        }
        if numbers.len() == count {
            return Ok(numbers);
        }
        let found = format!("{} values long", numbers.len());
        Err(field(&self.place(name), &found, &format!("{count} are")))
    }

    pub(super) fn check(
        &self,
        name: &str,
        holds: bool,
        allowed: impl Fn() -> String,
    ) -> Result<(), Error> {
        if holds {
            return Ok(());
        }
        let value = self.get(name).unwrap_or("missing");
        Err(field(&self.place(name), value, &allowed()))
    }

    /// A refusal of one value of a list.
    pub(super) fn refuse(
        &self,
        name: &str,
        at: usize,
        value: &(impl ToString + ?Sized),
        allowed: &str,
    ) -> Error {
        let place = format!("{}[{at}]", self.place(name));
        field(&place, &value.to_string(), allowed)
    }

    fn place(&self, name: &str) -> String {
        match self.tree {
            Some(tree) => format!("tree {tree}: {name}"),
            None => name.to_owned(),
        }
    }
}

fn field(place: &str, value: &str, allowed: &str) -> Error {
    Error::field(place, value, allowed)
}
