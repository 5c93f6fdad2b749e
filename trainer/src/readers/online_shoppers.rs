//! UCI Online Shoppers Purchasing Intention: one row a session, fields kept apart by `;` or `,`.
//! No events: a table of labelled sessions, read whole.

use std::path::Path;

use super::error::{BadLine, ReadError};
use super::rows::{Row, Rows};
use super::source::Source;

const COLUMNS: [&str; 18] = [
    "Administrative",
    "Administrative_Duration",
    "Informational",
    "Informational_Duration",
    "ProductRelated",
    "ProductRelated_Duration",
    "BounceRates",
    "ExitRates",
    "PageValues",
    "SpecialDay",
    "OperatingSystems",
    "Browser",
    "Region",
    "TrafficType",
    "Month",
    "VisitorType",
    "Weekend",
    "Revenue",
];
const NUMBERS: usize = 14;
/// As the file writes them; it has no January and no April.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "June", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Pages of one kind that a session saw.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Pages {
    pub count: f64,
    pub seconds: f64,
}

/// One session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShopperSession {
    pub administrative: Pages,
    pub informational: Pages,
    pub products: Pages,
    /// Mean of the pages' rates, 0 to 1.
    pub bounce_rate: f64,
    pub exit_rate: f64,
    /// What the pages were worth, by past transactions: it knows of the outcome.
    pub page_value: f64,
    /// How near a day of gifts is, 0 to 1.
    pub special_day: f64,
    /// Codes without a meaning: operating system, browser, region, traffic source.
    pub codes: [f64; 4],
    /// 1 to 12.
    pub month: f64,
    pub is_returning: bool,
    pub is_new: bool,
    pub is_weekend: bool,
    /// Whether the session ended with an order.
    pub bought: bool,
}

/// All sessions in the order of the file, and the lines that are none.
pub fn online_shoppers(path: &Path) -> Result<(Vec<ShopperSession>, Vec<BadLine>), ReadError> {
    let source = Source::open(path)?;
    let delimiter = if source.first_line().contains(';') {
        b';'
    } else {
        b','
    };
    let mut rows = Rows::with_header(source, delimiter, &COLUMNS, &[])?;
    let (mut sessions, mut bad) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next(|row| parse(row).map_err(|reason| row.bad(reason))) {
        match row {
            Ok(session) => sessions.push(session),
            Err(line) => bad.push(line),
        }
    }
    match rows.failure() {
        Some(source) => Err(ReadError::Broken {
            path: path.to_owned(),
            source,
        }),
        None => Ok((sessions, bad)),
    }
}

fn parse(row: &Row<'_>) -> Result<ShopperSession, String> {
    let mut numbers = [0.0; NUMBERS];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = parse_number(COLUMNS[at], row.get(at))?;
    }
    let [
        a,
        a_s,
        i,
        i_s,
        p,
        p_s,
        bounce_rate,
        exit_rate,
        page_value,
        special_day,
        codes @ ..,
    ] = numbers;
    let pages = |count, seconds| Pages { count, seconds };
    let visitor = row.get(15);
    Ok(ShopperSession {
        administrative: pages(a, a_s),
        informational: pages(i, i_s),
        products: pages(p, p_s),
        bounce_rate,
        exit_rate,
        page_value,
        special_day,
        codes,
        month: month(row.get(14))?,
        is_returning: visitor == "Returning_Visitor",
        is_new: visitor == "New_Visitor",
        is_weekend: flag("Weekend", row.get(16))?,
        bought: flag("Revenue", row.get(17))?,
    })
}

/// Some rows mark a duration that is not known by −1.
fn parse_number(name: &str, text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number.max(0.0)),
        Ok(_) | Err(_) => Err(format!("{name} is {text:?}, a number is needed")),
    }
}

fn month(text: &str) -> Result<f64, String> {
    let place = MONTHS.iter().position(|month| {
        let short = month.get(..3).unwrap_or(month);
        text.eq_ignore_ascii_case(month) || text.eq_ignore_ascii_case(short)
    });
    let place = place.and_then(|place| u8::try_from(place + 1).ok());
    place
        .map(f64::from)
        .ok_or_else(|| format!("Month is {text:?}, {} are known", MONTHS.join(", ")))
}

fn flag(name: &str, text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("{name} is {text:?}, TRUE and FALSE are allowed")),
    }
}
