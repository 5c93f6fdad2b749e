use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_form_is_understood() {
    let line = "x decide retrieve@50 --features http://a:1 --candidates http://b:2 \
         --recovery http://c:3 --rate 1500 --duration 30s --slo p99<10ms errors<0.01% \
         --find-max --json j --html h";
    let run = parse(line).unwrap().run;
    assert_eq!(run.scenarios[1].rate, Some(50.0));
    assert_eq!(run.slo.len(), 2);
    assert_eq!(run.load.duration, Duration::from_secs(30));
    assert_eq!(run.find_max, Some(Vec::new()));
    assert_eq!(run.url(Role::Recovery), "http://c:3");
    let run = parse("x decide --find-max=decide,rank rank").unwrap().run;
    assert_eq!(run.find_max.unwrap(), ["decide", "rank"]);
    assert_eq!(run.scenarios.len(), 2);
}

#[test]
fn a_number_alone_is_one_of_seconds() {
    let line = "x decide --duration 60 --warmup 3 --timeout 0.5 --find-max-step 10";
    let run = parse(line).unwrap().run;
    assert_eq!(run.load.duration, Duration::from_secs(60));
    assert_eq!(run.load.warmup, Duration::from_secs(3));
    assert_eq!(run.load.timeout, Duration::from_millis(500));
    assert_eq!(run.find_max_step, Duration::from_secs(10));
}

#[test]
fn reports_are_compared_by_a_command_of_its_own() {
    let cli = parse("x diff a.json b.json --threshold 10% --json").unwrap();
    let Some(Command::Diff(diff)) = cli.command else {
        panic!("{cli:?}");
    };
    assert!((diff.threshold - 0.1).abs() < 1e-9 && diff.json);
    assert!(cli.run.scenarios.is_empty());
    assert!(parse("x diff a.json").is_err());
}

#[test]
fn what_contradicts_itself_is_said() {
    let said = |line| parse(line).unwrap().run.contradiction().unwrap_or_default();
    assert!(said("x decide fault").contains("needs --fault-cmd"));
    assert_eq!(said("x fault --fault-cmd true"), "");
    let replay = "x mixed --arrival replay:f.csv --find-max";
    assert!(said(replay).contains("a replay has its own rate"));
}

#[test]
fn commit_is_a_flag_or_a_scenario() {
    for line in ["x decide --commit", "x decide-commit"] {
        let run = parse(line).unwrap().run;
        assert_eq!(run.chosen()[0].plan.name, "decide-commit", "{line}");
    }
    let run = parse("x features --commit").unwrap().run;
    assert_eq!(run.chosen()[0].plan.name, "features");
}

#[test]
fn mistakes_are_refused_with_what_is_allowed() {
    for (line, needed) in [
        ("x", "required"),
        ("x nowhere.toml", "read nowhere.toml"),
        ("x features --compare candidates", "ROLE=URL"),
        ("x features --trace-share 2", "0% to 100%"),
        ("x features --speed 0", "0.01 to 1000000"),
        ("x features --fault-undo true", "--fault-cmd"),
        (
            "x decide --find-max --compare recovery=http://a:1",
            "cannot be used with",
        ),
        ("x features@fast", "requests a second are allowed"),
        ("x features --rate 0", "requests a second are allowed"),
        (
            "x features --duration 0s",
            "seconds or a number with us, ms, s or m",
        ),
        ("x features --slo p99", "a comparison is needed"),
        ("x features --features 127.0.0.1:7101", "http://HOST:PORT"),
        ("x features --arrival burst", "constant, poisson"),
        ("x features --items 50 --item-ids f", "cannot be used with"),
    ] {
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains(needed), "{line}: {error}");
    }
}
