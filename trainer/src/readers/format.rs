//! The names of the formats, and telling them apart by a file's first line.

use std::path::Path;
use std::str::FromStr;

use super::error::ReadError;
use super::source::Source;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    Jsonl,
    Csv,
    Interactions,
    Rees46,
    OnlineRetail,
    SessionClicks,
}

impl Format {
    pub const NAMES: [&'static str; 6] = [
        "jsonl",
        "csv",
        "interactions",
        "rees46",
        "online-retail",
        "session-clicks",
    ];

    pub const ALL: [Self; 6] = [
        Self::Jsonl,
        Self::Csv,
        Self::Interactions,
        Self::Rees46,
        Self::OnlineRetail,
        Self::SessionClicks,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Interactions => "interactions",
            Self::Rees46 => "rees46",
            Self::OnlineRetail => "online-retail",
            Self::SessionClicks => "session-clicks",
        }
    }

    /// Whether its times are real. Synthetic ones only keep the order of the file, so that gaps
    /// between them mean nothing.
    pub fn has_times(self) -> bool {
        match self {
            Self::Interactions => false,
            Self::Jsonl | Self::Csv | Self::Rees46 | Self::OnlineRetail | Self::SessionClicks => {
                true
            }
        }
    }

    /// What the reader takes for granted because the format does not say it.
    pub fn assumption(self) -> Option<&'static str> {
        match self {
            Self::Jsonl | Self::Csv => None,
            Self::Interactions => {
                Some("every row is a view; rows are one second apart in the order of the file")
            }
            Self::Rees46 => Some("prices are in USD"),
            Self::OnlineRetail => {
                Some("prices are in GBP, times in UTC; every line of an invoice is a purchase")
            }
            Self::SessionClicks => Some("every row is a view; each session is its own shopper"),
        }
    }

    /// Recognises a file by its first line.
    pub fn guess(path: &Path) -> Result<Self, ReadError> {
        let first_line = Source::open(path)?.first_line();
        Self::of_first_line(&first_line).ok_or_else(|| {
            let first_line = first_line.chars().take(200).collect();
            ReadError::Unrecognised {
                path: path.to_owned(),
                first_line,
            }
        })
    }

    fn of_first_line(line: &str) -> Option<Self> {
        if line.trim_start().starts_with('{') {
            return Some(Self::Jsonl);
        }
        let columns: Vec<String> = line
            .split([',', '\t'])
            .map(|name| name.trim().trim_matches('"').to_ascii_lowercase())
            .collect();
        let has = |name: &str| columns.iter().any(|column| column == name);
        if has("event_time") && has("product_id") {
            Some(Self::Rees46)
        } else if has("invoiceno") && has("stockcode") {
            Some(Self::OnlineRetail)
        } else if has("sessionid") && has("itemid") && has("time") {
            Some(Self::SessionClicks)
        } else if has("event_id") && has("occurred_at") {
            Some(Self::Csv)
        } else if columns.len() == 2 && !line.contains('\t') {
            Some(Self::Interactions)
        } else {
            None
        }
    }
}

impl FromStr for Format {
    type Err = ReadError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| ReadError::UnknownFormat {
                name: name.to_owned(),
            })
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_name() {
        assert_eq!(Format::ALL.map(Format::as_str), Format::NAMES);
        for format in Format::ALL {
            assert_eq!(format.as_str().parse::<Format>().unwrap(), format);
        }
        let problem = "parquet".parse::<Format>().unwrap_err().to_string();
        assert!(
            problem.starts_with("format \"parquet\" is not known, jsonl, csv"),
            "{problem}"
        );
    }

    #[test]
    fn recognises_a_first_line() {
        let cases = [
            ("{\"event_id\":\"1\"}", Some(Format::Jsonl)),
            (
                "event_id,shopper_id,type,item_id,occurred_at",
                Some(Format::Csv),
            ),
            ("1,2", Some(Format::Interactions)),
            ("user_id,item_id", Some(Format::Interactions)),
            (
                "event_time,event_type,product_id,category_id",
                Some(Format::Rees46),
            ),
            (
                "InvoiceNo,StockCode,Description",
                Some(Format::OnlineRetail),
            ),
            ("SessionId\tItemId\tTime", Some(Format::SessionClicks)),
            ("SessionId,ItemId,Time", Some(Format::SessionClicks)),
            ("a,b,c", None),
        ];
        for (line, expected) in cases {
            assert_eq!(Format::of_first_line(line), expected, "{line}");
        }
    }
}
