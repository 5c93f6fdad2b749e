use prost::Message as _;
use proto::v1 as pb;
use tonic::Code;

use super::support::{NOW_S, event, fields, server};

fn consent(channel: &str, granted: bool) -> pb::Consent {
    pb::Consent {
        purpose: "marketing".to_owned(),
        channel: channel.to_owned(),
        granted,
        wording: "v1".to_owned(),
        ..pb::Consent::default()
    }
}

fn ask(shopper: &str) -> pb::GetProfileRequest {
    pb::GetProfileRequest {
        shopper_id: shopper.to_owned(),
        now: None,
    }
}

#[tokio::test]
async fn what_is_set_is_read_back_and_the_rest_stays() {
    let server = server().await;
    let mut client = server.shoppers();
    let set = pb::SetProfileRequest {
        shopper_id: "ann".to_owned(),
        time_zone: Some("Europe/Berlin".to_owned()),
        channels: vec!["email".to_owned()],
        jurisdiction: Some("DE".to_owned()),
    };
    client.set_profile(set).await.unwrap();
    let only_the_zone = pb::SetProfileRequest {
        shopper_id: "ann".to_owned(),
        time_zone: Some("Europe/Paris".to_owned()),
        ..pb::SetProfileRequest::default()
    };
    client.set_profile(only_the_zone).await.unwrap();
    let profile = client.get_profile(ask("ann")).await.unwrap().into_inner();
    assert_eq!(profile.time_zone, "Europe/Paris");
    assert_eq!(
        (profile.channels, profile.jurisdiction),
        (vec!["email".to_owned()], "DE".to_owned())
    );
}

#[tokio::test]
async fn consent_without_a_jurisdiction_is_under_the_profiles() {
    let server = server().await;
    let mut client = server.shoppers();
    let set = pb::SetProfileRequest {
        shopper_id: "ann".to_owned(),
        jurisdiction: Some("FR".to_owned()),
        ..pb::SetProfileRequest::default()
    };
    client.set_profile(set).await.unwrap();
    let consents = vec![consent("email", true), consent("sms", false)];
    let request = pb::SetConsentRequest {
        shopper_id: "ann".to_owned(),
        consents,
    };
    client.set_consent(request).await.unwrap();
    let profile = client.get_profile(ask("ann")).await.unwrap().into_inner();
    let read: Vec<_> = profile
        .consents
        .iter()
        .map(|consent| {
            (
                consent.channel.as_str(),
                consent.granted,
                consent.jurisdiction.as_str(),
            )
        })
        .collect();
    assert_eq!(read, [("email", true, "FR"), ("sms", false, "FR")]);
}

#[tokio::test]
async fn the_portrait_comes_from_events() {
    let server = server().await;
    server.push(vec![event("e1", "ann", "7")]).await;
    let profile = server
        .shoppers()
        .get_profile(ask("ann"))
        .await
        .unwrap()
        .into_inner();
    let portrait = profile.portrait.unwrap();
    assert!(
        portrait
            .categories
            .iter()
            .any(|interest| interest.name.contains("electronics"))
    );
    assert!(portrait.first_seen_at.is_some());
}

#[tokio::test]
async fn a_shopper_of_whom_nothing_is_known_is_not_found() {
    let refusal = server()
        .await
        .shoppers()
        .get_profile(ask("nobody"))
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    assert!(refusal.message().contains("nobody"));
}

#[tokio::test]
async fn a_consent_that_breaks_a_rule_is_named_by_its_path_and_none_is_stored() {
    let server = server().await;
    let consents = vec![consent("email", true), consent("pigeon", true)];
    let request = pb::SetConsentRequest {
        shopper_id: "ann".to_owned(),
        consents,
    };
    let refusal = server.shoppers().set_consent(request).await.unwrap_err();
    assert_eq!(fields(&refusal), ["consents[1].channel"]);
    let after = server.shoppers().get_profile(ask("ann")).await.unwrap_err();
    assert_eq!(after.code(), Code::NotFound);
}

