//! Settings and consent: what a shopper says about themselves, apart from events.

use std::cmp::Ordering;

use crate::event::{Rejection, text};
use crate::time::Millis;
use crate::view::Profile;

const CHANNELS: [&str; 4] = ["email", "onsite", "push", "sms"];
const PURPOSES: [&str; 3] = ["marketing", "profiling", "transactional"];
const MAX_WORDING: usize = 64;
/// More (purpose, channel) pairs than are valid, so that only unchecked input can meet it.
const MAX_CONSENTS: usize = 32;

/// ISO 3166-1 alpha-2, two letters a country.
const COUNTRIES: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZ\
CACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGM\
GNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLT\
LULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPN\
PRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZ\
UAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

/// The fields of a profile to set; the others stay.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProfileUpdate {
    pub time_zone: Option<String>,
    pub channels: Option<Vec<String>>,
    pub jurisdiction: Option<String>,
}

impl ProfileUpdate {
    pub fn validate(&self) -> Result<(), Rejection> {
        if let Some(zone) = self.time_zone.as_deref().filter(|zone| !zone.is_empty()) {
            validate_time_zone(zone)?;
        }
        for channel in self.channels.iter().flatten() {
            one_of("channels", channel, &CHANNELS)?;
        }
        match self.jurisdiction.as_deref() {
            Some(code) if !code.is_empty() => validate_jurisdiction(code),
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn apply_to(self, profile: &mut Profile) {
        if let Some(time_zone) = self.time_zone {
            profile.time_zone = time_zone;
        }
        if let Some(mut channels) = self.channels {
            channels.sort_unstable();
            channels.dedup();
            profile.channels = channels;
        }
        if let Some(jurisdiction) = self.jurisdiction {
            profile.jurisdiction = jurisdiction;
        }
    }
}

/// A grant or a revocation of consent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConsentRecord {
    pub purpose: String,
    pub channel: String,
    pub granted: bool,
    /// Version of the text agreed to.
    pub wording: String,
    pub at: Millis,
    pub jurisdiction: String,
}

impl ConsentRecord {
    pub fn validate(&self) -> Result<(), Rejection> {
        one_of("purpose", &self.purpose, &PURPOSES)?;
        one_of("channel", &self.channel, &CHANNELS)?;
        text("wording", &self.wording, MAX_WORDING)?;
        if self.granted && self.wording.is_empty() {
            let detail = "wording is empty, a grant needs one".to_owned();
            return Err(Rejection::invalid("wording", detail));
        }
        if self.at.0 <= 0 {
            let detail = format!("at is {}, a time after 1970 is needed", self.at);
            return Err(Rejection::invalid("at", detail));
        }
        if self.jurisdiction.is_empty() {
            return Ok(());
        }
        validate_jurisdiction(&self.jurisdiction)
    }

    fn subject(&self) -> (&str, &str) {
        (&self.purpose, &self.channel)
    }

    /// Whether this record counts against an older one of its subject. A revocation wins a tie, and
    /// the texts settle what is left, so that the order of arrival never matters.
    fn outranks(&self, other: &Self) -> bool {
        let rank = |c: &Self| (c.at, !c.granted, c.wording.clone(), c.jurisdiction.clone());
        rank(self) > rank(other)
    }
}

/// Keeps the record that counts for its purpose and channel; says whether anything changed.
pub(crate) fn record_consent(consents: &mut Vec<ConsentRecord>, record: ConsentRecord) -> bool {
    match consents.binary_search_by(|known| known.subject().cmp(&record.subject())) {
        Ok(index) => match consents.get_mut(index) {
            Some(known) if record.outranks(known) => {
                *known = record;
                true
            }
            Some(_) | None => false,
        },
        Err(_) if consents.len() >= MAX_CONSENTS => false,
        Err(index) => {
            consents.insert(index, record);
            true
        }
    }
}

/// The strictest record of each purpose and channel comes first: a revocation before a grant, then
/// the newest.
pub(crate) fn by_subject_and_strictness(a: &ConsentRecord, b: &ConsentRecord) -> Ordering {
    let rank = |c: &ConsentRecord| (!c.granted, c.at, c.wording.clone(), c.jurisdiction.clone());
    let subjects = a.subject().cmp(&b.subject());
    subjects.then_with(|| rank(b).cmp(&rank(a)))
}

pub(crate) fn same_subject(a: &ConsentRecord, b: &ConsentRecord) -> bool {
    a.subject() == b.subject()
}

fn one_of(field: &'static str, value: &str, allowed: &[&str]) -> Result<(), Rejection> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let detail = format!(
        "{field} is {value:?}, one of {} is allowed",
        allowed.join(", ")
    );
    Err(Rejection::invalid(field, detail))
}

