//! `decision show`: asks a running server to explain a decision of its log.

use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use serde_json::json;

use crate::commands::{block_on, decide};
use crate::{output, remote, wire};

/// Explains a logged decision: every arm, why not the others, and whether it comes out the same again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright decision show --shopper 42 --id 66a95bf2a761f22308066982d23de736
  cartwright decision show --shopper 42 --id 66a95bf2a761f22308066982d23de736 --json")]
pub(super) struct Args {
    /// Whom it was decided about
    #[arg(long, value_name = "ID")]
    shopper: String,
    /// The decision, as Decide and StreamActions name it
    #[arg(long, value_name = "ID")]
    id: String,
    /// The recovery role
    #[arg(long, value_name = "URL", default_value = remote::RECOVERY)]
    to: String,
    #[command(flatten)]
    access: remote::Access,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let told = block_on(async {
        let mut client = RecoveryServiceClient::new(remote::connect(&args.to, &args.access).await?);
        let request = pb::GetDecisionRequest {
            shopper_id: args.shopper.clone(),
            decision_id: args.id.clone(),
        };
        let told = client.get_decision(request).await;
        Ok(told
            .map_err(|status| remote::refused("decision show", &status))?
            .into_inner())
    })?;
    let decision = told.decision.clone().unwrap_or_default();
    if args.json {
        return output::json(&as_json(&told, &decision));
    }
    print(&told, &decision);
    Ok(())
}

fn print(told: &pb::GetDecisionResponse, decision: &pb::Decision) {
    let money = |minor| output::money(minor, &decision.currency);
    let mut table = output::table(["arm", "worth", "uplift", "costs", "probability", ""]);
    for arm in &told.arms {
        let why = match (arm.chosen, arm.not_eligible.as_str()) {
            (true, _) => "chosen",
            (false, "") => &arm.why_not,
            (false, why) => why,
        };
        table.add_row([
            arm.arm.clone(),
            money(arm.expected_value_minor),
            format!("{:.4}", arm.uplift),
            money(arm.cost_minor),
            format!("{:.3}", arm.propensity),
            why.to_owned(),
        ]);
    }
    output::result(format!(
        "{}: {}",
        decision.decision_id,
        decide::action(decision)
    ));
    if !told.arms.is_empty() {
        output::result(table);
    }
    for sentence in &told.explanation {
        output::result(format!("- {sentence}"));
    }
}

fn as_json(told: &pb::GetDecisionResponse, decision: &pb::Decision) -> serde_json::Value {
    let arm = |arm: &pb::ConsideredArm| {
        json!({
            "arm": arm.arm,
            "action": wire::action(arm.action()),
            "chosen": arm.chosen,
            "not_eligible": arm.not_eligible,
            "why_not": arm.why_not,
            "expected_value_minor": arm.expected_value_minor,
            "propensity": arm.propensity,
            "uplift": arm.uplift,
            "cost_minor": arm.cost_minor,
        })
    };
    json!({
        "decision": decide::as_json(decision),
        "request_id": told.request_id,
        "policy_version": told.policy_version,
        "policy_id": told.policy_id,
        "seed": told.seed.to_string(),
        "lambda": told.lambda,
        "budget_free_minor": told.budget_free_minor,
        "reproduced": told.reproduced,
        "not_reproduced": told.not_reproduced,
        "arms": told.arms.iter().map(arm).collect::<Vec<_>>(),
        "explanation": told.explanation,
    })
}
