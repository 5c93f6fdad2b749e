//! The reference of all metrics, as a page for people.

use std::fmt::Write as _;

use super::declaration::{Declaration, Group, Kind, Unit, Values};

/// The metrics of one role.
#[derive(Copy, Clone, Debug)]
pub struct Section {
    /// As it stands in names; `<role>` for what every role has.
    pub role: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What to know of all of them.
    pub about: &'static str,
    /// In order.
    pub groups: &'static [&'static Group],
}

/// One table for each group, in Markdown.
#[must_use]
pub fn page(head: &str, sections: &[Section]) -> String {
    let mut page = head.to_owned();
    for section in sections {
        push(&mut page, format_args!("\n## {}", section.title));
        paragraph(&mut page, section.about);
        for group in section.groups {
            push(&mut page, format_args!("\n### {}", group.title));
            paragraph(&mut page, group.about);
            push(
                &mut page,
                format_args!("\n| name | type | unit | labels | meaning |\n|---|---|---|---|---|"),
            );
            for metric in group.metrics {
                push(&mut page, format_args!("{}", row(section.role, metric)));
            }
        }
    }
    page
}

fn paragraph(page: &mut String, text: &str) {
    if !text.is_empty() {
        push(page, format_args!("\n{text}"));
    }
}

fn row(role: &str, metric: &Declaration) -> String {
    let unit = match metric.unit {
        Unit::Count => "count",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
    };
    let unit = if metric.kind == Kind::Info { "" } else { unit };
    let labels: Vec<_> = metric.labels.iter().map(label).collect();
    format!(
        "| `{}` | {} | {unit} | {} | {} |",
        metric.name(role),
        metric.kind.as_str(),
        labels.join("; "),
        metric.help.replace('|', "\\|"),
    )
}

fn label(label: &super::Label) -> String {
    match label.values {
        Values::Closed(values) => {
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("`{}`: {}", label.name, values.join(", "))
        }
        Values::Bounded(which) => format!("`{}`: {which}", label.name),
    }
}

fn push(page: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{line}");
}
