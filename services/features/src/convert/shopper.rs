//! Profiles, consent and the portrait.

use std::time::Duration;

use feature_store::{
    ConsentRecord, LinkRefusal, Millis, Portrait, ProfileUpdate, Rejection, ShopperView, Text,
};
use kit::status::bad_request;
use kit::{Clock, Problem, Violations};
use prost_types::Timestamp;
use proto::v1 as pb;
use tonic::Status;

use super::time;

const MOST_CONSENTS: usize = 32;
/// How far the sender's clock may be ahead of ours.
const MOST_AHEAD: Duration = Duration::from_secs(5 * 60);

pub(crate) fn decode_profile(
    request: pb::SetProfileRequest,
) -> Result<(String, ProfileUpdate), Status> {
    let mut violations = Violations::new();
    violations.check_id("shopper_id", &request.shopper_id);
    let update = ProfileUpdate {
        time_zone: request.time_zone,
        // A list has no presence on the wire: an empty one was not given.
        channels: Some(request.channels).filter(|channels| !channels.is_empty()),
        jurisdiction: request.jurisdiction,
    };
    if let Err(rejection) = update.validate() {
        violations.add(rejection.field, rejection.detail);
    }
    violations.into_result()?;
    Ok((request.shopper_id, update))
}

pub(crate) fn decode_consents(
    request: pb::SetConsentRequest,
    clock: &Clock,
) -> Result<(String, Vec<ConsentRecord>), Status> {
    let mut violations = Violations::new();
    violations.check_id("shopper_id", &request.shopper_id);
    violations.check_count("consents", request.consents.len(), MOST_CONSENTS);
    let records = request
        .consents
        .into_iter()
        .enumerate()
        .map(|(i, consent)| decode_consent(&mut violations, i, consent, clock))
        .collect();
    violations.into_result()?;
    Ok((request.shopper_id, records))
}

fn decode_consent(
    violations: &mut Violations,
    index: usize,
    consent: pb::Consent,
    clock: &Clock,
) -> ConsentRecord {
    let before = violations.len();
    let path = |field: &str| format!("consents[{index}].{field}");
    let at = said_at(violations, &path("at"), consent.at.as_ref(), clock);
    let record = ConsentRecord {
        purpose: consent.purpose,
        channel: consent.channel,
        granted: consent.granted,
        wording: consent.wording,
        at,
        jurisdiction: consent.jurisdiction,
    };
    if violations.len() == before
        && let Err(rejection) = record.validate()
    {
        violations.add(path(rejection.field), rejection.detail);
    }
    record
}

/// When the shopper said so, which is never later than now: a grant dated ahead would outrank every
/// revocation until then.
fn said_at(
    violations: &mut Violations,
    field: &str,
    given: Option<&Timestamp>,
    clock: &Clock,
) -> Millis {
    let now = Millis(clock.now_ms());
    let at = time::given_or_now(violations, field, given, clock);
    let latest = now.saturating_add(MOST_AHEAD);
    if at > latest {
        violations.add(field, format!("is {at}, at most {latest} is allowed"));
    }
    at.min(now)
}

/// A refusal by the domain, of a request that passed the checks here.
pub(crate) fn refused(rejection: Rejection) -> Status {
    bad_request([(rejection.field, rejection.detail)])
}

/// A link or an unlinking that was refused.
pub(crate) fn not_linked(refusal: LinkRefusal) -> Status {
    match refusal {
        LinkRefusal::Invalid(rejection) => refused(rejection),
        LinkRefusal::Stands(rejection) => Problem::Precondition(rejection.detail).into(),
    }
}

pub(crate) fn encode_profile(shopper_id: String, view: &ShopperView) -> pb::GetProfileResponse {
    pb::GetProfileResponse {
        shopper_id,
        time_zone: view.profile.time_zone.clone(),
        channels: view.profile.channels.clone(),
        jurisdiction: view.profile.jurisdiction.clone(),
        consents: view.consents.iter().map(encode_consent).collect(),
        portrait: Some(encode_portrait(
            &view.portrait,
            view.first_seen_at,
            view.last_active_at,
        )),
    }
}

fn encode_consent(record: &ConsentRecord) -> pb::Consent {
    pb::Consent {
        purpose: record.purpose.clone(),
        channel: record.channel.clone(),
        granted: record.granted,
        wording: record.wording.clone(),
        at: Some(time::encode(record.at)),
        jurisdiction: record.jurisdiction.clone(),
    }
}

fn encode_portrait(
    portrait: &Portrait,
    first_seen_at: Option<Millis>,
    last_active_at: Option<Millis>,
) -> pb::Portrait {
    pb::Portrait {
        categories: encode_affinities(&portrait.categories),
        brands: encode_affinities(&portrait.brands),
        price_bands: encode_affinities(&portrait.price_bands),
        mean_purchase_minor: portrait.mean_purchase_minor,
        spent_30d_minor: portrait.spent_30d_minor,
        purchase_tendency: portrait.purchase_tendency,
        first_seen_at: first_seen_at.map(time::encode),
        last_active_at: last_active_at.map(time::encode),
    }
}

/// The contract promises at most 10.
fn encode_affinities(affinities: &[(Text, f64)]) -> Vec<pb::Affinity> {
    affinities
        .iter()
        .take(10)
        .map(|(name, share)| pb::Affinity {
            name: name.to_string(),
            share: *share,
        })
        .collect()
}
