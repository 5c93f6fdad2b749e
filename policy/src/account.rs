//! A budget as it lies in the store: the ledger of a period, and beside it the price λ.
//!
//! Both change in one compare-and-set, so that the price always rests on what the ledger had
//! spent. What is settled is forgotten after twice the time for which money is held: nothing that
//! old can still be handed out, so the value stays as small as what was decided lately.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use prost::Message;

use crate::ledger::{Ledger, LedgerDecodeError};
use crate::pace::{Pacer, Plan, Tuning};

/// Raised with every change that an older reader would misread.
const VERSION: u32 = 1;
/// Moves of the price in a period.
const TICKS: i64 = 1_440;

/// Over what a budget is renewed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    /// From Monday on.
    Week,
    Month,
}

impl Period {
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The name in policy files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_str() == name)
    }

    /// The period around a moment, in universal time: its name (`2026-03-23`, `2026-W13`,
    /// `2026-03`), and from when until when it lasts. A moment that no calendar has is in the
    /// period `never`, for which no budget lasts.
    #[must_use]
    pub fn around(self, now_ms: i64) -> (String, i64, i64) {
        self.of(now_ms)
            .unwrap_or_else(|| ("never".to_owned(), now_ms, now_ms.saturating_add(1)))
    }

    fn of(self, now_ms: i64) -> Option<(String, i64, i64)> {
        let now = Timestamp::from_millisecond(now_ms).ok()?;
        let today = TimeZone::UTC.to_datetime(now).date();
        let (name, first, length) = match self {
            Self::Day => (today.to_string(), today, Span::new().days(1)),
            Self::Week => {
                let week = today.iso_week_date();
                let days = i64::from(today.weekday().to_monday_zero_offset());
                let monday = today.checked_sub(Span::new().days(days)).ok()?;
                let name = format!("{}-W{:02}", week.year(), week.week());
                (name, monday, Span::new().weeks(1))
            }
            Self::Month => {
                let name = format!("{:04}-{:02}", today.year(), today.month());
                (name, today.first_of_month(), Span::new().months(1))
            }
        };
        let after = first.checked_add(length).ok()?;
        Some((name, start_ms(first)?, start_ms(after)?))
    }
}

fn start_ms(day: Date) -> Option<i64> {
    let midnight = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(midnight.as_millisecond())
}

/// The budget of a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetPlan {
    /// What may be spent in a period.
    pub amount_minor: i64,
    pub period: Period,
    /// For how long money is held for an action that waits.
    pub hold_ms: i64,
    /// Whether the money has a price that moves, so that it lasts for the period.
    pub pacing: bool,
}

/// The ledger of one campaign in one period, with the price of its money.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub ledger: Ledger,
    lambda: f64,
    paced_at_ms: i64,
    paced_spent_minor: i64,
}

/// A value that is no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountDecodeError {
    #[error("the budget is not readable: {0}")]
    Malformed(String),
    #[error("the budget has version {0}, this build reads 1 to {VERSION}")]
    Version(u32),
    #[error(transparent)]
    Ledger(#[from] LedgerDecodeError),
}

#[derive(Clone, PartialEq, Message)]
struct AccountMessage {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    ledger: Vec<u8>,
    #[prost(fixed64, tag = "3")]
    lambda_bits: u64,
    #[prost(int64, tag = "4")]
    paced_at_ms: i64,
    #[prost(int64, tag = "5")]
    paced_spent_minor: i64,
}

impl Account {
    /// Nothing spent, and money without a price.
    #[must_use]
    pub fn new(campaign: &str, period: &str, plan: &BudgetPlan) -> Self {
        Self {
            ledger: Ledger::new(campaign, period, plan.amount_minor),
            lambda: 0.0,
            paced_at_ms: i64::MIN,
            paced_spent_minor: 0,
        }
    }

    /// The price of a minor unit; 0 when nothing is scarce.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Brings the account up to a moment: the amount of the plan, what expired, what is to be
    /// forgotten, and the price.
    pub fn settle(&mut self, plan: &BudgetPlan, now_ms: i64) {
        self.ledger.expire(now_ms);
        self.ledger.set_budget(plan.amount_minor);
        let kept_ms = plan.hold_ms.saturating_mul(2);
        self.ledger.forget(now_ms.saturating_sub(kept_ms));
        self.price(plan, now_ms);
    }

    /// What is promised counts as spent: nearly all of it will be.
    fn price(&mut self, plan: &BudgetPlan, now_ms: i64) {
        if !plan.pacing {
            self.lambda = 0.0;
            return;
        }
        let (_, start_ms, end_ms) = plan.period.around(now_ms);
        let tick_ms = (end_ms - start_ms) / TICKS;
        if now_ms.saturating_sub(self.paced_at_ms.max(start_ms)) < tick_ms {
            return;
        }
        let spent = self.ledger.spent_minor() + self.ledger.promised_minor();
        let planned = Plan::new(plan.amount_minor, start_ms, end_ms, &[1.0]);
        let pacer = planned.and_then(|planned| Pacer::new(planned, Tuning::default(), self.lambda));
        let Ok(mut pacer) = pacer else { return };
        pacer.resume(self.paced_at_ms.max(start_ms), self.paced_spent_minor);
        self.lambda = pacer.tick(now_ms, spent);
        (self.paced_at_ms, self.paced_spent_minor) = (now_ms, spent);
    }

    /// The value to store.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        AccountMessage {
            version: VERSION,
            ledger: self.ledger.encode(),
            lambda_bits: self.lambda.to_bits(),
            paced_at_ms: self.paced_at_ms,
            paced_spent_minor: self.paced_spent_minor,
        }
        .encode_to_vec()
    }

    /// Reads what [`Account::encode`] wrote.
    ///
    /// # Errors
    /// Bytes that are no account, one of a newer version, or one whose ledger does not add up.
    pub fn decode(bytes: &[u8]) -> Result<Self, AccountDecodeError> {
        let message = AccountMessage::decode(bytes)
            .map_err(|error| AccountDecodeError::Malformed(error.to_string()))?;
        if message.version == 0 || message.version > VERSION {
            return Err(AccountDecodeError::Version(message.version));
        }
        let lambda = f64::from_bits(message.lambda_bits);
        if !(lambda >= 0.0 && lambda.is_finite()) {
            let why = format!("lambda is {lambda}, it has to be 0 or more");
            return Err(AccountDecodeError::Malformed(why));
        }
        Ok(Self {
            ledger: Ledger::decode(&message.ledger)?,
            lambda,
            paced_at_ms: message.paced_at_ms,
            paced_spent_minor: message.paced_spent_minor,
        })
    }
}
