//! The budget: one task for each process reads, changes and replaces the accounts of the periods,
//! many wishes at a time, so that a busy budget costs a write for many decisions and not for each.

use std::collections::BTreeMap;
use std::time::Duration;

use feature_store::{FeatureStore, Swapped};
use kit::{CancellationToken, Clock, Problem};
use policy::account::{Account, BudgetPlan};
use policy::ledger::{Claim, Refused};
use tokio::sync::{mpsc, oneshot, watch};

/// The campaign of the policy file's own budget.
const CAMPAIGN: &str = "policy";
/// Wishes that wait, and that one write may settle.
const WAITING: usize = 4_096;
const AT_ONCE: usize = 512;
/// Writes that may lose against other processes, one after the other.
const ATTEMPTS: u32 = 100;
/// Periods whose accounts are kept in memory.
const KEPT: usize = 4;
/// How often the price and what is left are looked at when nobody asks.
const REFRESH: Duration = Duration::from_secs(1);

/// What is asked of a period's account.
#[derive(Clone, Debug)]
enum Wish {
    Reserve {
        decision_id: String,
        max_cost_minor: i64,
    },
    Commit {
        decision_id: String,
        actual_minor: i64,
    },
    Release {
        decision_id: String,
    },
    /// Only to see it.
    Look,
}

type Settled = Result<Result<(), Refused>, Problem>;

#[derive(Debug)]
struct Asked {
    plan: BudgetPlan,
    period: String,
    wish: Wish,
    answer: oneshot::Sender<Settled>,
}

/// The budget as this process saw it last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    period: String,
    lambda: f64,
    free_minor: i64,
}

/// The budget of the policy in use. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    asks: mpsc::Sender<Asked>,
    view: watch::Receiver<View>,
    clock: Clock,
}

impl Budget {
    /// The budget, and the task that keeps it, which runs until `stop`.
    pub(crate) fn open(
        store: FeatureStore,
        clock: Clock,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (asks, asked) = mpsc::channel(WAITING);
        let (shown, view) = watch::channel(View::default());
        let keeper = Keeper {
            store,
            clock: clock.clone(),
            kept: BTreeMap::new(),
            shown,
        };
        let budget = Self { asks, view, clock };
        (budget, keeper.run(asked, stop))
    }

    /// The price of a minor unit and what is left to promise, as seen last; nothing is limited
    /// without a plan. A period that nobody has seen yet is as its plan begins.
    pub(crate) fn view(&self, plan: Option<&BudgetPlan>, now_ms: i64) -> (f64, Option<i64>) {
        let Some(plan) = plan else {
            return (0.0, None);
        };
        let (period, ..) = plan.period.around(now_ms);
        let view = self.view.borrow();
        if view.period == period {
            (view.lambda, Some(view.free_minor))
        } else {
            (0.0, Some(plan.amount_minor))
        }
    }

    /// Looks at the account again and again, for as long as the role lives.
    pub(crate) async fn refresh(self, plan: impl Fn() -> Option<BudgetPlan> + Send) {
        loop {
            if let Some(plan) = plan() {
                let (period, ..) = plan.period.around(self.clock.now_ms());
                if let Err(problem) = self.ask(&plan, &period, Wish::Look).await {
                    tracing::debug!(%problem, "the budget cannot be seen");
                }
            }
            tokio::time::sleep(REFRESH).await;
        }
    }

    /// Holds money for a decision. Answers the period that holds it, or how much is left where that
    /// is not enough.
    pub(crate) async fn reserve(
        &self,
        plan: &BudgetPlan,
        decision_id: &str,
        max_cost_minor: i64,
    ) -> Result<Result<String, i64>, Problem> {
        let (period, ..) = plan.period.around(self.clock.now_ms());
        let wish = Wish::Reserve {
            decision_id: decision_id.to_owned(),
            max_cost_minor,
        };
        Ok(match self.ask(plan, &period, wish).await? {
            Ok(()) => Ok(period),
            Err(Refused::Exhausted { free_minor, .. }) => Err(free_minor),
            Err(refused) => {
                tracing::debug!(%refused, "no money is held");
                Err(0)
            }
        })
    }

    /// Spends what was held. Whoever is refused must not send.
    pub(crate) async fn commit(
        &self,
        plan: &BudgetPlan,
        period: &str,
        decision_id: &str,
        actual_minor: i64,
    ) -> Result<Result<(), Refused>, Problem> {
        let wish = Wish::Commit {
            decision_id: decision_id.to_owned(),
            actual_minor,
        };
        self.ask(plan, period, wish).await
    }

    /// Gives back what was held. What cannot be given back now is given back by its expiry.
    pub(crate) async fn release(&self, plan: Option<&BudgetPlan>, period: &str, decision_id: &str) {
        let Some(plan) = plan.filter(|_| !period.is_empty()) else {
            return;
        };
        let wish = Wish::Release {
            decision_id: decision_id.to_owned(),
        };
        if let Err(problem) = self.ask(plan, period, wish).await {
            tracing::debug!(%problem, "held money waits for its expiry");
        }
    }