#[tokio::test]
async fn a_grant_dated_ahead_never_outlives_a_revocation() {
    let server = server().await;
    let mut client = server.shoppers();
    let at = |seconds| {
        Some(prost_types::Timestamp {
            seconds: NOW_S + seconds,
            nanos: 0,
        })
    };
    let set = |consent| pb::SetConsentRequest {
        shopper_id: "ann".to_owned(),
        consents: vec![consent],
    };
    let mut grant = consent("email", true);
    grant.at = at(5 * 60 + 1);
    let refusal = client.set_consent(set(grant.clone())).await.unwrap_err();
    assert_eq!(fields(&refusal), ["consents[0].at"]);
    grant.at = at(5 * 60);
    client.set_consent(set(grant)).await.unwrap();
    client
        .set_consent(set(consent("email", false)))
        .await
        .unwrap();
    let profile = client.get_profile(ask("ann")).await.unwrap().into_inner();
    assert!(!profile.consents[0].granted, "{:?}", profile.consents);
    assert_eq!(profile.consents[0].at, at(0));
}

fn link(shopper: &str, alias: &str) -> pb::LinkIdentityRequest {
    pb::LinkIdentityRequest {
        shopper_id: shopper.to_owned(),
        alias_id: alias.to_owned(),
        link_id: format!("{shopper}+{alias}"),
    }
}

#[tokio::test]
async fn a_linked_device_and_account_have_one_cart_and_one_consent() {
    let server = server().await;
    let mut client = server.shoppers();
    let grant = |shopper: &str, granted| pb::SetConsentRequest {
        shopper_id: shopper.to_owned(),
        consents: vec![consent("email", granted)],
    };
    client.set_consent(grant("ann", true)).await.unwrap();
    client.set_consent(grant("phone", false)).await.unwrap();
    server
        .push(vec![event("1", "phone", "lamp"), event("2", "ann", "rug")])
        .await;
    let linked = client.link_identity(link("ann", "phone")).await.unwrap();
    let linked = linked.into_inner();
    assert_eq!(
        (linked.person_id.as_str(), linked.linked_ids, linked.changed),
        ("ann", vec!["phone".to_owned()], true)
    );
    server.push(vec![event("3", "phone", "pan")]).await;
    for id in ["ann", "phone"] {
        let ask_cart = pb::GetCartRequest {
            shopper_id: id.to_owned(),
            now: None,
        };
        let cart = server.features().get_cart(ask_cart).await.unwrap();
        let lines = cart.into_inner().cart.unwrap().lines;
        let items: Vec<_> = lines.iter().map(|line| line.item_id.as_str()).collect();
        assert_eq!(items, ["lamp", "pan", "rug"]);
        let profile = client.get_profile(ask(id)).await.unwrap().into_inner();
        assert_eq!(profile.consents.len(), 1);
        assert!(!profile.consents[0].granted, "the stricter one counts");
    }
    let again = client.link_identity(link("phone", "ann")).await.unwrap();
    assert!(!again.into_inner().changed);
    let unlink = pb::UnlinkIdentityRequest {
        alias_id: "phone".to_owned(),
    };
    assert!(
        client
            .unlink_identity(unlink)
            .await
            .unwrap()
            .into_inner()
            .changed
    );
    let gone = client.get_profile(ask("phone")).await.unwrap().into_inner();
    assert!(gone.consents.is_empty());
}