fn validate_time_zone(zone: &str) -> Result<(), Rejection> {
    text("time_zone", zone, 64)?;
    if jiff::tz::TimeZone::get(zone).is_ok() {
        return Ok(());
    }
    let detail = format!("time_zone is {zone:?}, an IANA name like \"Europe/Berlin\" is needed");
    Err(Rejection::invalid("time_zone", detail))
}

fn validate_jurisdiction(code: &str) -> Result<(), Rejection> {
    let (country, subdivision) = match code.split_once('-') {
        Some((country, subdivision)) => (country, Some(subdivision)),
        None => (code, None),
    };
    let known = COUNTRIES
        .as_bytes()
        .chunks(2)
        .any(|pair| pair == country.as_bytes());
    let subdivision_fits = subdivision.is_none_or(|part| {
        (1..=3).contains(&part.len())
            && part
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    });
    if known && subdivision_fits {
        return Ok(());
    }
    let detail = format!("jurisdiction is {code:?}, an ISO 3166 code like DE or US-CA is needed");
    Err(Rejection::invalid("jurisdiction", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent(granted: bool, at: i64) -> ConsentRecord {
        ConsentRecord {
            purpose: "marketing".into(),
            channel: "email".into(),
            granted,
            wording: "v1".into(),
            at: Millis(at),
            jurisdiction: String::new(),
        }
    }

    #[test]
    fn the_newest_record_counts_and_a_revocation_wins_a_tie() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
            let records = [consent(true, 5), consent(true, 9), consent(false, 9)];
            let mut kept = Vec::new();
            for index in order {
                record_consent(&mut kept, records[index].clone());
            }
            assert_eq!(kept, vec![consent(false, 9)]);
        }
    }

    #[test]
    fn names_the_profile_field_that_is_unknown() {
        let field = |update: ProfileUpdate| update.validate().expect_err("refused").field;
        let zone = Some("Mars/Olympus".to_owned());
        assert_eq!(
            field(ProfileUpdate {
                time_zone: zone,
                ..Default::default()
            }),
            "time_zone"
        );
        let channels = Some(vec!["pigeon".to_owned()]);
        assert_eq!(
            field(ProfileUpdate {
                channels,
                ..Default::default()
            }),
            "channels"
        );
        for code in ["XX", "de", "DE-", "US-CALI", "DEU", "AF\u{0}"] {
            let jurisdiction = Some(code.to_owned());
            let update = ProfileUpdate {
                jurisdiction,
                ..Default::default()
            };
            assert_eq!(field(update), "jurisdiction", "{code}");
        }
    }

    #[test]
    fn takes_real_zones_and_codes() {
        let update = ProfileUpdate {
            time_zone: Some("Europe/Berlin".into()),
            channels: Some(vec!["email".into(), "sms".into()]),
            jurisdiction: Some("US-CA".into()),
        };
        assert_eq!(update.validate(), Ok(()));
        assert_eq!(COUNTRIES.len(), 249 * 2);
    }

    #[test]
    fn a_grant_needs_its_wording() {
        let mut record = consent(true, 1);
        record.wording.clear();
        assert_eq!(record.validate().expect_err("refused").field, "wording");
        record.granted = false;
        assert_eq!(record.validate(), Ok(()));
    }
}
