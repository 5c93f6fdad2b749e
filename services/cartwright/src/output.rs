//! What a person sees: lines, tables, steps and progress bars.
//!
//! Results go to stdout, everything said about them to stderr, so that output can be piped.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Width of tables in a pipe or a file.
const WIDTH_WITHOUT_TERMINAL: u16 = 132;

/// One line below the header: what stands in columns needs no boxes, and copies better without.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Prints a result. A reader that went away (`| head`) is not an error.
pub(crate) fn result(text: impl Display) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Says something about the work, on stderr.
pub(crate) fn note(text: impl Display) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Prints a value as one JSON document.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    result(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Numbers the steps of a longer job.
#[derive(Debug)]
pub(crate) struct Steps {
    done: usize,
    of: usize,
}

impl Steps {
    pub(crate) fn new(of: usize) -> Self {
        Self { done: 0, of }
    }

    pub(crate) fn next(&mut self, what: impl Display) {
        self.done += 1;
        note(format!("step {} of {}: {what}", self.done, self.of));
    }
}

/// A table as wide as the terminal, without boxes that copy badly.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    if !std::io::stdout().is_terminal() {
        table.set_width(WIDTH_WITHOUT_TERMINAL);
    }
    table
}

/// A cell with a number in it.
pub(crate) fn number(value: impl Display) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

/// Bytes read of a file, shown only on a terminal.
pub(crate) fn bytes_bar(total: Option<u64>, what: &str) -> ProgressBar {
    let template = match total {
        Some(_) => "{msg} {bar:30} {percent:>3} %  {bytes}/{total_bytes}  {eta}",
        None => "{msg} {spinner} {bytes}",
    };
    bar(total, what, template)
}

/// Work of a known number of pieces, shown only on a terminal.
pub(crate) fn count_bar(total: Option<u64>, what: &str) -> ProgressBar {
    let template = match total {
        Some(_) => "{msg} {bar:30} {pos}/{len}  {per_sec}",
        None => "{msg} {spinner} {pos}  {per_sec}",
    };
    bar(total, what, template)
}

fn bar(total: Option<u64>, what: &str, template: &str) -> ProgressBar {
    // indicatif hides itself where stderr is no terminal.
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// Minor units as a person writes them: `1299` EUR is `12.99 EUR`.
pub(crate) fn money(minor: i64, currency: &str) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02} {currency}", minor / 100, minor % 100)
        .trim_end()
        .to_owned()
}

/// A point in time as a person reads it, in UTC and to the second.
pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| format!("{ms} ms"),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// The same as RFC 3339, as flags take it.
pub(crate) fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

/// A duration in the largest unit that leaves a readable number.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..120 => format!("{:.1} s", duration.as_secs_f64()),
        120..7_200 => format!("{} min", duration.as_secs() / 60),
        _ => format!("{} h", duration.as_secs() / 3_600),
    }
}

/// A count with its noun: `1 cart`, `2 carts`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", thousands(count))
}

/// `17434` as `17,434`.
pub(crate) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_money_as_people_do() {
        assert_eq!(money(1_299, "EUR"), "12.99 EUR");
        assert_eq!(money(-5, "EUR"), "-0.05 EUR");
        assert_eq!(money(100, ""), "1.00");
    }

    #[test]
    fn groups_digits_by_three() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(17_434), "17,434");
        assert_eq!(thousands(1_000_000), "1,000,000");
    }

    #[test]
    fn picks_the_unit_of_a_duration() {
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(duration(Duration::from_secs(1_800)), "30 min");
    }
}
