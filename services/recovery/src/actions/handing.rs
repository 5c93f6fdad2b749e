//! One row of the outbox: send, later, or never.

use feature_store::{Changed, Delivery, Look, Millis, RowKey, ShopperChange};
use kit::Problem;
use policy::Inputs;
use policy::guard::{Reason, Verdict};
use policy::person::OpenAction;
use prost::Message as _;
use proto::v1 as pb;

use super::guard::{Waiting, verdict};
use super::issuing::{About, Carried};
use super::{ATTEMPTS, Actions, HandedOut, too_fast};
use crate::commit::{damaged, longest_window_ms, unavailable};
use crate::generation::Generation;
use crate::metrics::Handing;
use crate::person::Stand;
use crate::record::Record;
use crate::row::Row;

/// An action whose terms do not hold is decided about again after so long, and then after twice
/// that, so many times at most.
const AGAIN_MS: i64 = 3_600_000;
const MOST_ATTEMPTS: u32 = 5;

/// What becomes of a row.
#[derive(Debug)]
pub(super) enum Handed {
    /// It is committed as sent and has to leave.
    Out(Box<HandedOut>),
    /// Nothing is left to hand out; the row is done.
    Over,
    /// It may not leave now, and stays with the group until its lease ends.
    Waits,
}

/// The row with what it stands for.
struct Open {
    action: OpenAction,
    inputs: Inputs,
    decision: pb::Decision,
}

impl Open {
    fn about<'a>(&'a self, row: &'a Row, row_key: Option<&'a RowKey>, now_ms: i64) -> About<'a> {
        About {
            shopper_id: &row.shopper_id,
            decision_id: &row.decision_id,
            cart_version: self.action.key.cart_version,
            decision: &self.decision,
            inputs: &self.inputs,
            now_ms,
            row_key,
            again: self.action.handed_out_at_ms.is_some(),
        }
    }
}

impl Actions {
    /// Checks the row's action and commits what becomes of it.
    pub(super) async fn hand_out(&self, delivery: &Delivery, row: &Row) -> Result<Handed, Problem> {
        let generation = self.generations.get("")?;
        for _ in 0..ATTEMPTS {
            let Some((stand, open)) = self.read(row).await? else {
                self.metrics.handed(Handing::Withdrawn);
                return Ok(Handed::Over);
            };
            let now_ms = self.books.clock.now_ms();
            let waiting = Waiting {
                shopper_id: &row.shopper_id,
                action: &open.action,
                inputs: &open.inputs,
                decision: &open.decision,
            };
            let mut verdict = verdict(waiting, &stand, &generation, &self.items, now_ms);
            if verdict == Verdict::Send {
                verdict = self.pay(&open.action, &generation).await?;
            }
            let again = open.action.handed_out_at_ms.is_some();
            let handing = Handing::of(&verdict);
            if again && matches!(verdict, Verdict::Later { .. }) {
                self.metrics.handed(handing);
                return Ok(Handed::Waits);
            }
            let carried = match handing == Handing::Sent {
                true => {
                    let row_key = stand.read.row_key();
                    self.carried(open.about(row, row_key.as_ref(), now_ms))
                        .await?
                }
                false => Carried::default(),
            };
            let settled = (verdict, now_ms);
            if !self
                .settle(row, stand, &open.action, settled, &generation)
                .await?
            {
                continue;
            }
            self.metrics.handed(handing);
            if handing != Handing::Sent {
                self.give_back(&open.action, &generation).await;
                return Ok(Handed::Over);
            }
            return Ok(Handed::Out(Box::new(HandedOut {
                partition: delivery.partition,
                sequence: delivery.sequence,
                until: delivery.until,
                shopper_id: row.shopper_id.clone(),
                message: open.action.key.message(&row.shopper_id),
                action: open.action,
                decision: open.decision,
                inputs: open.inputs,
                carried,
                now_ms,
            })));
        }
        Err(too_fast())
    }

