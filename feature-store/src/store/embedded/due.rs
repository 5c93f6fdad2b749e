//! Deadlines. Each lies under its name and, to be found when it is due, under its time.

use fjall::OwnedWriteBatch;

use super::layout;
use super::writer::Writer;
use crate::Millis;
use crate::store::{Due, Error, Partition};

impl Writer {
    pub(super) fn move_deadline(
        &self,
        batch: &mut OwnedWriteBatch,
        partition: Partition,
        id: &str,
        before: Option<Millis>,
        after: Option<Millis>,
    ) {
        let deadlines = &self.engine.deadlines;
        if before == after {
            return;
        }
        if let Some(before) = before {
            batch.remove(deadlines, layout::due(partition, before, id));
        }
        match after {
            Some(after) => {
                batch.insert(
                    deadlines,
                    layout::deadline(partition, id),
                    layout::time(after),
                );
                batch.insert(deadlines, layout::due(partition, after, id), []);
            }
            None => batch.remove(deadlines, layout::deadline(partition, id)),
        }
    }

    /// Moves deadlines that were found due; those that changed since are left alone.
    pub(super) fn claim(&self, found: Vec<Due>, until: Millis) -> Result<Vec<Due>, Error> {
        let mut claimed = Vec::new();
        for due in found {
            if self.engine.deadline(due.partition, &due.id)? == Some(due.due_at) {
                claimed.push(due);
            }
        }
        self.apply(|batch| {
            for due in &claimed {
                let before = Some(due.due_at);
                self.move_deadline(batch, due.partition, &due.id, before, Some(until));
            }
        })?;
        Ok(claimed)
    }
}
