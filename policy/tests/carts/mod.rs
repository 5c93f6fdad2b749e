//! Carts of any shape, sane and not.

use std::collections::BTreeMap;
use std::time::Duration;

use policy::{Inputs, Line};
use proptest::prelude::*;

fn line(sane: bool) -> BoxedStrategy<Line> {
    let (price, cost, rate, quantity) = if sane {
        (
            prop_oneof![Just(0), 1..500_000_i64].boxed(),
            proptest::option::of(0..400_000_i64).boxed(),
            proptest::option::of(0.0..=1.0_f64).boxed(),
            (0..20_u32).boxed(),
        )
    } else {
        (
            any::<i64>().boxed(),
            any::<Option<i64>>().boxed(),
            proptest::option::of(any::<f64>()).boxed(),
            any::<u32>().boxed(),
        )
    };
    (
        ".{0,12}",
        quantity,
        price,
        cost,
        rate,
        "[a-c.]{0,6}",
        "[A-C]{0,2}",
    )
        .prop_map(
            |(item_id, quantity, price_minor, cost_minor, margin_rate, category, brand)| Line {
                item_id,
                quantity,
                price_minor,
                cost_minor,
                margin_rate,
                category,
                brand,
            },
        )
        .boxed()
}

pub(crate) fn inputs(sane: bool) -> impl Strategy<Value = Inputs> {
    let risk = if sane {
        (0.0..=1.0).boxed()
    } else {
        any::<f64>().boxed()
    };
    let channel = || proptest::sample::subsequence(vec!["email", "sms", "push", "onsite"], 0..=4);
    (
        proptest::collection::vec(line(sane), 0..8),
        risk,
        proptest::sample::select(vec!["", "email", "sms", "push", "fax"]),
        channel(),
        channel(),
        if sane {
            (0..6_u32).boxed()
        } else {
            any::<u32>().boxed()
        },
        proptest::collection::btree_map("[a-c]", any::<f64>(), 0..3),
        proptest::collection::btree_map("[a-c]", ".{0,5}", 0..3),
        any::<(u64, i64)>(),
    )
        .prop_map(
            |(
                lines,
                risk,
                channel,
                channels,
                consented,
                messages_7d,
                shopper,
                attributes,
                (idle, now_ms),
            )| {
                Inputs {
                    lines,
                    currency: "EUR".to_owned(),
                    risk,
                    channel: channel.to_owned(),
                    channels: channels.into_iter().map(str::to_owned).collect(),
                    consented_channels: consented.into_iter().map(str::to_owned).collect(),
                    messages_7d,
                    jurisdiction: "DE".to_owned(),
                    idle: Duration::from_nanos(idle),
                    shopper: shopper.into_iter().collect::<BTreeMap<_, _>>(),
                    attributes,
                    now_ms,
                    ..Inputs::default()
                }
            },
        )
}