    /// Commits the verdict into the person's value; `false` when somebody else was quicker.
    async fn settle(
        &self,
        row: &Row,
        mut stand: Stand,
        action: &OpenAction,
        (verdict, now_ms): (Verdict, i64),
        generation: &Generation,
    ) -> Result<bool, Problem> {
        let look = match verdict {
            Verdict::Send => {
                let message = action.key.message(&row.shopper_id);
                stand.person.hand_out(&action.decision_id, &message, now_ms);
                Look::Keep
            }
            Verdict::Later { at_ms, .. } => put_off(&mut stand, action, at_ms, generation),
            Verdict::Never { why } => give_up(&mut stand, action, (&why, now_ms), generation),
        };
        let window_ms = longest_window_ms(&generation.policy);
        stand.person.forget(now_ms, window_ms);
        let change = ShopperChange {
            at: Millis(now_ms),
            recovery: Some(stand.person.encode()),
            look,
            ..ShopperChange::default()
        };
        let store = &self.books.store;
        let changed = store.change(&row.shopper_id, stand.read, change).await;
        match changed.map_err(|error| unavailable("the shopper", &error))? {
            Changed::Conflict => Ok(false),
            Changed::Done | Changed::Decided(_) | Changed::Erased => Ok(true),
        }
    }

    /// The person and the action; `None` when the action is no longer on its way.
    async fn read(&self, row: &Row) -> Result<Option<(Stand, Open)>, Problem> {
        let store = &self.books.store;
        let read = store.stored_shopper_and_decision(&row.shopper_id, &row.decision_id);
        let (read, record) = read
            .await
            .map_err(|error| unavailable("the outbox", &error))?;
        let stand = Stand::of(read)?;
        let action = stand.person.action(&row.decision_id).cloned();
        let Some((action, record)) = action.zip(record) else {
            return Ok(None);
        };
        let record = Record::decode(record).map_err(damaged)?;
        let open = Open {
            action,
            inputs: Inputs::decode(&record.inputs).map_err(damaged)?,
            decision: pb::Decision::decode(record.decision.as_slice()).map_err(damaged)?,
        };
        Ok(Some((stand, open)))
    }

    /// Spends the money before the message may leave: a crash in between costs the budget, never
    /// the promise that it holds.
    async fn pay(&self, action: &OpenAction, generation: &Generation) -> Result<Verdict, Problem> {
        let cost = action.max_cost_minor;
        let plan = generation.policy.budget();
        let Some(plan) = plan.filter(|_| cost > 0 && action.handed_out_at_ms.is_none()) else {
            return Ok(Verdict::Send);
        };
        let budget = &self.books.budget;
        let (period, id) = (&action.period, &action.decision_id);
        Ok(match budget.commit(plan, period, id, cost).await? {
            Ok(()) => Verdict::Send,
            Err(refused) => {
                tracing::debug!(%refused, "the budget does not pay");
                Verdict::Never {
                    why: Reason::Budget {
                        max_cost_minor: cost,
                    },
                }
            }
        })
    }

    async fn give_back(&self, action: &OpenAction, generation: &Generation) {
        if action.handed_out_at_ms.is_none() {
            let plan = generation.policy.budget();
            let (period, id) = (&action.period, &action.decision_id);
            self.books.budget.release(plan, period, id).await;
        }
    }
}

/// Takes the action back and has its step decided again at that moment.
fn put_off(stand: &mut Stand, action: &OpenAction, at_ms: i64, generation: &Generation) -> Look {
    stand.person.withdraw(&action.decision_id);
    if let Some(sequence) = &mut stand.person.sequence {
        sequence.put_off(action.key, at_ms);
    }
    stand.look(&generation.policy)
}

/// Takes the action back for good, and its step as well unless only its terms stood against it.
fn give_up(
    stand: &mut Stand,
    action: &OpenAction,
    (why, now_ms): (&Reason, i64),
    generation: &Generation,
) -> Look {
    let is_open = action.handed_out_at_ms.is_none() && action.key.attempt < MOST_ATTEMPTS;
    if is_open && why.is_worth_deciding_again() {
        let wait_ms = AGAIN_MS << action.key.attempt;
        let at_ms = Millis(now_ms.saturating_add(wait_ms));
        return put_off(stand, action, at_ms.0, generation);
    }
    stand.person.withdraw(&action.decision_id);
    stand.look(&generation.policy)
}
