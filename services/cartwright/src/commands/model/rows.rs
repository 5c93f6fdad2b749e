//! Rows to score: from a CSV file, or drawn.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context as _;

use crate::failure::{Failure, OrFail as _};
use crate::output;

const DRAWN: usize = 500;

#[derive(Debug)]
pub(super) struct Rows {
    count: usize,
    values: Vec<f32>,
}

impl Rows {
    /// Values by the names of the header; with `by_position` by the order of columns.
    pub(super) fn read(
        file: &Path,
        features: &[String],
        by_position: bool,
    ) -> anyhow::Result<Self> {
        let name = file.display().to_string();
        let input: Box<dyn Read> = if file == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let opened = File::open(file).with_context(|| format!("read {name}"));
            Box::new(opened.or_usage("--csv names a file with a header, or - for standard input")?)
        };
        let mut csv = csv::Reader::from_reader(input);
        let header = csv
            .headers()
            .with_context(|| format!("read {name}"))?
            .clone();
        let places = if by_position {
            in_order(&header, features)?
        } else {
            by_name(&header, features)?
        };
        let mut rows = Self {
            count: 0,
            values: Vec::new(),
        };
        let mut record = csv::StringRecord::new();
        while csv
            .read_record(&mut record)
            .with_context(|| format!("read {name}"))?
        {
            rows.count += 1;
            for (place, feature) in places.iter().zip(features) {
                let text = record.get(*place).unwrap_or_default().trim();
                let value = number(text).ok_or_else(|| {
                    let line = record.position().map_or(0, csv::Position::line);
                    Failure::usage(format!("{name}: line {line}: {feature} is {text:?}"))
                        .hint("a number is allowed; empty, NA, null or nan where there is none")
                })?;
                rows.values.push(value);
            }
        }
        Ok(rows)
    }

    /// Numbers between -2 and 2, a tenth of them missing, the same in every run.
    pub(super) fn drawn(features: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let draw = u16::try_from(state >> 48).unwrap_or_default();
            if draw % 10 == 0 {
                f32::NAN
            } else {
                f32::from(draw) / 16_384.0 - 2.0
            }
        };
        Self {
            count: DRAWN,
            values: (0..DRAWN * features).map(|_| next()).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }
}

fn number(text: &str) -> Option<f32> {
    if ["", "NA", "N/A", "null", "None"].contains(&text) {
        return Some(f32::NAN);
    }
    text.parse().ok()
}

fn in_order(header: &csv::StringRecord, features: &[String]) -> anyhow::Result<Vec<usize>> {
    if header.len() >= features.len() {
        return Ok((0..features.len()).collect());
    }
    let (has, wants) = (header.len(), features.len());
    let failure = Failure::usage(format!(
        "the file has {has} columns, the model reads {wants}"
    ));
    Err(failure.hint("`cartwright model inspect` lists them").into())
}

fn by_name(header: &csv::StringRecord, features: &[String]) -> anyhow::Result<Vec<usize>> {
    let place = |name: &String| header.iter().position(|column| column.trim() == name);
    let missing: Vec<&str> = (features.iter().filter(|name| place(name).is_none()))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        let unread = header.len() - features.len().min(header.len());
        if unread > 0 {
            let columns = output::counted(unread, "column");
            output::note(format!("not read by the model: {columns} of the file"));
        }
        return Ok(features.iter().filter_map(place).collect());
    }
    let some: Vec<&str> = missing.iter().take(5).copied().collect();
    let message = format!(
        "the file has no column for {} of the model's {} features: {}{}",
        missing.len(),
        features.len(),
        some.join(", "),
        if missing.len() > some.len() {
            ", …"
        } else {
            ""
        },
    );
    let hint = "name columns after features, with empty values where nothing is known; or take \
                columns in their order with --by-position";
    Err(Failure::usage(message).hint(hint).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, by_position: bool) -> anyhow::Result<Rows> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let features = ["price", "age"].map(str::to_owned);
        Rows::read(file.path(), &features, by_position)
    }

    #[test]
    fn columns_are_found_by_name_and_gaps_are_missing_values() {
        let rows = read("age,colour,price\n1,red,2.5\n,blue,-inf\nNA,,nan\n", false).unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows.values()[..3], [2.5, 1.0, f32::NEG_INFINITY]);
        assert!(rows.values()[3..].iter().all(|value| value.is_nan()));
        let rows = read("a,b\n1,2\n", true).unwrap();
        assert_eq!(rows.values(), [1.0, 2.0]);
    }

    #[test]
    fn says_what_is_missing_and_where_a_value_is_no_number() {
        let problem = |text| read(text, false).unwrap_err().to_string();
        assert_eq!(
            problem("price\n1\n"),
            "the file has no column for 1 of the model's 2 features: age"
        );
        assert!(problem("price,age\n1,2\n3,old\n").ends_with("line 3: age is \"old\""));
        assert!(read("price\n1\n", true).is_err());
    }
}
