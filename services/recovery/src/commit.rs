//! COMMIT: a decision is made part of the person's value, together with its log, its outbox row and
//! the next look, in one commit; and answered from the log ever after.

mod carrying;

use std::fmt::Display;

use feature_store::{Changed, FeatureStore, ShopperChange, StoredShopper};
use kit::{Clock, Problem};
use policy::person::OpenAction;
use policy::sequence::StepKey;
use policy::{Inputs, Policy};
use prost::Message as _;
use proto::v1 as pb;

use crate::actions::Tokens;
use crate::budget::Budget;
use crate::campaigns::Campaigns;
use crate::convert;
use crate::decide::Decided;
use crate::generation::Generation;
use crate::person::{Stand, is_held_out};
use crate::policies::Policies;
use crate::record::{Record, decision_id, fingerprint};
use crate::request::{Occasion, Request};
use crate::row::Row;

/// Times that a decision is carried to a value that somebody else was quicker to change.
const ATTEMPTS: usize = 8;

/// What is stored about a request.
#[derive(Debug)]
pub(crate) enum Found {
    Answered(Box<pb::Decision>),
    Open(Box<StoredShopper>),
}

/// Where decisions are kept, and money is held for them.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    pub(crate) store: FeatureStore,
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    pub(crate) policies: Policies,
    pub(crate) campaigns: Campaigns,
    /// `None` without keys: neither messages nor answers carry codes and links.
    pub(crate) tokens: Option<Tokens>,
}