#[tokio::test]
async fn a_link_that_cannot_be_says_why() {
    let server = server().await;
    let mut client = server.shoppers();
    let refused = client.link_identity(link("ann", "ann")).await.unwrap_err();
    assert_eq!(fields(&refused), ["alias_id"]);
    let long = "x".repeat(129);
    let refused = client.link_identity(link("ann", &long)).await.unwrap_err();
    assert_eq!(fields(&refused), ["alias_id"]);
    client.link_identity(link("ann", "phone")).await.unwrap();
    let refused = client
        .link_identity(link("bob", "phone"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("linked to \"ann\""),
        "{}",
        refused.message()
    );
}

/// What an export tells of each kind.
async fn exported(server: &super::support::Server, shopper: &str) -> Vec<pb::ExportedRecord> {
    let request = pb::ExportShopperRequest {
        shopper_id: shopper.to_owned(),
    };
    let mut client = server.shoppers();
    let mut stream = client.export_shopper(request).await.unwrap().into_inner();
    let mut records = Vec::new();
    while let Some(record) = stream.message().await.unwrap() {
        records.push(record);
    }
    records
}

fn erase(shopper: &str) -> pb::EraseShopperRequest {
    pb::EraseShopperRequest {
        shopper_id: shopper.to_owned(),
    }
}

#[tokio::test]
async fn an_export_tells_everything_about_all_ids_and_nothing_of_others() {
    use pb::exported_record::Record;
    let server = server().await;
    let mut client = server.shoppers();
    server
        .push(vec![
            event("1", "phone", "lamp"),
            event("2", "ann", "rug"),
            event("3", "bob", "pan"),
        ])
        .await;
    client.link_identity(link("ann", "phone")).await.unwrap();
    server.push(vec![event("4", "phone", "pot")]).await;
    let set = pb::SetConsentRequest {
        shopper_id: "ann".to_owned(),
        consents: vec![consent("email", true)],
    };
    client.set_consent(set).await.unwrap();
    let records = exported(&server, "phone").await;
    let (mut events, mut features) = (Vec::new(), 0);
    for record in &records {
        match record.record.as_ref().unwrap() {
            Record::Person(person) => {
                assert_eq!(person.person_id, "ann");
                assert_eq!(person.other_ids, ["phone"]);
            }
            Record::Profile(profile) => assert_eq!(profile.consents.len(), 1),
            Record::Cart(cart) => assert_eq!(cart.lines.len(), 3),
            Record::Feature(_) => features += 1,
            Record::Event(event) => {
                assert!(record.at.is_some());
                events.push((event.event_id.as_str(), event.shopper_id.as_str()));
            }
            other @ (Record::Decision(_)
            | Record::Action(_)
            | Record::Outcome(_)
            | Record::Recovery(_)
            | Record::DeadLetter(_)
            | Record::Coupon(_)
            | Record::StoredCart(_)) => panic!("{other:?}"),
        }
    }
    events.sort_unstable();
    assert_eq!(events, [("1", "phone"), ("2", "ann"), ("4", "phone")]);
    assert!(features > 20, "{features}");
    let nobody = pb::ExportShopperRequest {
        shopper_id: "nobody".to_owned(),
    };
    let refusal = client.export_shopper(nobody).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    let empty = client.export_shopper(pb::ExportShopperRequest::default());
    assert_eq!(fields(&empty.await.unwrap_err()), ["shopper_id"]);
}

/// Rows of the recovery role about ann and about bob, as its goldens have them.
async fn recovered(server: &super::support::Server) {
    use feature_store::store::{Kind, Partition};
    use feature_store::{Issued, Look, Millis, NewOutcome, ShopperChange};
    let store = &server.store;
    let now = Millis(NOW_S * 1_000);
    for shopper in ["ann", "bob"] {
        let own = |golden: &[u8]| {
            let name = |at: &[u8]| at == b"ann";
            let at = golden.windows(3).position(name);
            let mut row = golden.to_vec();
            if let Some(at) = at {
                row[at..at + 3].copy_from_slice(shopper.as_bytes());
            }
            row
        };
        let decision = pb::Decision {
            decision_id: "d1".to_owned(),
            ..pb::Decision::default()
        };
        let record = [
            &[0x3a, u8::try_from(decision.encoded_len()).unwrap()][..],
            &decision.encode_to_vec(),
            b"\x4a\x03",
            shopper.as_bytes(),
        ];
        let change = ShopperChange {
            at: now,
            recovery: Some(b"\x08\x01\x12\x04\x08\x01\x10\x03".to_vec()),
            decision: Some((format!("{shopper} d1"), record.concat().into())),
            outbox: vec![own(b"\x08\x01\x12\x03ann\x1a\x02d1\x22\x05email").into()],
            outcomes: vec![NewOutcome {
                id: format!("{shopper} i"),
                entry: own(b"\x08\x01\x12\x01i\x18\x05\x22\x03ann\x2a\x02d1\x42\x02o1").into(),
            }],
            look: Look::At(Millis(now.0 + 7_000)),
            ..ShopperChange::default()
        };
        let read = store.stored_shoppers(&[shopper]).await.unwrap().remove(0);
        store.change(shopper, read, change).await.unwrap();
        let read = store.stored_shoppers(&[shopper]).await.unwrap().remove(0);
        let of = read.row_key().map(|key| (key, now));
        let coupon = b"\x08\x01\x12\x03ann\x1a\x02d1\x20\x03\x30\x02\x42\x03EUR\x48\x05";
        let cart = b"\x08\x01\x12\x07\x0a\x011\x10\x02\x18\x03\x1a\x03EUR\x20\x04";
        let issue = |kind, id: &str, row: Vec<u8>| Issued {
            kind,
            id: format!("{shopper} {id}"),
            value: row.into(),
            of: of.clone(),
        };
        let issued = vec![
            issue(Kind::Coupon, "c", own(coupon)),
            issue(Kind::StoredCart, "k", cart.to_vec()),
        ];
        store.issue(issued).await.unwrap();
        let letter = own(b"\x08\x01\x12\x03ann\x1a\x02d1\x30\x08\x3a\x03500\x40\x05");
        let place = (Partition::of(shopper), "d1");
        let put = store.put_dead_letter(shopper, place, letter.into(), now);
        put.await.unwrap();
    }
}

/// What kind of the recovery role's a record is; those of others are none.
fn of_recovery(record: pb::ExportedRecord) -> Option<&'static str> {
    use pb::exported_record::Record;
    let ann = |id: String| assert_eq!(id, "ann");
    Some(match record.record.unwrap() {
        Record::Person(person) => {
            assert_eq!(person.looked_at_next.unwrap().seconds, NOW_S + 7);
            return None;
        }
        Record::Profile(_) | Record::Cart(_) | Record::Feature(_) | Record::Event(_) => {
            return None;
        }
        Record::Recovery(recovery) => {
            ann(recovery.shopper_id);
            let sequence = recovery.sequence.unwrap();
            assert_eq!((&*sequence.kind, sequence.cart_version), ("checkout", 3));
            "recovery"
        }
        Record::Decision(decision) => {
            assert_eq!(decision.decision_id, "d1");
            "decision"
        }
        Record::Action(action) => {
            ann(action.shopper_id);
            assert_eq!(action.channel, "email");
            "action"
        }
        Record::Outcome(outcome) => {
            ann(outcome.shopper_id);
            assert_eq!(outcome.order_id, "o1");
            "outcome"
        }
        Record::DeadLetter(letter) => {
            ann(letter.shopper_id);
            assert_eq!(letter.reason, "500");
            "dead letter"
        }
        Record::Coupon(coupon) => {
            ann(coupon.shopper_id);
            assert_eq!(coupon.serial, "ann c");
            "coupon"
        }
        Record::StoredCart(cart) => {
            assert_eq!((cart.lines.len(), &*cart.reference), (1, "ann k"));
            "stored cart"
        }
    })
}

