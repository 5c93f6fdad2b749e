//! Tells servers what shoppers do, and does not give up before it is acknowledged.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use feature_store::{Event, Millis};
use proto::v1 as pb;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use proto::v1::shopper_service_client::ShopperServiceClient;
use simulator::Person;
use tonic::{Response, Status};

use crate::failure::Failure;
use crate::remote::{self, Channel};
use crate::wire;

/// How long a server may be away before it is taken for gone.
const PATIENCE: Duration = Duration::from_secs(180);
const WAIT: Duration = Duration::from_millis(50);
/// As many as one request may carry, with room.
const EVENTS: usize = 500;

/// Clients of the servers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    events: EventServiceClient<Channel>,
    shoppers: ShopperServiceClient<Channel>,
    /// Any of them does; the next is asked when one is away.
    recovery: Vec<RecoveryServiceClient<Channel>>,
}

impl Teller {
    pub(crate) fn new(features: &str, recovery: &[String]) -> anyhow::Result<Self> {
        let open = remote::Access::default();
        let features = remote::connect_lazily(features, &open)?;
        let recovery = recovery.iter().map(|url| {
            let channel = remote::connect_lazily(url, &open)?;
            Ok(RecoveryServiceClient::new(channel))
        });
        Ok(Self {
            events: EventServiceClient::new(features.clone()),
            shoppers: ShopperServiceClient::new(features),
            recovery: recovery.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Pushes until every event is known to be stored.
    pub(crate) async fn events(&self, events: &[Event]) -> anyhow::Result<()> {
        for events in events.chunks(EVENTS) {
            let request = pb::PushEventsRequest {
                events: events.iter().map(wire::event).collect(),
            };
            let answer = insist("push events", async |_| {
                self.events.clone().push_events(request.clone()).await
            });
            let results = answer.await?.results;
            let rejected = pb::event_result::Status::Rejected;
            if let Some(place) = results.iter().position(|one| one.status() == rejected) {
                let reason = results.get(place).map_or("", |one| one.reason.as_str());
                let id = events
                    .get(place)
                    .map_or("", |event| event.event_id.as_str());
                let why = format!("the event {id} was rejected: {reason}");
                return Err(Failure::new(why).into());
            }
        }
        Ok(())
    }

    /// Who somebody is, and what they agreed to.
    pub(crate) async fn introduce(&self, person: &Person, at_ms: i64) -> anyhow::Result<()> {
        let profile = pb::SetProfileRequest {
            shopper_id: person.shopper.shopper_id.clone(),
            time_zone: Some(person.time_zone.to_owned()),
            channels: person.channels.iter().map(ToString::to_string).collect(),
            jurisdiction: Some(person.jurisdiction.to_owned()),
        };
        let set = insist("set profile", async |_| {
            self.shoppers.clone().set_profile(profile.clone()).await
        });
        set.await?;
        if person.consented.is_empty() {
            return Ok(());
        }
        self.consent(person, true, at_ms).await
    }

    /// Grants consent to marketing on the channels that they agreed to, or withdraws it.
    pub(crate) async fn consent(
        &self,
        person: &Person,
        granted: bool,
        at_ms: i64,
    ) -> anyhow::Result<()> {
        let consent = |channel: &&'static str| pb::Consent {
            purpose: "marketing".to_owned(),
            channel: (*channel).to_owned(),
            granted,
            wording: "v1".to_owned(),
            at: Some(wire::timestamp(Millis(at_ms))),
            jurisdiction: String::new(),
        };
        let request = pb::SetConsentRequest {
            shopper_id: person.shopper.shopper_id.clone(),
            consents: person.consented.iter().map(consent).collect(),
        };
        let set = insist("set consent", async |_| {
            self.shoppers.clone().set_consent(request.clone()).await
        });
        set.await.map(drop)
    }

    /// "No thanks".
    pub(crate) async fn dismiss(&self, shopper_id: &str, cart_version: u64) -> anyhow::Result<()> {
        let request = pb::DismissRequest {
            shopper_id: shopper_id.to_owned(),
            cart_version,
        };
        let dismissed = insist("dismiss", async |attempt| {
            self.recovery(attempt)?.dismiss(request.clone()).await
        });
        dismissed.await.map(drop)
    }

    /// What became of decisions.
    pub(crate) async fn outcomes(&self, reports: Vec<pb::OutcomeReport>) -> anyhow::Result<()> {
        for reports in reports.chunks(EVENTS) {
            let request = pb::ReportOutcomesRequest {
                reports: reports.to_vec(),
            };
            let answer = insist("report outcomes", async |attempt| {
                self.recovery(attempt)?
                    .report_outcomes(request.clone())
                    .await
            });
            let results = answer.await?.results;
            let rejected = pb::outcome_result::Status::Rejected;
            if let Some(one) = results.iter().find(|one| one.status() == rejected) {
                let why = format!("an outcome was rejected: {} {}", one.field, one.reason);
                return Err(Failure::new(why).into());
            }
        }
        Ok(())
    }

    fn recovery(&self, attempt: usize) -> Result<RecoveryServiceClient<Channel>, Status> {
        let place = attempt.checked_rem(self.recovery.len());
        let client = place.and_then(|place| self.recovery.get(place));
        client
            .cloned()
            .ok_or_else(|| Status::unavailable("no server of that role is known"))
    }
}

/// Asks again until there is an answer: servers may die, and what they are told is idempotent.
async fn insist<T>(
    what: &'static str,
    mut call: impl AsyncFnMut(usize) -> Result<Response<T>, Status>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    for attempt in 0.. {
        match call(attempt).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if began.elapsed() < PATIENCE && may_pass(&status) => {
                tokio::time::sleep(WAIT).await;
            }
            Err(status) => return Err(remote::refused(what, &status)),
        }
    }
    None.context(what)
}

/// Whether asking again may help.
fn may_pass(status: &Status) -> bool {
    use tonic::Code;
    !matches!(
        status.code(),
        Code::InvalidArgument | Code::NotFound | Code::Unimplemented | Code::Unauthenticated
    )
}
