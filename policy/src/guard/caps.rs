//! How many messages a person gets, in windows that slide.
//!
//! In every span of a cap's length, wherever it begins, at most `most` messages go out; a calendar
//! day would allow one at 23:00 and the next at midnight. A message is *reserved* before it is
//! handed out and *committed* when it went; until its reservation lapses it counts as if it had
//! gone. Records of aliases are joined by [`Sends::join`]; messages are known by their idempotency
//! key, so one that both aliases know counts once.

use std::collections::BTreeMap;

/// A limit on messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// The channel it is about; `None` counts the messages of all channels together.
    pub channel: Option<String>,
    pub window_ms: i64,
    pub most: usize,
}

/// The messages of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sends {
    pub(crate) messages: BTreeMap<String, Message>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) channel: String,
    pub(crate) state: State,
}

/// In the order in which [`Sends::join`] prefers them.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Reserved { until_ms: i64 },
    Sent { at_ms: i64 },
}

/// Why a message may not go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapError {
    #[error("a cap is reached")]
    Full {
        /// When, as far as is known now, there is room; `None` when a cap allows no message at all.
        free_at_ms: Option<i64>,
    },
    #[error("the message went out at {at_ms}")]
    Sent { at_ms: i64 },
    #[error("the reservation ends at {until_ms}, which is not after now")]
    Lapsed { until_ms: i64 },
    #[error("the message is not reserved")]
    NotReserved,
}

impl Sends {
    /// Records a message that is known to have gone, e.g. from the shopper's history.
    pub fn record(&mut self, key: &str, channel: &str, at_ms: i64) {
        let mut one = Self::default();
        let message = Message {
            channel: channel.to_owned(),
            state: State::Sent { at_ms },
        };
        one.messages.insert(key.to_owned(), message);
        self.join(one);
    }

    /// Takes a place for a message until a moment. Again under the same key is the same place.
    ///
    /// # Errors
    /// A cap that is reached, a message that went out, a reservation that ends before it begins.
    pub fn reserve(
        &mut self,
        caps: &[Cap],
        (key, channel): (&str, &str),
        now_ms: i64,
        until_ms: i64,
    ) -> Result<(), CapError> {
        match self.messages.get(key).map(|message| message.state) {
            Some(State::Sent { at_ms }) => return Err(CapError::Sent { at_ms }),
            Some(State::Reserved { until_ms }) if until_ms > now_ms => return Ok(()),
            Some(State::Reserved { .. }) | None => {}
        }
        if until_ms <= now_ms {
            return Err(CapError::Lapsed { until_ms });
        }
        let free_at_ms = self.next_free(caps, channel, key, now_ms);
        if free_at_ms != Some(now_ms) {
            return Err(CapError::Full { free_at_ms });
        }
        let message = Message {
            channel: channel.to_owned(),
            state: State::Reserved { until_ms },
        };
        self.messages.insert(key.to_owned(), message);
        Ok(())
    }

    /// The message went out. Again is the same, at the time of the first.
    ///
    /// # Errors
    /// A reservation that was never made, was released or has lapsed: the message must not go.
    pub fn commit(&mut self, key: &str, now_ms: i64) -> Result<(), CapError> {
        let Some(message) = self.messages.get_mut(key) else {
            return Err(CapError::NotReserved);
        };
        match message.state {
            State::Sent { .. } => Ok(()),
            State::Reserved { until_ms } if until_ms <= now_ms => {
                Err(CapError::Lapsed { until_ms })
            }
            State::Reserved { .. } => {
                message.state = State::Sent { at_ms: now_ms };
                Ok(())
            }
        }
    }

    /// Gives a place back. A message that went out keeps it.
    pub fn release(&mut self, key: &str) {
        let reserved = |message: &Message| matches!(message.state, State::Reserved { .. });
        if self.messages.get(key).is_some_and(reserved) {
            self.messages.remove(key);
        }
    }

    /// Whether the message of that key went out.
    #[must_use]
    pub fn has_sent(&self, key: &str) -> bool {
        let message = self.messages.get(key);
        message.is_some_and(|message| matches!(message.state, State::Sent { .. }))
    }

    /// The first moment from `at_ms` on at which no cap stands against a message by the channel,
    /// the message of that key not counted; `None` when a cap allows none at all. A reservation is
    /// taken to lapse; whoever comes back at that moment is checked again.
    #[must_use]
    pub fn next_free(&self, caps: &[Cap], channel: &str, key: &str, at_ms: i64) -> Option<i64> {
        let mut free_ms = at_ms;
        let about = |cap: &&Cap| cap.channel.as_deref().is_none_or(|name| name == channel);
        for cap in caps.iter().filter(about) {
            let mut ends: Vec<i64> = self
                .messages
                .iter()
                .filter(|(other, _)| *other != key)
                .filter(|(_, message)| cap.channel.as_ref().is_none_or(|n| *n == message.channel))
                .map(|(_, message)| message.counts_until(cap.window_ms))
                .filter(|end| *end > at_ms)
                .collect();
            ends.sort_unstable();
            if let Some(over) = ends.len().checked_sub(cap.most) {
                // With `most` of 0 there is no such message, and never room.
                free_ms = free_ms.max(*ends.get(over)?);
            }
        }
        Some(free_ms)
    }

    /// Adds the messages of another alias. The order of joining does not matter.
    pub fn join(&mut self, other: Self) {
        for (key, message) in other.messages {
            match self.messages.get_mut(&key) {
                Some(known)
                    if (message.state, &message.channel) > (known.state, &known.channel) =>
                {
                    *known = message;
                }
                Some(_) => {}
                None => drop(self.messages.insert(key, message)),
            }
        }
    }

    /// Drops messages that went out, and reservations that lapsed, before a moment.
    pub fn forget(&mut self, before_ms: i64) {
        self.messages
            .retain(|_, message| message.counts_until(0) >= before_ms);
    }
}

impl Message {
    /// It counts before this moment.
    fn counts_until(&self, window_ms: i64) -> i64 {
        match self.state {
            State::Sent { at_ms } => at_ms.saturating_add(window_ms),
            State::Reserved { until_ms } => until_ms,
        }
    }
}