#[tokio::test]
async fn an_export_tells_what_the_recovery_role_keeps_and_nothing_of_others() {
    let server = server().await;
    server
        .push(vec![event("1", "ann", "rug"), event("2", "bob", "pan")])
        .await;
    recovered(&server).await;
    let records = exported(&server, "ann").await;
    let told: Vec<_> = records.into_iter().filter_map(of_recovery).collect();
    let expected = [
        "recovery",
        "decision",
        "action",
        "outcome",
        "dead letter",
        "coupon",
        "stored cart",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_erased_shopper_is_not_found_and_events_of_before_are_too_late() {
    let server = server().await;
    let mut client = server.shoppers();
    server.push(vec![event("1", "ann", "rug")]).await;
    let answer = client.erase_shopper(erase("ann")).await.unwrap();
    let answer = answer.into_inner();
    assert!(answer.changed);
    assert_eq!(answer.erased_at.unwrap().seconds, NOW_S);
    let erased = answer.erased.unwrap();
    assert_eq!((erased.ids, erased.keys, erased.cart_lines), (1, 1, 1));
    let refusal = client.get_profile(ask("ann")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    let export = client.export_shopper(pb::ExportShopperRequest {
        shopper_id: "ann".to_owned(),
    });
    assert_eq!(export.await.unwrap_err().code(), Code::NotFound);
    let results = server.push(vec![event("2", "ann", "rug")]).await;
    assert_eq!(results[0].status(), pb::event_result::Status::Rejected);
    assert!(
        results[0].reason.contains("erased"),
        "{}",
        results[0].reason
    );
    let again = client
        .erase_shopper(erase("ann"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((again.changed, again.erased), (false, Some(erased)));
    for bad in ["", "a\u{1f}b", &"x".repeat(129)] {
        let refusal = client.erase_shopper(erase(bad)).await.unwrap_err();
        assert_eq!(fields(&refusal), ["shopper_id"]);
    }
}
