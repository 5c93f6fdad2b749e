//! One pass in time over log and labels.

use std::path::Path;

use feature_store::{EventLog, PointInTime};

use super::report::Events;
use super::spill::{Spill, Spilled};
use super::{ExportError, ExportReport, Labels, Progress, Wanted};

/// Answers between two words about progress.
const STEP: u64 = 512;

pub(super) struct Answers {
    pub(super) report: ExportReport,
    pub(super) spilled: Spilled,
}

/// Answers each label from the entries seen up to its time.
pub(super) fn answer(
    labels: &Labels,
    log: EventLog,
    wanted: Wanted,
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Answers, ExportError> {
    let mut report = ExportReport::new(&wanted.plan);
    let mut spill = Spill::beside(out, labels.len())?;
    let span = log.span();
    let mut past = PointInTime::new(wanted.plan, wanted.items, log);
    let positions = labels.in_time();
    let of = positions.len() as u64;
    for position in positions {
        let Some(label) = labels.get(position) else {
            continue;
        };
        let values = past.answer(label.shopper, label.item, label.at);
        report.count(&values);
        report.before_log += u64::from(span.is_none_or(|(first, _)| label.at < first));
        report.after_log += u64::from(span.is_some_and(|(_, last)| label.at > last));
        spill.put(position, &values)?;
        if report.rows.is_multiple_of(STEP) {
            progress(Progress::Answered {
                rows: report.rows,
                of,
            });
        }
    }
    report.events = Events::new(&past);
    report.erased_rows = labels.len() as u64 - of;
    progress(Progress::Answered { rows: of, of });
    let spilled = spill.finish()?;
    Ok(Answers { report, spilled })
}
