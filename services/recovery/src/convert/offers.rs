//! The wire form of codes and links that come back.

use kit::{Problem, Violations, timestamp};
use pb::redeem_coupon_response::Status as Redeeming;
use pb::restore_cart_response::Status as Restoring;
use pb::restored_line::Change as Changed;
use policy::restore::Change;
use proto::v1 as pb;

use crate::actions::{Brought, BroughtBack, Redeemed, Redemption};

// Limits of the contract, as stated in `offers.proto`.
const TOKEN_BYTES: usize = 256;
const ID_BYTES: usize = 128;

pub(crate) fn redemption(message: pb::RedeemCouponRequest) -> Result<Redemption, Problem> {
    let mut found = Violations::new();
    found.check_id("code", &message.code);
    found.check_id("order_id", &message.order_id);
    let length = message.shopper_id.len();
    found.check(length <= ID_BYTES, "shopper_id", || {
        format!("has {length} bytes, at most {ID_BYTES} are allowed")
    });
    if !found.is_empty() {
        return Err(Problem::Invalid(found.into_vec()));
    }
    Ok(Redemption {
        code: message.code,
        order_id: message.order_id,
        shopper_id: message.shopper_id,
    })
}

pub(crate) fn redeemed(redeemed: Redeemed) -> pb::RedeemCouponResponse {
    let only = |status: Redeeming| pb::RedeemCouponResponse {
        status: status.into(),
        ..pb::RedeemCouponResponse::default()
    };
    match redeemed {
        Redeemed::Taken => only(Redeeming::AlreadyRedeemed),
        Redeemed::Expired => only(Redeeming::Expired),
        Redeemed::Invalid => only(Redeeming::Invalid),
        Redeemed::OtherPerson => only(Redeeming::OtherPerson),
        Redeemed::Yes { record, again } => pb::RedeemCouponResponse {
            status: Redeeming::Redeemed.into(),
            decision_id: record.decision_id,
            cart_version: record.cart_version,
            percent_off: record.percent_off,
            discount_minor: record.discount_minor,
            max_discount_minor: record.max_discount_minor,
            currency: record.currency,
            expires_at: Some(timestamp::encode(record.expires_at_ms)),
            redeemed_at: Some(timestamp::encode(record.redeemed_at_ms)),
            again,
        },
    }
}

/// The token of a link.
pub(crate) fn restoration(message: pb::RestoreCartRequest) -> Result<String, Problem> {
    let mut found = Violations::new();
    let length = message.token.len();
    found.check((1..=TOKEN_BYTES).contains(&length), "token", || {
        format!("has {length} bytes, 1 to {TOKEN_BYTES} are allowed")
    });
    match found.is_empty() {
        true => Ok(message.token),
        false => Err(Problem::Invalid(found.into_vec())),
    }
}

pub(crate) fn brought_back(brought: Brought) -> pb::RestoreCartResponse {
    let only = |status: Restoring| pb::RestoreCartResponse {
        status: status.into(),
        ..pb::RestoreCartResponse::default()
    };
    let back = match brought {
        Brought::Expired => return only(Restoring::Expired),
        Brought::Invalid => return only(Restoring::Invalid),
        Brought::Cart(back) => *back,
    };
    let BroughtBack { then, today, names } = back;
    let value_then = then.lines.iter().fold(0_i64, |sum, line| {
        let quantity = i64::from(line.quantity.max(1));
        sum.saturating_add(line.price_minor.saturating_mul(quantity))
    });
    let lines = then.lines.iter().zip(today.lines).zip(names);
    pb::RestoreCartResponse {
        status: Restoring::Restored.into(),
        lines: lines
            .map(|((then, today), name)| pb::RestoredLine {
                item_id: today.item_id,
                name,
                quantity: today.quantity,
                price_minor: today.price_minor,
                quantity_then: then.quantity.max(1),
                price_then_minor: then.price_minor,
                changes: today.changes.iter().map(|one| change(one).into()).collect(),
            })
            .collect(),
        value_minor: today.value_minor,
        value_then_minor: value_then,
        currency: then.currency,
        expires_at: Some(timestamp::encode(then.expires_at_ms)),
    }
}

fn change(change: &Change) -> Changed {
    match change {
        Change::Unavailable => Changed::Unavailable,
        Change::FewerInStock { .. } => Changed::FewerInStock,
        Change::Price { .. } => Changed::Price,
    }
}
