//! The wire form of campaigns and of what they give.

use kit::{Problem, Violations, timestamp};
use pb::campaign::{Offer, Stacking as Stacks};
use policy::campaign::{Campaign, CampaignOffer, Draft, LineOffer, Selector, Stacking};
use policy::{Inputs, Line};
use proto::v1 as pb;

use crate::campaigns::State;

// Limits of the contract, as stated in `campaigns.proto`.
const NAME_BYTES: usize = 256;
const ENTRIES: usize = 1_000;
const ENTRY_BYTES: usize = 256;

pub(crate) fn draft(message: pb::UpsertCampaignRequest) -> Result<Draft, Problem> {
    let mut found = Violations::new();
    let Some(campaign) = message.campaign else {
        found.add("campaign", "is absent: what is to be set up?");
        return Err(Problem::Invalid(found.into_vec()));
    };
    let length = campaign.name.len();
    found.check(length <= NAME_BYTES, "campaign.name", || {
        format!("has {length} bytes, at most {NAME_BYTES} are allowed")
    });
    let draft = Draft {
        starts_at_ms: moment(
            "campaign.starts_at",
            campaign.starts_at.as_ref(),
            &mut found,
        ),
        ends_at_ms: moment("campaign.ends_at", campaign.ends_at.as_ref(), &mut found),
        selector: selector(campaign.selector.unwrap_or_default(), &mut found),
        offer: offer(campaign.offer, &mut found),
        budget_minor: campaign.budget_minor,
        stacking: stacking(campaign.stacking, &mut found),
        priority: campaign.priority,
        stopped: campaign.stopped,
        id: campaign.id,
        name: campaign.name,
    };
    if found.is_empty()
        && let Err(problems) = Campaign::check(draft.clone())
    {
        for problem in problems {
            found.add(path(problem.field), problem.message);
        }
    }
    match found.is_empty() {
        true => Ok(draft),
        false => Err(Problem::Invalid(found.into_vec())),
    }
}

/// The path on the wire of a field of a draft.
fn path(field: &str) -> String {
    let field = field.strip_prefix("offer.").unwrap_or(field);
    format!("campaign.{}", field.strip_suffix("_ms").unwrap_or(field))
}

fn moment(field: &str, given: Option<&prost_types::Timestamp>, found: &mut Violations) -> i64 {
    match given.map(timestamp::decode) {
        Some(Ok(ms)) => ms,
        Some(Err(why)) => {
            found.add(field, why);
            0
        }
        None => {
            found.add(field, "is absent, a time is needed");
            0
        }
    }
}

fn offer(given: Option<Offer>, found: &mut Violations) -> CampaignOffer {
    match given {
        Some(Offer::Percent(percent)) => CampaignOffer::Percent {
            percent_off: percent.percent_off,
            max_discount_minor: Some(percent.max_discount_minor).filter(|most| *most != 0),
        },
        Some(Offer::Fixed(fixed)) => CampaignOffer::Fixed {
            amount_minor: fixed.amount_minor,
        },
        None => {
            found.add("campaign.offer", "is absent, percent or fixed is needed");
            CampaignOffer::Fixed { amount_minor: 0 }
        }
    }
}

fn stacking(given: i32, found: &mut Violations) -> Stacking {
    match Stacks::try_from(given) {
        Ok(Stacks::Alone) => Stacking::Alone,
        Ok(Stacks::WithOthers) => Stacking::WithOthers,
        Err(_) => {
            let why = format!("is {given}, ALONE and WITH_OTHERS are allowed");
            found.add("campaign.stacking", why);
            Stacking::Alone
        }
    }
}

fn selector(given: pb::Selector, found: &mut Violations) -> Selector {
    let lists = [
        ("items", &given.items),
        ("categories", &given.categories),
        ("brands", &given.brands),
        ("except_items", &given.except_items),
        ("except_categories", &given.except_categories),
        ("except_brands", &given.except_brands),
    ];
    for (name, list) in lists {
        let field = format!("campaign.selector.{name}");
        found.check_at_most(&field, list.len(), ENTRIES);
        for (at, entry) in list.iter().take(ENTRIES).enumerate() {
            let length = entry.len();
            let is_good = (1..=ENTRY_BYTES).contains(&length);
            found.check(is_good, &format!("{field}[{at}]"), || {
                format!("has {length} bytes, 1 to {ENTRY_BYTES} are allowed")
            });
        }
    }
    Selector {
        items: given.items,
        categories: given.categories,
        brands: given.brands,
        except_items: given.except_items,
        except_categories: given.except_categories,
        except_brands: given.except_brands,
    }
}

/// The id of the campaign that is asked for.
pub(crate) fn campaign_id(message: pb::GetCampaignRequest) -> Result<String, Problem> {
    let mut found = Violations::new();
    found.check_id("id", &message.id);
    match found.is_empty() {
        true => Ok(message.id),
        false => Err(Problem::Invalid(found.into_vec())),
    }
}

pub(crate) fn campaign(state: State) -> pb::CampaignState {
    let Draft {
        id,
        name,
        starts_at_ms,
        ends_at_ms,
        selector,
        offer,
        budget_minor,
        stacking,
        priority,
        stopped,
    } = state.draft;
    let offer = match offer {
        CampaignOffer::Percent {
            percent_off,
            max_discount_minor,
        } => Offer::Percent(pb::PercentOff {
            percent_off,
            max_discount_minor: max_discount_minor.unwrap_or(0),
        }),
        CampaignOffer::Fixed { amount_minor } => Offer::Fixed(pb::AmountOff { amount_minor }),
    };
    let campaign = pb::Campaign {
        id,
        name,
        starts_at: Some(timestamp::encode(starts_at_ms)),
        ends_at: Some(timestamp::encode(ends_at_ms)),
        selector: Some(pb::Selector {
            items: selector.items,
            categories: selector.categories,
            brands: selector.brands,
            except_items: selector.except_items,
            except_categories: selector.except_categories,
            except_brands: selector.except_brands,
        }),
        budget_minor,
        stacking: match stacking {
            Stacking::Alone => Stacks::Alone,
            Stacking::WithOthers => Stacks::WithOthers,
        }
        .into(),
        priority,
        stopped,
        offer: Some(offer),
    };
    pb::CampaignState {
        campaign: Some(campaign),
        running: state.running,
        spent_minor: state.spent_minor,
    }
}

/// What each line gets, in the order of the lines.
pub(super) fn line_offers(offers: &[LineOffer], inputs: &Inputs) -> Vec<pb::LineOffer> {
    let one = |(line, offer): (&Line, &LineOffer)| pb::LineOffer {
        item_id: line.item_id.clone(),
        given: offer
            .given
            .iter()
            .map(|given| pb::GivenOffer {
                campaign_id: given.campaign.clone(),
                discount_minor: given.discount_minor,
            })
            .collect(),
        runner_up: offer.runner_up.as_ref().map(|passed| pb::PassedOffer {
            campaign_id: passed.campaign.clone(),
            discount_minor: passed.discount_minor,
            why: passed.why.clone(),
        }),
    };
    inputs.lines.iter().zip(offers).map(one).collect()
}