impl Books {
    /// `redis` or `embedded`.
    pub(crate) fn store_name(&self) -> &'static str {
        self.store.store().name()
    }

    /// Whether the store is known not to answer.
    pub(crate) fn is_away(&self) -> bool {
        self.store.store().is_away()
    }

    /// The answer given before to this request id, or else the person that it is to be kept with.
    pub(crate) async fn find(&self, request: &Request) -> Result<Found, Problem> {
        let id = decision_id(&request.shopper_id, &request.request_id);
        let read = self
            .store
            .stored_shopper_and_decision(&request.shopper_id, &id);
        let (read, before) = read.await.map_err(|error| log_unavailable(&error))?;
        Ok(match before {
            Some(bytes) => {
                let answer = self.answer_again(request, &bytes, Some(&read)).await?;
                Found::Answered(Box::new(answer))
            }
            None => Found::Open(Box::new(read)),
        })
    }

    /// Commits the decision unless one with this request id came first; answers what is in the log,
    /// and whether it was written now. `read` is the person as they were found; whoever changed
    /// since is read again.
    pub(crate) async fn keep(
        &self,
        request: &Request,
        mut read: Option<Box<StoredShopper>>,
        mut decided: Decided,
        generation: &Generation,
    ) -> Result<(pb::Decision, bool), Problem> {
        let policy = &generation.policy;
        self.policies.keep(&self.store, policy).await?;
        let mut is_promised = false;
        for _ in 0..ATTEMPTS {
            let mut stand = match read.take() {
                Some(read) => Stand::of(*read)?,
                None => self.stand(&request.shopper_id).await?,
            };
            if is_held_out(policy, &request.shopper_id, &stand) && !decided.inputs.held_out {
                decided.decide_again(policy, |inputs| inputs.held_out = true);
                decided.line_offers.clear();
            }
            // Once, and not to those who are left alone: what is promised is spent.
            if !is_promised {
                self.campaigns.promise(&mut decided, policy).await?;
                is_promised = true;
            }
            let step = self.step(request, &decided, &mut stand, policy)?;
            if step.is_none() && is_capped(&decided, &stand, policy, self.clock.now_ms()) {
                decided.decide_again(policy, |inputs| inputs.capped = true);
            }
            let period = self.hold(&mut decided, policy, step.is_some()).await?;
            let (change, answer) =
                self.change(request, &decided, stand, (step, &period), policy)?;
            let (read, change) = change;
            let changed = self.store.change(&request.shopper_id, read, change).await;
            match changed.map_err(|error| log_unavailable(&error))? {
                Changed::Done => {
                    self.keep_carried(&answer, &decided.inputs, None).await?;
                    return Ok((answer, true));
                }
                Changed::Decided(bytes) => {
                    let answer = self.answer_again(request, &bytes, None).await?;
                    return Ok((answer, false));
                }
                Changed::Erased => {
                    return Err(Problem::Precondition(format!(
                        "request_id {:?} was committed before the shopper was erased; a new one is needed",
                        request.request_id
                    )));
                }
                Changed::Conflict => {}
            }
        }
        Err(Problem::Unavailable(
            "the shopper's value changes too fast to decide on; ask again with the same request_id"
                .to_owned(),
        ))
    }

    /// What was answered before, if it was to the same request.
    async fn answer_again(
        &self,
        request: &Request,
        bytes: &[u8],
        read: Option<&StoredShopper>,
    ) -> Result<pb::Decision, Problem> {
        let record = Record::decode(bytes).map_err(damaged)?;
        if record.fingerprint != fingerprint(request) {
            return Err(Problem::Conflict(format!(
                "request_id {:?} was committed for another request",
                request.request_id
            )));
        }
        let answer = pb::Decision::decode(record.decision.as_slice()).map_err(damaged)?;
        if carrying::carries(&answer) {
            let inputs = Inputs::decode(&record.inputs).map_err(damaged)?;
            self.keep_carried(&answer, &inputs, read).await?;
        }
        Ok(answer)
    }

    /// A person as they are stored now.
    pub(crate) async fn stand(&self, shopper_id: &str) -> Result<Stand, Problem> {
        let read = self.store.stored_shoppers(&[shopper_id]).await;
        let read = read.map_err(|error| log_unavailable(&error))?;
        Stand::of(read.into_iter().next().unwrap_or_default())
    }

    /// Takes the step that the decision is about. A step that came due is taken or nothing is
    /// decided; somebody who asks knows that the shopper is leaving, and takes the next step early.
    fn step(
        &self,
        request: &Request,
        decided: &Decided,
        stand: &mut Stand,
        policy: &Policy,
    ) -> Result<Option<StepKey>, Problem> {
        let now_ms = self.clock.now_ms();
        let due = stand.due(policy);
        let version = stand.seen.cart_version;
        let left = stand.left();
        let about_this_cart = !left.is_of_cart() || decided.cart_version == version;
        let (pace, plan) = (stand.seen.pace(left), policy.plan(left));
        let taken = match (stand.person.sequence.as_mut().zip(plan), due) {
            (Some((sequence, plan)), Some(due)) if about_this_cart => match request.occasion {
                Occasion::Due { key, .. } => sequence.take(key, plan, pace, now_ms).then_some(key),
                Occasion::Asked if request.cart.is_empty() && left.is_of_cart() => sequence
                    .take_early(due.key, plan, pace, now_ms)
                    .then_some(due.key),
                Occasion::Asked => None,
            },
            (Some(_) | None, _) => None,
        };
        match (taken, request.occasion) {
            (None, Occasion::Due { .. }) => Err(Problem::Conflict(
                "the step is not due any more, or its cart changed".to_owned(),
            )),
            (taken, Occasion::Asked | Occasion::Due { .. }) => Ok(taken),
        }
    }

    /// Holds the money that the decision may cost; where there is not enough, something cheaper is
    /// decided. An answer that is not handed out is the hand-out itself, and so spends at once.
    async fn hold(
        &self,
        decided: &mut Decided,
        policy: &Policy,
        waits: bool,
    ) -> Result<String, Problem> {
        let Some(plan) = policy.budget() else {
            return Ok(String::new());
        };
        // What is left only falls here, so at most every arm is refused once.
        for _ in 0..=policy.arms().len() {
            let cost = decided.decision.max_cost_minor;
            if cost <= 0 {
                break;
            }
            match self
                .budget
                .reserve(plan, &decided.decision_id, cost)
                .await?
            {
                Ok(period) => {
                    if !waits {
                        let id = &decided.decision_id;
                        let spent = self.budget.commit(plan, &period, id, cost).await?;
                        if let Err(refused) = spent {
                            return Err(Problem::Unavailable(format!("the budget: {refused}")));
                        }
                    }
                    return Ok(period);
                }
                Err(free) => {
                    let free = free.min(cost.saturating_sub(1));
                    decided.decide_again(policy, |inputs| inputs.budget_free_minor = Some(free));
                }
            }
        }
        Ok(String::new())
    }

    fn change(
        &self,
        request: &Request,
        decided: &Decided,
        mut stand: Stand,
        (step, period): (Option<StepKey>, &str),
        policy: &Policy,
    ) -> Result<((StoredShopper, ShopperChange), pb::Decision), Problem> {
        let now_ms = self.clock.now_ms();
        let sends = decided.decision.action.sends_message();
        let mut outbox = Vec::new();
        let mut message = String::new();
        if let Some(key) = step.filter(|_| sends) {
            let channel = &decided.decision.channel;
            message = key.message(&request.shopper_id);
            let row = Row::new(&request.shopper_id, &decided.decision_id, channel);
            outbox.push(row.encode_to_vec().into());
            stand.person.actions.push(OpenAction {
                decision_id: decided.decision_id.clone(),
                key,
                channel: channel.clone(),
                bought_units: stand.standing.bought_units,
                decided_at_ms: now_ms,
                period: period.to_owned(),
                max_cost_minor: decided.decision.max_cost_minor,
                handed_out_at_ms: None,
            });
        }
        // The answer is the hand-out: the message counts as any other, for whoever is known.
        let counts = sends && step.is_none() && stand.read.version > 0;
        if counts {
            let (id, channel) = (&decided.decision_id, &decided.decision.channel);
            stand.person.sends.record(id, channel, now_ms);
        }
        stand.person.forget(now_ms, longest_window_ms(policy));
        let mut answer = convert::decision(decided, message);
        if sends && answer.idempotency_key.is_empty() {
            self.carry(&mut answer, &decided.inputs, now_ms);
        }
        let record = convert::record(request, decided, &answer, policy, step);
        let look = stand.look(policy);
        let change = ShopperChange {
            at: feature_store::Millis(now_ms),
            // Somebody of whom nothing is known, and about whom nothing is pursued, gets no section.
            recovery: (step.is_some() || counts).then(|| stand.person.encode()),
            decision: Some((decided.decision_id.clone(), record.encode_to_vec().into())),
            outbox,
            look: match step {
                Some(_) => look,
                None => feature_store::Look::Keep,
            },
            ..ShopperChange::default()
        };
        Ok(((stand.read, change), answer))
    }
}

/// Whether a cap stands against a message that the answer itself would hand out.
fn is_capped(decided: &Decided, stand: &Stand, policy: &Policy, now_ms: i64) -> bool {
    let (decision, caps) = (&decided.decision, &policy.limits().caps);
    let sends = &stand.person.sends;
    let free = sends.next_free(caps, &decision.channel, &decided.decision_id, now_ms);
    decision.action.sends_message() && free != Some(now_ms)
}

/// The longest window that any cap counts over.
pub(crate) fn longest_window_ms(policy: &Policy) -> i64 {
    let windows = policy.limits().caps.iter().map(|cap| cap.window_ms);
    windows.max().unwrap_or_default()
}

pub(crate) fn damaged(error: impl Display) -> Problem {
    Problem::Internal(format!("the logged decision cannot be read: {error}"))
}

fn log_unavailable(error: &feature_store::store::Error) -> Problem {
    unavailable("the decision log", error)
}

pub(crate) fn unavailable(what: &str, error: &feature_store::store::Error) -> Problem {
    use feature_store::store::Error;
    match error {
        Error::Unavailable { .. } => Problem::Unavailable(format!("{what}: {error}")),
        Error::Corrupt { .. } => Problem::Internal(format!("{what}: {error}")),
    }
}
