//! The report for a terminal.

use comfy_table::Cell;

use super::summary::{Arm, Estimate, Report, ratio};
use crate::output;

pub(crate) fn print(report: &Report) {
    output::result(headline(report));
    output::result(sides(report));
    if !report.actions.is_empty() {
        output::result(actions(report));
    }
    for note in notes(report) {
        output::note(format!("note: {note}"));
    }
}

/// The sentence that one reads first.
pub(crate) fn headline(report: &Report) -> String {
    let Some(lift) = &report.lift else {
        let people = report.treated.people + report.holdout.people;
        return format!(
            "Nothing is told yet: {people} people of {} that the first look waits for, {} of them left alone",
            report.first_look, report.holdout.people
        );
    };
    format!(
        "Acting {} {} a person, 95 % sure of {} to {}: {}",
        if lift.estimate < 0.0 { "costs" } else { "adds" },
        money(lift.estimate.abs(), &report.currency),
        money(lift.low, &report.currency),
        money(lift.high, &report.currency),
        verdict(lift),
    )
}

pub(crate) fn verdict(lift: &Estimate) -> &'static str {
    match (lift.low > 0.0, lift.high < 0.0) {
        (true, _) => "it pays",
        (_, true) => "it does harm",
        (false, false) => "it may do either",
    }
}

pub(crate) fn sides(report: &Report) -> comfy_table::Table {
    let mut table = output::table(["", "treated", "left alone"]);
    for (name, treated, holdout) in rows(report) {
        table.add_row([
            Cell::new(name),
            output::number(treated),
            output::number(holdout),
        ]);
    }
    table
}

/// What is shown of both sides, for every form of the report.
pub(crate) fn rows(report: &Report) -> Vec<(&'static str, String, String)> {
    let currency = &report.currency;
    let both = |name, value: &dyn Fn(&Arm) -> String| {
        (name, value(&report.treated), value(&report.holdout))
    };
    let cash = |value: f64| money(value, currency);
    vec![
        both("people", &|arm| arm.people.to_string()),
        both("orders a person", &|arm| {
            format!("{:.4}", ratio(arm.orders, arm.people))
        }),
        both("margin a person", &|arm| cash(arm.margin_minor)),
        both("discounts", &|arm| cash(-arm.discount_minor)),
        both("refunds", &|arm| cash(-arm.refunded_minor)),
        both("messages", &|arm| cash(-arm.contact_minor)),
        both("net margin a person", &|arm| cash(arm.net_minor)),
        both("messages a person", &|arm| {
            format!("{:.2}", ratio(arm.messages, arm.people))
        }),
        both("unsubscribed", &|arm| {
            percent(ratio(arm.unsubscribed, arm.people))
        }),
        both("complained", &|arm| {
            percent(ratio(arm.complained, arm.people))
        }),
    ]
}

fn actions(report: &Report) -> comfy_table::Table {
    let mut table = output::table([
        "action",
        "decided",
        "sent",
        "opened",
        "clicked",
        "orders named",
    ]);
    for (action, acted) in &report.actions {
        let counts = [
            acted.decisions,
            acted.sent,
            acted.opened,
            acted.clicked,
            acted.orders_named,
        ];
        let mut row = vec![Cell::new(action)];
        row.extend(counts.map(output::number));
        table.add_row(row);
    }
    table
}

pub(crate) fn notes(report: &Report) -> Vec<String> {
    let split = &report.split;
    let mut notes = Vec::new();
    if split.alarm {
        notes.push(format!(
            "ALARM: {} of people are left alone, {} were to be (p = {:.1e}): no difference between the sides means anything until that is explained",
            percent(split.found_share),
            percent(split.wanted_share),
            split.p_value
        ));
    }
    if report.people_open > 0 {
        notes.push(format!(
            "{} people were met too lately and count on neither side yet",
            report.people_open
        ));
    }
    if let Some(lift) = &report.lift {
        notes.push(format!(
            "a single look that was planned beforehand would say {} to {}; what people brought before explains {} of the spread",
            money(lift.fixed_low, &report.currency),
            money(lift.fixed_high, &report.currency),
            percent(lift.variance_explained)
        ));
    }
    notes.push("opened, clicked and orders named are for orientation: none of them says what acting was worth".to_owned());
    notes
}

/// Minor units with a fraction, as money.
pub(crate) fn money(minor: f64, currency: &str) -> String {
    // Minus zero is nothing.
    let major = minor / 100.0 + 0.0;
    format!("{major:.3} {currency}").trim_end().to_owned()
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
