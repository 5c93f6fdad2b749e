//! The policy file: what is shipped is valid, and every mistake has its place.

use policy::{Action, Inputs, Line, Policy, Problem};

const REMINDER: &str = "[[arm]]\nname = \"r\"\naction = \"reminder\"\nrecovery = 0.1\n";
const COUPON: &str = "[[arm]]\nname = \"c\"\naction = \"percent_coupon\"\nrecovery = 0.1\n";

fn problems(file: &str) -> Vec<Problem> {
    Policy::parse(file).err().unwrap_or_default()
}

#[test]
fn the_shipped_policy_is_valid_and_knows_every_action() {
    let policy = Policy::parse(Policy::DEFAULT).unwrap();
    assert_eq!(policy.version(), "default-1");
    let actions: Vec<Action> = policy.arms().iter().map(|arm| arm.action).collect();
    assert!(Action::ALL.iter().all(|action| actions.contains(action)));
}

#[test]
fn every_mistake_has_its_line_column_key_and_what_is_allowed() {
    let mistakes: Vec<&str> = include_str!("goldens/mistakes.txt")
        .split("=== ")
        .skip(1)
        .collect();
    assert!(mistakes.len() >= 39);
    for mistake in mistakes {
        let (expected, file) = mistake.split_once('\n').unwrap();
        let (place, said) = expected.split_once(" | ").unwrap();
        let found = problems(file);
        assert_eq!(found.len(), 1, "{mistake}\n{found:#?}");
        let Problem {
            line,
            column,
            key,
            message,
        } = &found[0];
        assert_eq!(
            format!("{line}:{column} {key}"),
            place,
            "{mistake}\n{message}"
        );
        assert!(message.contains(said), "{mistake}\n{message}");
    }
}

#[test]
fn all_mistakes_of_a_file_come_at_once_and_in_its_order() {
    let file = "\
version = \"t\"
items_shown = 99
dfault_channel = \"sms\"
[caps]
max_messages_7d = \"three\"
[[arm]]
name = \"r\"
action = \"reminder\"
recovery = 3
[[arm]]
name = \"c\"
action = \"percent_coupon\"
percent_off = 20
recovery = 0.1
valid_for = \"1y\"
when = \"cart.units > \"
";
    let found = problems(file);
    let places: Vec<(usize, &str)> = found
        .iter()
        .map(|problem| (problem.line, problem.key.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (2, "items_shown"),
            (3, "dfault_channel"),
            (5, "caps.max_messages_7d"),
            (9, "arm[0].recovery"),
            (10, "arm[1].max_discount_minor"),
            (13, "arm[1].percent_off"),
            (15, "arm[1].valid_for"),
            (16, "arm[1].when"),
        ]
    );
    assert!(
        found[0]
            .to_string()
            .starts_with("line 2, column 15: items_shown: 99 is not allowed")
    );
}

#[test]
fn a_line_that_is_not_toml_does_not_hide_the_mistakes_after_it() {
    let places: Vec<usize> = problems("version = \"t\"\nitems_shown = ]\ncaps = 3\n")
        .iter()
        .map(|problem| problem.line)
        .collect();
    assert_eq!(places, [2, 3]);
}

#[test]
fn nothing_can_always_be_done() {
    for file in [
        "version = \"t\"\n".to_owned(),
        format!("version = \"t\"\n{REMINDER}"),
    ] {
        let policy = Policy::parse(&file).unwrap();
        let decision = policy.decide(&Inputs::default(), 0);
        assert_eq!(
            (decision.action, decision.arm.as_str()),
            (Action::Nothing, "nothing")
        );
    }
    let named =
        format!("version = \"t\"\n{REMINDER}[[arm]]\nname = \"quiet\"\naction = \"nothing\"\n");
    let policy = Policy::parse(&named).unwrap();
    assert_eq!(policy.decide(&Inputs::default(), 0).arm, "quiet");
}

#[test]
fn an_arm_may_take_the_name_of_nothing() {
    let policy = Policy::parse(&format!(
        "version = \"t\"\n{}",
        REMINDER.replace("\"r\"", "\"nothing\"")
    ))
    .unwrap();
    let names: Vec<String> = policy.arms().into_iter().map(|arm| arm.name).collect();
    assert_eq!(names, ["do_nothing", "nothing"]);
}

#[test]
fn too_many_arms_are_refused() {
    let arms: String = (0..65)
        .map(|n| REMINDER.replace("\"r\"", &format!("\"r{n}\"")))
        .collect();
    assert!(
        problems(&format!("version = \"t\"\n{arms}"))[0]
            .message
            .contains("65 arms are too many")
    );
}

#[test]
fn any_text_is_read_or_refused_without_a_panic() {
    for cut in 0..Policy::DEFAULT.len() {
        if let Some(text) = Policy::DEFAULT.get(..cut) {
            drop(Policy::parse(text));
        }
    }
    for text in [
        "\u{feff}version = \"t\"",
        "\0",
        "[[[",
        "version = \"t\"\r\nitems_shown = 3\r\n",
    ] {
        drop(Policy::parse(text));
    }
}

#[test]
fn an_unknown_cost_uses_the_files_rate_and_cap() {
    let file = format!(
        "version = \"t\"\n[unknown_cost]\nmargin_rate = 0.4\nmax_discount_rate = 0.02\n\
         {COUPON}percent_off = 0.5\nmax_discount_minor = 100000\nvalid_for = \"2d\"\n"
    );
    let inputs = Inputs {
        lines: vec![Line {
            quantity: 1,
            price_minor: 10_000,
            ..Line::default()
        }],
        consented_channels: vec!["email".to_owned()],
        risk: 1.0,
        ..Inputs::default()
    };
    let decision = Policy::parse(&file).unwrap().decide(&inputs, 0);
    let offer = decision.offer.unwrap();
    assert_eq!((offer.discount_minor, offer.max_discount_minor), (200, 200));
    assert_eq!(decision.value_minor, 400 - 20);
}
