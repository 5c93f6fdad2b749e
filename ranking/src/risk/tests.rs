use proptest::prelude::*;

use super::*;

fn two_features() -> Logistic {
    Logistic {
        features: vec!["cart_value".to_owned(), "cart_age_s".to_owned()],
        means: vec![100.0, 50.0],
        scales: vec![10.0, 25.0],
        weights: vec![0.5, -1.0],
        missing_weights: vec![0.0, 0.25],
        intercept: 0.1,
        calibration: Calibration {
            slope: 0.8,
            offset: 0.05,
        },
        cut_offs: Vec::new(),
        horizon_ms: 86_400_000,
        quality: Quality {
            samples: 200,
            abandoned: 140,
            ..Quality::default()
        },
    }
}

#[test]
fn weighs_standardised_values() {
    let model = RiskModel::logistic(two_features()).unwrap();
    let risk = model.risk(&[Some(120.0), Some(50.0)]);
    assert!((risk - sigmoid(0.8 * (0.1 + 1.0) + 0.05)).abs() < 1e-12);
}

#[test]
fn a_missing_value_reads_as_the_mean_and_adds_its_own_weight() {
    let model = RiskModel::logistic(two_features()).unwrap();
    let expected = sigmoid(0.8 * (0.1 + 0.25) + 0.05);
    for values in [
        vec![Some(100.0), None],
        vec![None],
        vec![Some(100.0), Some(f64::NAN)],
    ] {
        assert!((model.risk(&values) - expected).abs() < 1e-12);
    }
}

#[test]
fn a_prior_answers_the_same_for_every_cart_and_says_why() {
    let model = RiskModel::prior(0.7, "the log holds 3 outcomes");
    assert!(model.is_prior() && model.feature_names().is_empty());
    assert!((model.risk(&[Some(1.0)]) - 0.7).abs() < 1e-12);
    assert_eq!(
        model.describe(),
        "stated prior: 70.0 % of carts are left; the log holds 3 outcomes"
    );
    assert!(model.quality().is_empty());
}

#[test]
fn refuses_parts_that_do_not_fit() {
    let short = Logistic {
        weights: vec![1.0],
        ..two_features()
    };
    assert_eq!(
        RiskModel::logistic(short).unwrap_err().to_string(),
        "weights has 1 values, 2 expected: one per name"
    );
    let flat = Logistic {
        scales: vec![1.0, 0.0],
        ..two_features()
    };
    assert_eq!(
        RiskModel::logistic(flat).unwrap_err().to_string(),
        "scales holds 0, 1e-9 to 1e15 is allowed"
    );
    let named = Logistic {
        features: vec!["a".into(), "Cart Age".into()],
        ..two_features()
    };
    assert!(matches!(
        RiskModel::logistic(named),
        Err(Error::Name { .. })
    ));
    let beyond = r#"{"kind":"prior","risk":1.5,"why":"x"}"#;
    assert!(RiskModel::parse(beyond).is_err());
    let extra = r#"{"kind":"prior","risk":0.5,"why":"x","color":1}"#;
    assert!(RiskModel::parse(extra).is_err());
}

#[test]
fn reads_what_it_wrote() {
    for model in [
        RiskModel::Logistic(two_features()),
        RiskModel::prior(0.7, "few labels"),
    ] {
        assert_eq!(RiskModel::parse(&model.to_json().unwrap()).unwrap(), model);
    }
}

proptest! {
    #[test]
    fn risk_is_a_probability(
        values in prop::collection::vec(prop::option::of(any::<f64>()), 0..4),
        weights in prop::collection::vec(-1e6_f64..1e6, 2),
    ) {
        let model = RiskModel::logistic(Logistic { weights, ..two_features() }).unwrap();
        let risk = model.risk(&values);
        prop_assert!((0.0..=1.0).contains(&risk), "{risk}");
    }
}