    async fn ask(&self, plan: &BudgetPlan, period: &str, wish: Wish) -> Settled {
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            plan: plan.clone(),
            period: period.to_owned(),
            wish,
            answer,
        };
        let stops = || Problem::Unavailable("the server stops".to_owned());
        self.asks.send(asked).await.map_err(|_| stops())?;
        answered.await.map_err(|_| stops())?
    }
}

/// The task behind a [`Budget`].
struct Keeper {
    store: FeatureStore,
    clock: Clock,
    /// Accounts as this process wrote or read them last, with their versions.
    kept: BTreeMap<String, (u64, Account)>,
    shown: watch::Sender<View>,
}

impl Keeper {
    async fn run(mut self, mut asked: mpsc::Receiver<Asked>, stop: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            let some = tokio::select! {
                () = stop.cancelled() => return,
                some = asked.recv_many(&mut batch, AT_ONCE) => some,
            };
            if some == 0 {
                return;
            }
            let mut periods: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
            for one in batch.drain(..) {
                periods.entry(one.period.clone()).or_default().push(one);
            }
            for (period, asked) in periods {
                let settled = self.settle(&period, &asked).await;
                answer(asked, settled);
            }
        }
    }

    /// Settles all wishes in one write; the answers are in their order.
    async fn settle(
        &mut self,
        period: &str,
        asked: &[Asked],
    ) -> Result<Vec<Result<(), Refused>>, Problem> {
        for attempt in 0..ATTEMPTS {
            let kept = self.kept.remove(period);
            let is_fresh = kept.is_none();
            let (version, before) = match kept {
                Some(kept) => kept,
                None => self.read(period, asked).await?,
            };
            let mut account = before.clone();
            let settled = self.apply(&mut account, asked);
            if !is_fresh && settled.iter().any(Result::is_err) {
                // Another process may have made room, or reserved what is to be committed here.
                continue;
            }
            if account == before && version > 0 {
                self.keep(period, version, account);
                return Ok(settled);
            }
            let value = account.encode().into();
            let swap = self.store.swap_budget(CAMPAIGN, period, version, value);
            match swap.await.map_err(|error| unavailable(&error))? {
                Swapped::Done => {
                    self.keep(period, version.saturating_add(1), account);
                    return Ok(settled);
                }
                Swapped::Conflict => {
                    let wait = Duration::from_millis(u64::from(attempt.min(20)));
                    tokio::time::sleep(wait).await;
                }
            }
        }
        Err(Problem::Unavailable(format!(
            "the budget: other processes won {ATTEMPTS} writes in a row"
        )))
    }

    fn apply(&self, account: &mut Account, asked: &[Asked]) -> Vec<Result<(), Refused>> {
        let now_ms = self.clock.now_ms();
        if let Some(first) = asked.first() {
            account.settle(&first.plan, now_ms);
        }
        let ledger = &mut account.ledger;
        let one = |asked: &Asked| match &asked.wish {
            Wish::Reserve {
                decision_id,
                max_cost_minor,
            } => ledger.reserve(
                Claim {
                    decision_id,
                    max_cost_minor: *max_cost_minor,
                    decided_at_ms: now_ms,
                    expires_at_ms: now_ms.saturating_add(asked.plan.hold_ms),
                },
                now_ms,
            ),
            Wish::Commit {
                decision_id,
                actual_minor,
            } => ledger.commit(decision_id, *actual_minor, now_ms),
            Wish::Release { decision_id } => ledger.release(decision_id, now_ms),
            Wish::Look => Ok(()),
        };
        asked.iter().map(one).collect()
    }

    async fn read(&self, period: &str, asked: &[Asked]) -> Result<(u64, Account), Problem> {
        let stored = self.store.budget(CAMPAIGN, period).await;
        match (stored.map_err(|error| unavailable(&error))?, asked.first()) {
            (Some(stored), _) => {
                let account = Account::decode(&stored.value)
                    .map_err(|error| Problem::Internal(error.to_string()))?;
                Ok((stored.version, account))
            }
            (None, Some(first)) => Ok((0, Account::new(CAMPAIGN, period, &first.plan))),
            (None, None) => Err(Problem::Internal("nobody asks of the budget".to_owned())),
        }
    }

    fn keep(&mut self, period: &str, version: u64, account: Account) {
        self.shown.send_if_modified(|view| {
            // Periods sort as they pass; settling one that is over shows nothing.
            let is_newer = view.period.as_str() <= period;
            if is_newer {
                *view = View {
                    period: period.to_owned(),
                    lambda: account.lambda(),
                    free_minor: account.ledger.free_minor(),
                };
            }
            is_newer
        });
        self.kept.insert(period.to_owned(), (version, account));
        while self.kept.len() > KEPT {
            self.kept.pop_first();
        }
    }
}

fn answer(asked: Vec<Asked>, settled: Result<Vec<Result<(), Refused>>, Problem>) {
    match settled {
        Ok(settled) => {
            for (one, settled) in asked.into_iter().zip(settled) {
                // Nobody may wait any more; what is held then expires.
                let _ = one.answer.send(Ok(settled));
            }
        }
        Err(problem) => {
            for one in asked {
                let _ = one.answer.send(Err(problem.clone()));
            }
        }
    }
}

fn unavailable(error: &feature_store::store::Error) -> Problem {
    crate::commit::unavailable("the budget", error)
}
