//! The report to look at: one HTML file with its chart and style in it.

use std::fmt::Write as _;

use super::summary::Report;
use super::{chart, table};
use crate::output;

const STYLE: &str = include_str!("page.css");

pub(super) fn render(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>What acting was worth</title>\n<style>\n{STYLE}</style></head>\n<body>\n\
         <h1>What acting was worth</h1>\n<p class=\"soft\">{} to {}{}</p>\n",
        output::time(report.from_ms),
        output::time(report.until_ms),
        report
            .window_hours
            .map(|hours| format!(" · what people did within {hours:.0} h of their first decision"))
            .unwrap_or_default(),
    );
    let class = match &report.lift {
        Some(lift) if lift.low > 0.0 => "good",
        Some(lift) if lift.high < 0.0 => "bad",
        Some(_) | None => "",
    };
    let headline = escape(&table::headline(report));
    let _ = writeln!(page, "<p class=\"head {class}\">{headline}.</p>");
    if report.split.alarm {
        let alarm = table::notes(report).into_iter().next().unwrap_or_default();
        let _ = writeln!(page, "<p class=\"bad\">{}</p>", escape(&alarm));
    }
    page.push_str(&chart::lift(&report.looks, &report.currency));
    page.push_str(
        "<p class=\"soft\">How to read this: the line is net margin a person that acting added, by the \
         people whose time was over by then; the band holds the truth at all of its points together in 95 of \
         100 experiments, so one may look at it every day. People count on the side that they were assigned \
         to, whether or not anything reached them. Below the dashed line acting does harm.</p>\n",
    );
    page.push_str(&sides(report));
    page.push_str(&split(report));
    page.push_str(&actions(report));
    page + "</body></html>\n"
}

fn sides(report: &Report) -> String {
    let mut html = "<h2>Both sides</h2>\n<div class=\"wide\"><table><tr><th></th><th class=\"n\">treated</th><th class=\"n\">left alone</th></tr>\n".to_owned();
    for (name, treated, holdout) in table::rows(report) {
        let class = if name.starts_with("net") {
            " class=\"sum\""
        } else {
            ""
        };
        let _ = writeln!(
            html,
            "<tr{class}><td>{name}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&treated),
            escape(&holdout)
        );
    }
    html + "</table></div>\n"
}

fn split(report: &Report) -> String {
    let split = &report.split;
    let (class, word) = match split.alarm {
        true => ("bad", "the split is wrong"),
        false => ("good", "nothing speaks against the split"),
    };
    let mut html = format!(
        "<h2>Can it be trusted?</h2>\n<table><tr><td>left alone</td><td class=\"n\">{}, {} were to be</td></tr>\
         <tr><td>sample ratio, p of all looks</td><td class=\"n\">{:.3} · <span class=\"{class}\">{word}</span></td></tr>",
        table::percent(split.found_share),
        table::percent(split.wanted_share),
        split.p_value
    );
    if let Some(lift) = &report.lift {
        let _ = write!(
            html,
            "<tr><td>a single planned look would say</td><td class=\"n\">{} to {}</td></tr>\
             <tr><td>spread explained by earlier orders</td><td class=\"n\">{}</td></tr>",
            escape(&table::money(lift.fixed_low, &report.currency)),
            escape(&table::money(lift.fixed_high, &report.currency)),
            table::percent(lift.variance_explained)
        );
    }
    let _ = write!(
        html,
        "<tr><td>met too lately to count</td><td class=\"n\">{}</td></tr>",
        report.people_open
    );
    html + "</table>\n"
}

fn actions(report: &Report) -> String {
    if report.actions.is_empty() {
        return String::new();
    }
    let mut html = "<h2>What was done</h2>\n<p class=\"soft\">For orientation. Whoever opens messages buys more \
         anyway, so none of this says what acting was worth.</p>\n<div class=\"wide\"><table><tr><th>action</th>\
         <th class=\"n\">decided</th><th class=\"n\">sent</th><th class=\"n\">opened</th><th class=\"n\">clicked</th>\
         <th class=\"n\">orders named</th></tr>\n"
        .to_owned();
    for (action, acted) in &report.actions {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(action),
            acted.decisions,
            acted.sent,
            acted.opened,
            acted.clicked,
            acted.orders_named
        );
    }
    html + "</table></div>\n"
}

/// Names from logs go into the page: none of them may become markup.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::summary::Acted;
    use super::super::summary::tests::{accounts, method};
    use super::*;

    fn page() -> String {
        let actions = BTreeMap::from([("<b>".to_owned(), Acted::default())]);
        render(&Report::new(&accounts(4_000), &method(), actions).unwrap())
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_takes_no_markup_in() {
        let page = page();
        for outside in [
            "http://", "https://", "src=", "@import", "url(", "<script", "<link",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    }

    #[test]
    fn everything_a_reader_asks_for_is_on_it() {
        let page = page();
        for part in [
            "Acting adds 0.2",
            "it pays",
            "net margin a person",
            "refunds",
            "unsubscribed",
            "complained",
            "nothing speaks against the split",
            "explained by earlier orders",
            "orders named",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<svg").count(), 1);
    }
}
