//! Which features a generation reads, and who of it reads them.

use policy::Policy;
use ranking::{Columns, RiskModel, Standing};

use super::{LoadError, plan};

/// In the registry, the features that a rule reads as `shopper.…` carry this before their name.
const SHOPPER: &str = "shopper.";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
enum Read {
    /// A place among the names.
    Feature(usize),
    /// What the candidates say of the cart, by name.
    Standing(String),
}

/// Which features to ask for, and who reads them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Features {
    /// Every feature of the registry once.
    names: Vec<String>,
    /// What the risk model reads, in its order.
    risk: Vec<Read>,
    /// Features of rules: place in `names`, and the name that rules know.
    rules: Vec<(usize, String)>,
    /// Features that the ranker reads, in its order: places in `names`.
    ranked: Vec<usize>,
}

impl Features {
    pub(super) fn plan(
        risk: &RiskModel,
        policy: &Policy,
        ranked: Option<&Columns>,
    ) -> Result<Self, LoadError> {
        let ranked = ranked.map_or(&[][..], Columns::shopper_features);
        let features = Self::of(risk.feature_names(), policy.shopper_features(), ranked);
        plan(&features.names)?;
        Ok(features)
    }

    fn of(risk: &[String], rules: &[String], ranked: &[String]) -> Self {
        let mut features = Self::default();
        for name in risk {
            let read = if Standing::is_name(name) {
                Read::Standing(name.clone())
            } else {
                Read::Feature(features.place(name))
            };
            features.risk.push(read);
        }
        for rule in rules {
            let place = features.place(&format!("{SHOPPER}{rule}"));
            features.rules.push((place, rule.clone()));
        }
        for name in ranked {
            let place = features.place(name);
            features.ranked.push(place);
        }
        features
    }

    fn place(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|one| one == name);
        known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The values that the risk model reads, in its order.
    pub(crate) fn of_risk(&self, values: &[Option<f64>], standing: &Standing) -> Vec<Option<f64>> {
        let value = |read: &Read| match read {
            Read::Feature(place) => values.get(*place).copied().flatten(),
            Read::Standing(name) => standing.value(name),
        };
        self.risk.iter().map(value).collect()
    }

    /// The values that the ranker reads, in its order.
    pub(crate) fn of_ranker(&self, values: &[Option<f64>]) -> Vec<Option<f64>> {
        let value = |place: &usize| values.get(*place).copied().flatten();
        self.ranked.iter().map(value).collect()
    }

    /// The values that rules read, by the names that rules know; those without a value are absent.
    pub(crate) fn of_rules(&self, values: &[Option<f64>]) -> impl Iterator<Item = (String, f64)> {
        self.rules.iter().filter_map(|(place, rule)| {
            let value = values.get(*place).copied().flatten()?;
            Some((rule.clone(), value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn asks_for_each_feature_once() {
        let features = Features::of(
            &names(&["shopper.a", "item.b"]),
            &names(&["a", "c"]),
            &names(&["shopper.d", "shopper.a"]),
        );
        assert_eq!(
            features.names(),
            names(&["shopper.a", "item.b", "shopper.c", "shopper.d"])
        );
        let values = [Some(1.0), None, Some(3.0), Some(4.0)];
        let standing = Standing::new([0.5], Some(0.75));
        assert_eq!(features.of_ranker(&values), [Some(4.0), Some(1.0)]);
        assert_eq!(features.of_risk(&values, &standing), [Some(1.0), None]);
        let rules: Vec<_> = features.of_rules(&values).collect();
        assert_eq!(rules, [("a".to_owned(), 1.0), ("c".to_owned(), 3.0)]);
    }

    #[test]
    fn what_candidates_say_of_the_cart_is_asked_of_no_store() {
        let risk = names(&["shopper.a", Standing::MARGIN, "shopper.b"]);
        let features = Features::of(&risk, &names(&["b"]), &[]);
        assert_eq!(features.names(), names(&["shopper.a", "shopper.b"]));
        let values = [Some(1.0), Some(2.0)];
        let known = Standing::new([0.5], Some(0.75));
        let expected = [Some(1.0), Some(0.25), Some(2.0)];
        assert_eq!(features.of_risk(&values, &known), expected);
        let missing = [Some(1.0), None, Some(2.0)];
        assert_eq!(features.of_risk(&values, &Standing::default()), missing);
    }

    #[test]
    fn without_values_there_is_nothing_to_read() {
        let features = Features::of(&names(&["shopper.a"]), &names(&["b"]), &[]);
        assert_eq!(features.of_risk(&[], &Standing::default()), [None]);
        assert_eq!(features.of_rules(&[Some(1.0)]).count(), 0);
    }
}
