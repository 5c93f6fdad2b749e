//! Codes and links of answers that are the hand-out themselves.

use feature_store::StoredShopper;
use kit::{Problem, timestamp};
use policy::Inputs;
use proto::v1 as pb;

use super::{Books, log_unavailable};
use crate::actions::{About, Carried};

impl Books {
    /// Puts the code and the link into an answer that nothing else hands out.
    pub(super) fn carry(&self, answer: &mut pb::Decision, inputs: &Inputs, now_ms: i64) {
        let about = about(answer, inputs, now_ms);
        let carried = Carried::with_answer(self.tokens.as_ref(), &about);
        answer.coupon_code = carried.coupon_code;
        answer.restore_token = carried.restore_token;
        answer.offer_ends_at = carried.ends_at_ms.map(timestamp::encode);
    }

    /// Keeps what the code and the link of a committed answer stand for, unless it is kept already.
    /// `read` is its shopper since the commit; read now when absent.
    pub(super) async fn keep_carried(
        &self,
        answer: &pb::Decision,
        inputs: &Inputs,
        read: Option<&StoredShopper>,
    ) -> Result<(), Problem> {
        let Some(tokens) = self.tokens.as_ref().filter(|_| carries(answer)) else {
            return Ok(());
        };
        let row_key = match read {
            Some(read) => read.row_key(),
            None => self.stand(&answer.shopper_id).await?.read.row_key(),
        };
        let about = About {
            row_key: row_key.as_ref(),
            ..about(answer, inputs, self.clock.now_ms())
        };
        let carried = Carried {
            coupon_code: answer.coupon_code.clone(),
            restore_token: answer.restore_token.clone(),
            ends_at_ms: ends_at_ms(answer),
        };
        let issued = tokens.behind(&about, &carried);
        let kept = self.store.issue(issued).await;
        kept.map_err(|error| log_unavailable(&error))?;
        Ok(())
    }
}

/// Whether a code or a link left with the answer.
pub(super) fn carries(answer: &pb::Decision) -> bool {
    !answer.coupon_code.is_empty() || !answer.restore_token.is_empty()
}

fn about<'a>(answer: &'a pb::Decision, inputs: &'a Inputs, now_ms: i64) -> About<'a> {
    About {
        shopper_id: &answer.shopper_id,
        decision_id: &answer.decision_id,
        cart_version: answer.cart_version,
        decision: answer,
        inputs,
        now_ms,
        row_key: None,
        again: false,
    }
}

fn ends_at_ms(answer: &pb::Decision) -> Option<i64> {
    let ends = answer.offer_ends_at.as_ref()?;
    timestamp::decode(ends).ok()
}
