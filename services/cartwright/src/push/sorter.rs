//! Reading, and handing each shopper's events to one lane.

use tokio::sync::mpsc;
use trainer::readers::BadLine;

use super::{BATCH, LANES, News, Numbered, Refusal, Source};
use crate::wire;

/// Hands what was read to the lanes.
#[derive(Debug)]
pub(super) struct Sorter {
    pub(super) senders: Vec<mpsc::Sender<Vec<Numbered>>>,
    pub(super) say: mpsc::Sender<News>,
}

/// The other end is gone.
#[derive(Debug)]
pub(super) struct Stopped;

impl Sorter {
    /// Reads to the end, or until a lane gave up.
    pub(super) fn read<S: Source>(self, lines: &mut S) -> Result<(), Stopped> {
        let mut waiting: Vec<Vec<Numbered>> = Vec::new();
        waiting.resize_with(LANES, Vec::new);
        for line in lines {
            match line {
                Err(bad) => self.bad(bad)?,
                Ok(parsed) => {
                    let lane = lane_of(&parsed.event.shopper_id);
                    let batch = waiting.get_mut(lane).ok_or(Stopped)?;
                    batch.push(Numbered {
                        line: parsed.line,
                        event: wire::event(&parsed.event),
                    });
                    if batch.len() == BATCH {
                        self.send(lane, std::mem::take(batch))?;
                    }
                }
            }
        }
        let mut rest = waiting.into_iter().enumerate();
        rest.try_for_each(|(lane, batch)| self.send(lane, batch))
    }

    fn send(&self, lane: usize, batch: Vec<Numbered>) -> Result<(), Stopped> {
        if batch.is_empty() {
            return Ok(());
        }
        let sender = self.senders.get(lane).ok_or(Stopped)?;
        sender.blocking_send(batch).map_err(|_| Stopped)
    }

    fn bad(&self, bad: BadLine) -> Result<(), Stopped> {
        let refusal = Refusal {
            line: bad.line,
            reason: bad.reason,
            raw: bad.raw,
        };
        self.say
            .blocking_send(News::BadLine(refusal))
            .map_err(|_| Stopped)
    }
}

/// The lane of a shopper: any function of the id will do, as long as it stays the same.
fn lane_of(shopper_id: &str) -> usize {
    let mix = |sum: usize, byte: u8| sum.wrapping_mul(31).wrapping_add(usize::from(byte));
    shopper_id.bytes().fold(0, mix) % LANES
}
