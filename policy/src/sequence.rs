//! Recovery in steps: when a cart counts as left, what comes next, and what ends it.
//!
//! A [`Sequence`] is the state of one shopper. The first step is due when the shopper has been
//! idle for longer than they usually are between two acts ([`pace`]), the next ones so long after
//! the last act as the [`Plan`] says. A purchase, a "no thanks" and another cart end it; another
//! cart begins a new one, under its own version.
//!
//! [`Sequence::take`] answers `true` once for each (cart version, step, attempt), whatever comes
//! again, late or out of order: what it allows is committed together with the state. A step whose
//! message was put off at hand-out is decided again as its next attempt.

pub mod pace;

use pace::{Pace, Rhythm};
use serde::{Deserialize, Serialize};

/// What was left.
#[derive(
    Copy, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Items were looked at, none was put into the cart.
    Browse,
    /// There is something in the cart.
    #[default]
    Cart,
    /// The checkout was begun.
    Checkout,
    /// Someone who used to buy has not for longer than usual.
    Lapsed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Browse, Self::Cart, Self::Checkout, Self::Lapsed];

    /// The name in policy files and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Lapsed => "lapsed",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The number in stored values, 0 for the default. It never changes.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Cart => 0,
            Self::Checkout => 1,
            Self::Browse => 2,
            Self::Lapsed => 3,
        }
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether it is about what lies in the cart.
    #[must_use]
    pub const fn is_of_cart(self) -> bool {
        matches!(self, Self::Cart | Self::Checkout)
    }
}

/// When the steps of one kind are due.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How long is idle.
    pub rhythm: Rhythm,
    /// When each step after the first is due, from the last act on; rising.
    pub follow_ups_ms: Vec<i64>,
}

impl Plan {
    /// What the products of the field do by default, in their order of magnitude: an hour or less
    /// for a checkout or a cart, then a day and three days; some hours for browsing, once.
    #[must_use]
    pub fn usual(kind: Kind) -> Self {
        const MINUTE: i64 = 60_000;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        let rhythm = |prior_gap_ms, least_ms, most_ms| Rhythm {
            prior_gap_ms,
            prior_weight: 2.0,
            tail: 0.05,
            least_ms,
            most_ms,
        };
        match kind {
            Kind::Browse => Self {
                rhythm: rhythm(HOUR, 30 * MINUTE, DAY),
                follow_ups_ms: Vec::new(),
            },
            Kind::Cart => Self {
                rhythm: rhythm(9 * MINUTE, 15 * MINUTE, 6 * HOUR),
                follow_ups_ms: vec![DAY, 3 * DAY],
            },
            Kind::Checkout => Self {
                rhythm: rhythm(5 * MINUTE, 10 * MINUTE, 3 * HOUR),
                follow_ups_ms: vec![DAY, 3 * DAY],
            },
            Kind::Lapsed => Self {
                rhythm: rhythm(30 * DAY, 14 * DAY, 365 * DAY),
                follow_ups_ms: Vec::new(),
            },
        }
    }

    /// From the last act to a step; `None` after the last step.
    fn delay_ms(&self, step: u32, pace: Pace) -> Option<i64> {
        let idle_ms = self.rhythm.idle_ms(pace);
        let Some(follow_up) = step.checked_sub(1) else {
            return Some(idle_ms);
        };
        let follow_up = usize::try_from(follow_up).ok()?;
        // Somebody slow is not reminded twice at once: no step comes before the first could.
        let after_ms = *self.follow_ups_ms.get(follow_up)?;
        Some(after_ms.max(idle_ms))
    }
}

/// Names one decision. Whatever is sent for it goes by [`StepKey::message`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepKey {
    pub cart_version: u64,
    /// Counted from 0.
    pub step: u32,
    /// How often the step was put off before.
    pub attempt: u32,
}

impl StepKey {
    /// The idempotency key of the message: all attempts of one step are one message.
    #[must_use]
    pub fn message(&self, person: &str) -> String {
        format!("{person}/{}/{}", self.cart_version, self.step)
    }
}

/// What is due, and when.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub key: StepKey,
    pub at_ms: i64,
}

/// Why a sequence is over.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Purchased,
    Dismissed,
    /// The cart is empty.
    Emptied,
}

/// Something that happened. The version is the cart's after it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The shopper did something that left the cart as it was.
    Active { at_ms: i64 },
    /// The cart changed; `kind` says what would be left now, `None` that it is empty.
    Changed {
        cart_version: u64,
        kind: Option<Kind>,
        at_ms: i64,
    },
    /// An order closed the cart up to this version.
    Purchased { cart_version: u64, at_ms: i64 },
    /// The cart is the same, and something else is to be won back: the checkout was begun, somebody
    /// who ordered looks at items again, or has not come back for long.
    Turned { kind: Kind, at_ms: i64 },
    /// "No thanks" to what was sent about the cart of this version.
    Dismissed { cart_version: u64 },
}

/// One shopper's sequence. It has no clock; that of the caller is an argument.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub(crate) kind: Kind,
    pub(crate) cart_version: u64,
    pub(crate) active_ms: i64,
    /// The step that the plan begins at. Steps of one cart never repeat, whatever it turns to.
    pub(crate) first: u32,
    /// The step that is due next.
    pub(crate) step: u32,
    pub(crate) attempt: u32,
    /// The attempt at which the step before was taken.
    pub(crate) taken_attempt: u32,
    pub(crate) not_before_ms: i64,
    pub(crate) ended: Option<Ended>,
}

