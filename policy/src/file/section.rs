//! One table of a policy file, read value by value. A value that is wrong is reported and read as
//! absent, so that reading goes on to the next mistake.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::near;
use super::problems::Problems;
use super::value::{MAX_NAME, duration, minute, number, said};

/// A table and where it stands.
pub(super) struct Section<'t, 'i> {
    path: String,
    table: &'t DeTable<'i>,
    at: usize,
}

impl<'t, 'i> Section<'t, 'i> {
    /// Reports every key that is not allowed.
    pub(super) fn open(
        path: String,
        table: &'t DeTable<'i>,
        at: usize,
        allowed: &[&str],
        problems: &mut Problems<'_>,
    ) -> Self {
        let section = Self { path, table, at };
        for key in section.table.keys() {
            let name = key.get_ref().as_ref();
            if !allowed.contains(&name) {
                let message = format!(
                    "is not a key of {}{}",
                    section.called(),
                    near::hint(name, allowed)
                );
                problems.add(key.span().start, section.key(name), message);
            }
        }
        section
    }

    fn called(&self) -> &str {
        if self.path.is_empty() {
            "a policy file"
        } else {
            &self.path
        }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.table.get(key)
    }

    /// Reports something about a key's value, or about the table when it has no such key.
    pub(super) fn fault(&self, key: &str, message: String, problems: &mut Problems<'_>) {
        let at = self.get(key).map_or(self.at, |value| value.span().start);
        problems.add(at, self.key(key), message);
    }

    /// Reports a key that has to be there and is not.
    pub(super) fn require(&self, key: &str, what: &str, problems: &mut Problems<'_>) {
        if !self.has(key) {
            let message = format!("is missing; it has to be {what}");
            problems.add_missing(self.at, self.key(key), message);
        }
    }

    fn wrong<T>(&self, key: &str, allowed: &str, problems: &mut Problems<'_>) -> Option<T> {
        if let Some(value) = self.get(key) {
            let message = format!(
                "{} is not allowed; it has to be {allowed}",
                said(value.get_ref())
            );
            self.fault(key, message, problems);
        }
        None
    }

