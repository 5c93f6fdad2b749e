//! The past sessions that a snapshot keeps, and how they are to be asked.

use feature_store::EventKind;
use retrieval::{SessionSettings, SessionTable, Sessions};
use snapshot::Catalogue;

use crate::Error;
use crate::next_item::{Log, score_sessions};
use crate::people::People;
use crate::sessions::Session;

/// Items of a session that are kept, the latest.
const LONGEST: usize = 100;
/// Newest sessions, at most and as one part of all, that choose between the presets.
const CHOOSERS: usize = 200;
const PART: usize = 10;
/// Prefixes of each that count.
const PREFIXES: usize = 10;
const PLACES: usize = 20;

/// Newest first, each with a MAC of its shopper where there is a key; without runs of one item, and without sessions that show no item after another.
pub(crate) fn table(
    sessions: &[Session<'_>],
    catalogue: &Catalogue,
    people: &People,
) -> SessionTable {
    let mut order: Vec<usize> = (0..sessions.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse((seconds(&sessions[at]), at)));
    let mut table = SessionTable::new();
    for session in order.into_iter().map(|at| &sessions[at]) {
        let kept = session
            .events
            .iter()
            .filter(|event| event.kind != EventKind::RemoveFromCart);
        let mut items: Vec<u32> = kept
            .filter_map(|event| catalogue.ordinal(&event.item_id))
            .collect();
        items.dedup();
        if items.len() < 2 {
            continue;
        }
        let (items, ended) = (
            &items[items.len().saturating_sub(LONGEST)..],
            seconds(session),
        );
        match people.mac(session.shopper) {
            Some(shopper) => table.push_of(shopper, items, ended),
            None => table.push(items, ended),
        }
    }
    table
}

fn seconds(session: &Session<'_>) -> u64 {
    u64::try_from(session.end().0 / 1_000).unwrap_or(0)
}

/// The preset under which the older sessions best predict the newest ones. Where sessions are
/// visits, neighbours in order count most; where they are baskets, whose order says nothing, all
/// items of a past session count alike.
pub(crate) fn settings(table: &SessionTable, items: usize) -> Result<SessionSettings, Error> {
    let newest = (table.len() / PART).min(CHOOSERS);
    if newest == 0 {
        return Ok(SessionSettings::default());
    }
    let (mut valid, mut past) = (Log::default(), SessionTable::new());
    for (at, pair) in table.offsets.windows(2).enumerate() {
        let bound = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let row = &table.items[bound(pair[0])..bound(pair[1])];
        if at < newest {
            valid.sessions.push(row.to_vec());
            valid.ended.push(table.ended[at]);
        } else {
            past.push(row, table.ended[at]);
        }
    }
    best_preset(
        &Sessions::new(past, items, SessionSettings::default())?,
        &valid,
    )
}

/// Of equally good ones the first.
fn best_preset(past: &Sessions, valid: &Log) -> Result<SessionSettings, Error> {
    let (mut best, mut best_mrr) = (SessionSettings::default(), -1.0);
    for preset in presets() {
        // Going back is a source of its own when a snapshot serves.
        let asked = past.with_settings(SessionSettings {
            revisit: 0.0,
            ..preset
        })?;
        let mrr = score_sessions(&asked, valid, PLACES, PREFIXES).mrr();
        if mrr > best_mrr {
            (best, best_mrr) = (preset, mrr);
        }
    }
    Ok(best)
}

fn presets() -> [SessionSettings; 3] {
    let visits = SessionSettings::default();
    let loose = SessionSettings {
        position: 2.0,
        ahead: 2.0,
        behind: 2.0,
        ..visits
    };
    let baskets = SessionSettings {
        last: 50,
        position: 20.0,
        ahead: 1e3,
        behind: 1e3,
        behind_share: 1.0,
        length: 0.5,
        ..visits
    };
    [visits, loose, baskets]
}
