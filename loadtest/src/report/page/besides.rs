//! What a run did besides: a fault, the ceiling, another target.

use std::fmt::Write as _;

use super::super::Entry;
use super::{escape, millis};

pub(super) fn fault(entry: &Entry) -> String {
    let Some(fault) = &entry.fault else {
        return String::new();
    };
    let recovered = fault.recovered_after_s.map_or_else(
        || "It was not as good as before again while the run lasted.".to_owned(),
        |after| {
            format!("It was as good as before {after:.1} s after the fault was over (to a slice of the chart).")
        },
    );
    let failed = fault.failed.as_deref().map_or(String::new(), |why| {
        format!(" <span class=\"bad\">{}</span>", escape(why))
    });
    format!(
        "<h3>Fault</h3>\n<p>From {:.1} s to {:.1} s something was made to fail. {} requests of the whole run got \
         no answer inside their deadline; {} answers from then on were degraded and said so. {recovered}{failed}</p>\n",
        fault.began_s, fault.ended_s, fault.unanswered, fault.degraded,
    )
}

pub(super) fn ceiling(entry: &Entry) -> String {
    let Some(ceiling) = &entry.ceiling else {
        return String::new();
    };
    format!(
        "<h3>Ceiling</h3>\n<p>With 32 requests always on their way the scenario reached {:.0} a second; {} reached \
         {:.0}. That is <b>{:.2}</b> of this ceiling: what an empty call costs is all that the rest can be saved \
         down to.</p>\n",
        ceiling.rate,
        escape(&ceiling.what),
        ceiling.ceiling_rate,
        ceiling.ratio,
    )
}

pub(super) fn compare(entry: &Entry) -> String {
    let Some(compared) = &entry.compare else {
        return String::new();
    };
    let mut html = format!(
        "<h3>Compared with another target</h3>\n<p>B is <code>{}</code>. Both were run in {} pairs of windows of \
         {} s that took turns ({}). A ratio below 1 means that B's figure is lower.</p>\n\
         <table><tr><th>figure</th><th class=\"n\">A</th><th class=\"n\">B</th><th class=\"n\">B / A</th>\
         <th class=\"n\">95 % interval</th></tr>\n",
        escape(&compared.target),
        compared.pairs,
        compared.window_s,
        escape(&compared.order),
    );
    for ratio in &compared.ratios {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{:.3}</td>\
             <td class=\"n\">{:.3} to {:.3}</td></tr>",
            escape(&ratio.metric),
            millis(Some(ratio.a)),
            millis(Some(ratio.b)),
            ratio.ratio,
            ratio.low,
            ratio.high,
        );
    }
    html + "</table>\n"
}