impl Sequence {
    #[must_use]
    pub fn begin(kind: Kind, cart_version: u64, at_ms: i64) -> Self {
        Self {
            kind,
            cart_version,
            active_ms: at_ms,
            first: 0,
            step: 0,
            attempt: 0,
            taken_attempt: 0,
            not_before_ms: i64::MIN,
            ended: None,
        }
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Of the cart that it is about.
    #[must_use]
    pub fn cart_version(&self) -> u64 {
        self.cart_version
    }

    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Takes in what happened. Something about an older cart than the present one has no effect,
    /// nor has anything that comes again.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Active { at_ms } => self.active_ms = self.active_ms.max(at_ms),
            Event::Changed {
                cart_version,
                kind,
                at_ms,
            } if cart_version > self.cart_version => {
                let at_ms = at_ms.max(self.active_ms);
                *self = Self::begin(kind.unwrap_or(self.kind), cart_version, at_ms);
                self.ended = kind.is_none().then_some(Ended::Emptied);
            }
            Event::Purchased {
                cart_version,
                at_ms,
            } if cart_version >= self.cart_version => {
                self.cart_version = cart_version;
                self.active_ms = self.active_ms.max(at_ms);
                self.ended = Some(Ended::Purchased);
            }
            Event::Turned { kind, at_ms } if kind != self.kind => self.turn(kind, at_ms),
            Event::Dismissed { cart_version } if cart_version == self.cart_version => {
                self.ended = self.ended.or(Some(Ended::Dismissed));
            }
            Event::Changed { .. }
            | Event::Purchased { .. }
            | Event::Turned { .. }
            | Event::Dismissed { .. } => {}
        }
    }

    /// The steps of a cart go on when its checkout is begun; anything else has steps of its own.
    /// Who said no is left alone until the cart changes.
    fn turn(&mut self, kind: Kind, at_ms: i64) {
        if self.ended == Some(Ended::Dismissed) {
            return;
        }
        self.active_ms = self.active_ms.max(at_ms);
        if self.ended.is_some() || !(self.kind.is_of_cart() && kind.is_of_cart()) {
            // An attempt that was put off has a decision under its number already.
            self.first = self.step.saturating_add(u32::from(self.attempt > 0));
            (self.step, self.attempt, self.taken_attempt) = (self.first, 0, 0);
            (self.not_before_ms, self.ended) = (i64::MIN, None);
        }
        self.kind = kind;
    }

    /// The next step, with when it is due; `None` when the sequence is over.
    #[must_use]
    pub fn due(&self, plan: &Plan, pace: Pace) -> Option<Due> {
        if self.ended.is_some() {
            return None;
        }
        let delay_ms = plan.delay_ms(self.step.checked_sub(self.first)?, pace)?;
        Some(Due {
            key: StepKey {
                cart_version: self.cart_version,
                step: self.step,
                attempt: self.attempt,
            },
            at_ms: self
                .active_ms
                .saturating_add(delay_ms)
                .max(self.not_before_ms),
        })
    }

    /// Whether this decision may be made now. It is answered with `true` once; the state must be
    /// committed together with the decision.
    #[must_use]
    pub fn take(&mut self, key: StepKey, plan: &Plan, pace: Pace, now_ms: i64) -> bool {
        let due = self.due(plan, pace);
        due.is_some_and(|due| due.at_ms <= now_ms) && self.take_early(key, plan, pace, now_ms)
    }

    /// The same before it is due, for somebody who knows that the shopper is leaving now.
    #[must_use]
    pub fn take_early(&mut self, key: StepKey, plan: &Plan, pace: Pace, now_ms: i64) -> bool {
        match self.due(plan, pace) {
            Some(due) if due.key == key => {
                self.taken_attempt = self.attempt;
                (self.step, self.attempt) = (self.step + 1, 0);
                self.not_before_ms = self.spaced_ms(plan, pace, now_ms);
                true
            }
            Some(_) | None => false,
        }
    }

    /// A step that came late does not have the next one on its heels: between the two lies what the
    /// plan puts between them.
    fn spaced_ms(&self, plan: &Plan, pace: Pace, taken_ms: i64) -> i64 {
        let place = self.step.checked_sub(self.first);
        let before = place
            .and_then(|place| place.checked_sub(1))
            .and_then(|place| plan.delay_ms(place, pace));
        let next = place.and_then(|place| plan.delay_ms(place, pace));
        match (before, next) {
            (Some(before), Some(next)) => taken_ms.saturating_add(next.saturating_sub(before)),
            (None, _) | (_, None) => i64::MIN,
        }
    }

    /// The message of a step was not handed out; the step is to be decided again at that moment.
    /// Without effect when the sequence has gone on since.
    pub fn put_off(&mut self, key: StepKey, until_ms: i64) {
        let is_last_taken = key.cart_version == self.cart_version
            && key.step.checked_add(1) == Some(self.step)
            && key.attempt == self.taken_attempt
            && self.attempt == 0;
        if is_last_taken && self.ended.is_none() {
            self.step = key.step;
            self.attempt = key.attempt.saturating_add(1);
            self.not_before_ms = until_ms;
        }
    }
}