    pub(super) fn text(
        &self,
        key: &str,
        what: &str,
        problems: &mut Problems<'_>,
    ) -> Option<&'t str> {
        match self.get(key)?.get_ref().as_str() {
            Some(text) => Some(text),
            None => self.wrong(key, what, problems),
        }
    }

    /// A short name, for people to read.
    pub(super) fn name(&self, key: &str, problems: &mut Problems<'_>) -> Option<String> {
        let what = "a text of 1 to 64 characters without line breaks";
        let name = self.text(key, what, problems)?;
        let fits = !name.trim().is_empty() && name.chars().count() <= MAX_NAME;
        if fits && !name.chars().any(char::is_control) {
            return Some(name.to_owned());
        }
        self.wrong(key, what, problems)
    }

    /// From a minute to a year, with the units m, h or d.
    pub(super) fn duration(
        &self,
        key: &str,
        what: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Duration> {
        let text = self.text(key, what, problems)?;
        duration(text).or_else(|| self.wrong(key, what, problems))
    }

    /// Times from one moment on, each later than the one before.
    pub(super) fn rising(&self, key: &str, problems: &mut Problems<'_>) -> Option<Vec<Duration>> {
        let what = "a list of rising times, e.g. [\"24h\", \"72h\"]";
        let list = match self.get(key)?.get_ref().as_array() {
            Some(list) => list,
            None => return self.wrong(key, what, problems),
        };
        let mut times: Vec<Duration> = Vec::new();
        for entry in list.iter() {
            let time = entry.get_ref().as_str().and_then(duration);
            match time.filter(|time| times.last().is_none_or(|last| time > last)) {
                Some(time) => times.push(time),
                None => {
                    let said = said(entry.get_ref());
                    let message = format!("{said} is not allowed; it has to be {what}");
                    problems.add(entry.span().start, self.key(key), message);
                }
            }
        }
        Some(times)
    }

    /// A minute of the day, written as on a clock.
    pub(super) fn minute(&self, key: &str, problems: &mut Problems<'_>) -> Option<u16> {
        let what = "a time of the day from \"00:00\" to \"23:59\"";
        let text = self.text(key, what, problems)?;
        minute(text).or_else(|| self.wrong(key, what, problems))
    }

    pub(super) fn texts(
        &self,
        key: &str,
        what: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<&'t str>> {
        let list = self.get(key)?.get_ref().as_array();
        let texts = list.and_then(|list| list.iter().map(|one| one.get_ref().as_str()).collect());
        match texts {
            Some(texts) => Some(texts),
            None => self.wrong(key, what, problems),
        }
    }

    pub(super) fn truth(&self, key: &str, problems: &mut Problems<'_>) -> Option<bool> {
        match self.get(key)?.get_ref().as_bool() {
            Some(truth) => Some(truth),
            None => self.wrong(key, "true or false", problems),
        }
    }

    pub(super) fn integer(
        &self,
        key: &str,
        range: RangeInclusive<i64>,
        problems: &mut Problems<'_>,
    ) -> Option<i64> {
        let found = self.get(key)?.get_ref().as_integer();
        let read = found.and_then(|text| i64::from_str_radix(text.as_str(), text.radix()).ok());
        match read.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let allowed = format!("a whole number from {} to {}", range.start(), range.end());
                self.wrong(key, &allowed, problems)
            }
        }
    }

    /// A fraction, so that 10 for ten per cent is caught.
    pub(super) fn share(
        &self,
        key: &str,
        range: RangeInclusive<f64>,
        problems: &mut Problems<'_>,
    ) -> Option<f64> {
        match number(self.get(key)?.get_ref()).filter(|share| range.contains(share)) {
            Some(share) => Some(share),
            None => {
                let (from, to) = (range.start(), range.end());
                let allowed = format!("a share from {from} to {to}, e.g. 0.10 for ten per cent");
                self.wrong(key, &allowed, problems)
            }
        }
    }

    pub(super) fn one_of(
        &self,
        key: &str,
        allowed: &[&str],
        problems: &mut Problems<'_>,
    ) -> Option<String> {
        let what = format!("one of {}", allowed.join(", "));
        let text = self.text(key, &what, problems)?;
        if allowed.contains(&text) {
            return Some(text.to_owned());
        }
        let meant = near::matches(text, allowed);
        let meant = meant
            .first()
            .map(|name| format!(", did you mean \"{name}\"?"));
        self.wrong(
            key,
            &format!("{what}{}", meant.unwrap_or_default()),
            problems,
        )
    }

    pub(super) fn list_of(
        &self,
        key: &str,
        allowed: &[&str],
        problems: &mut Problems<'_>,
    ) -> Vec<String> {
        let what = format!("a list of {}", allowed.join(", "));
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let Some(list) = value.get_ref().as_array().filter(|list| !list.is_empty()) else {
            return self.wrong(key, &what, problems).unwrap_or_default();
        };
        let mut texts = Vec::new();
        for entry in list.iter() {
            match entry
                .get_ref()
                .as_str()
                .filter(|text| allowed.contains(text))
            {
                Some(text) => texts.push(text.to_owned()),
                None => {
                    let message = format!(
                        "{} is not allowed; it has to be {what}",
                        said(entry.get_ref())
                    );
                    problems.add(entry.span().start, self.key(key), message);
                }
            }
        }
        texts
    }

    pub(super) fn table(
        &self,
        key: &str,
        allowed: &[&str],
        problems: &mut Problems<'_>,
    ) -> Option<Section<'t, 'i>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Section::open(
                self.key(key),
                table,
                value.span().start,
                allowed,
                problems,
            )),
            None => self.wrong(key, &format!("a table, [{key}]"), problems),
        }
    }

    pub(super) fn tables(
        &self,
        key: &str,
        allowed: &[&str],
        problems: &mut Problems<'_>,
    ) -> Vec<Section<'t, 'i>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let what = format!("a list of tables, [[{key}]]");
        let Some(list) = value.get_ref().as_array() else {
            return self.wrong(key, &what, problems).unwrap_or_default();
        };
        let mut sections = Vec::new();
        for (place, entry) in list.iter().enumerate() {
            let path = format!("{}[{place}]", self.key(key));
            match entry.get_ref().as_table() {
                Some(table) => {
                    let at = entry.span().start;
                    sections.push(Section::open(path, table, at, allowed, problems));
                }
                None => {
                    let message = format!(
                        "{} is not allowed; it has to be {what}",
                        said(entry.get_ref())
                    );
                    problems.add(entry.span().start, path, message);
                }
            }
        }
        sections
    }
}
