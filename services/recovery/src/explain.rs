//! A logged decision: found, made again from its record alone, and told in words.

use feature_store::FoundDecision;
use kit::Problem;
use policy::{Considered, Inputs, Policy};
use prost::Message as _;
use proto::v1 as pb;

use crate::commit::{Books, damaged, unavailable};
use crate::policies;
use crate::record::{Record, ReplayError, SEALED_SINCE, hex, replay};

/// A decision, with what its log says of it.
#[derive(Clone, Debug)]
pub(crate) struct Explained {
    pub(crate) record: Record,
    pub(crate) decision: pb::Decision,
    pub(crate) inputs: Inputs,
    /// As it was made again, or why it could not be.
    pub(crate) again: Result<policy::Decision, String>,
}

impl Books {
    /// Finds a decision and makes it again.
    pub(crate) async fn explain(
        &self,
        shopper_id: &str,
        decision_id: &str,
    ) -> Result<Explained, Problem> {
        let found = self.store.decision(shopper_id, decision_id).await;
        let found = found.map_err(|error| unavailable("the decision log", &error))?;
        let found = found.ok_or_else(|| {
            Problem::NotFound(format!(
                "there is no decision {decision_id:?} about {shopper_id:?}"
            ))
        })?;
        let found = match found {
            FoundDecision::Record(record) => record,
            FoundDecision::Erased => {
                return Err(Problem::NotFound(format!(
                    "decision {decision_id:?} was erased with its shopper: its record is sealed with a key \
                     that was destroyed"
                )));
            }
        };
        let record = Record::decode(found).map_err(damaged)?;
        let decision = pb::Decision::decode(record.decision.as_slice()).map_err(damaged)?;
        Ok(Explained {
            inputs: Inputs::decode(&record.inputs).map_err(damaged)?,
            again: self.again(&record, &decision).await?,
            decision,
            record,
        })
    }

    async fn again(
        &self,
        record: &Record,
        decision: &pb::Decision,
    ) -> Result<Result<policy::Decision, String>, Problem> {
        let version = &record.policy_version;
        if record.format < SEALED_SINCE {
            return Ok(Err(format!(
                "an older version logged it, which did not name the text of policy {version:?}"
            )));
        }
        let Some(policy) = policies::find(&self.store, &record.policy_id).await? else {
            let id = hex(&record.policy_id);
            return Ok(Err(format!(
                "the text of policy {version:?} ({id}) is not in the store"
            )));
        };
        Ok(made_again(record, decision, &policy))
    }
}

fn made_again(
    record: &Record,
    decision: &pb::Decision,
    policy: &Policy,
) -> Result<policy::Decision, String> {
    let again = replay(record, policy).map_err(|error: ReplayError| error.to_string())?;
    let bits = |value: i64, propensity: f64| (value, propensity.to_bits());
    let answered = bits(decision.expected_value_minor, decision.propensity);
    if bits(again.value_minor, again.propensity) != answered {
        return Err("what was answered is not what its inputs come to".to_owned());
    }
    Ok(again)
}

impl Explained {
    /// What was asked, what was known, what was chosen, why not the others, and whether all of that
    /// can be made again.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut told = vec![self.occasion(), self.known()];
        told.extend(self.decision.reasons.iter().cloned());
        match &self.again {
            Ok(again) => {
                told.push(format!(
                    "{:?} was chosen with a probability of {}",
                    again.arm, again.propensity
                ));
                let others = again.considered.iter().filter(|one| one.arm != again.arm);
                told.extend(others.map(other));
            }
            Err(_) => told.push(format!(
                "it was chosen with a probability of {}",
                self.decision.propensity
            )),
        }
        told.extend(self.money());
        let (version, generation) = (&self.record.policy_version, &self.record.generation);
        let seed = self.record.seed;
        told.push(format!(
            "decided by policy {version:?} on generation {generation}, with the seed {seed}"
        ));
        told.push(match &self.again {
            Ok(_) => "made again from its log alone it is the same, bit for bit".to_owned(),
            Err(why) => format!("it cannot be made again: {why}"),
        });
        told
    }

    fn occasion(&self) -> String {
        let Record {
            request_id,
            shopper_id,
            step,
            ..
        } = &self.record;
        match step {
            Some(step) => format!(
                "step {} about cart version {} of {shopper_id:?}, attempt {}, was decided",
                step.step, step.cart_version, step.attempt
            ),
            None => format!("request {request_id:?} about {shopper_id:?} was decided"),
        }
    }

    fn known(&self) -> String {
        let lines = self.inputs.lines.len();
        let lines = match lines {
            1 => "1 line".to_owned(),
            _ => format!("{lines} lines"),
        };
        let (left, risk) = (self.inputs.left.as_str(), self.inputs.risk);
        let (value, currency) = (self.inputs.value_minor(), &self.inputs.currency);
        let consent = match self.inputs.consented_channels.as_slice() {
            [] => "no consent to any channel".to_owned(),
            channels => format!("consent to {}", channels.join(", ")),
        };
        format!(
            "known were: a {left} of {lines} worth {value} minor units of {currency}, a risk of {risk} that it is left for good, {consent}, {} messages in seven days",
            self.inputs.messages_7d
        )
    }

    fn money(&self) -> Option<String> {
        let free = self.inputs.budget_free_minor?;
        Some(format!(
            "the budget had {free} minor units left, and a minor unit of it was priced at {}",
            self.inputs.lambda
        ))
    }
}

fn other(arm: &Considered) -> String {
    match &arm.eligible {
        Ok(()) => format!("{:?} was not: {}", arm.arm, arm.why_not),
        Err(why) => format!("{:?} could not be: {why}", arm.arm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FORMAT;

    fn explained(again: Result<policy::Decision, String>) -> Explained {
        let inputs = Inputs {
            risk: 0.5,
            budget_free_minor: Some(100),
            ..Inputs::default()
        };
        Explained {
            record: Record {
                format: FORMAT,
                request_id: "r".to_owned(),
                shopper_id: "ann".to_owned(),
                policy_version: "v".to_owned(),
                ..Record::default()
            },
            decision: pb::Decision::default(),
            inputs,
            again,
        }
    }

    #[test]
    fn says_what_was_asked_why_not_the_others_and_whether_it_can_be_made_again() {
        let policy = Policy::parse(Policy::DEFAULT).unwrap();
        let again = policy.decide(&explained(Err(String::new())).inputs, 1);
        let arms = again.considered.len();
        let told = explained(Ok(again)).sentences().join("\n");
        assert!(told.contains("request \"r\" about \"ann\""), "{told}");
        assert_eq!(told.matches("could not be: ").count(), arms - 1, "{told}");
        assert!(told.contains("had 100 minor units left"), "{told}");
        assert!(told.ends_with("the same, bit for bit"), "{told}");
        let told = explained(Err("the text is gone".to_owned())).sentences();
        assert_eq!(
            told.last().unwrap(),
            "it cannot be made again: the text is gone"
        );
    }
}
