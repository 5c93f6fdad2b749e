//! One budget over many carts: which arm each cart gets, and the price of the next cent.
//!
//! Each cart takes at most one of its options, a value and a cost each; the costs together stay
//! within the budget; the values together are to be as high as possible. That is the
//! multiple-choice knapsack (Kellerer, Pferschy, Pisinger, *Knapsack Problems*, 2004, chapter 11).
//! With a price λ on a cent of the budget it falls apart into carts, each of which takes
//!
//! > argmax over its options of value − λ · cost, nothing being the option of value 0 and cost 0
//!
//! and what is spent falls as λ rises. [`Carts::allocate`] finds by bisection the lowest λ whose
//! spending fits. For every λ ≥ 0 the Lagrangian dual
//!
//! > bound(λ) = λ · budget + Σ over carts of max(value − λ · cost)
//!
//! is at least the value of any allocation that fits (weak duality), and at the λ found it is the
//! optimum of the linear relaxation (Sinha and Zoltners 1979, *The multiple-choice knapsack
//! problem*, Operations Research 27). What the budget has left at that λ goes to the best steps up
//! that still fit, so that what is missing to the bound is less than the worth of one step: at
//! 100,000 carts it vanishes.
//!
//! Costs are whole minor units and summed exactly, so that no cent is overspent. Ties go to the
//! cheaper option, then to the one pushed first; between carts, to the cart pushed first.

/// One thing that could be done about a cart.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Choice {
    /// Worth in minor units before the price of the budget; may be below zero.
    pub value: f64,
    /// Most that it can cost the budget, in minor units.
    pub cost_minor: i64,
}

/// What cannot be allocated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AllocateError {
    #[error("value of option {option} of cart {cart} is {value}, it has to be a finite number")]
    Value {
        cart: usize,
        option: usize,
        value: f64,
    },
    #[error("cost_minor of option {option} of cart {cart} is {cost_minor}, it has to be 0 or more")]
    Cost {
        cart: usize,
        option: usize,
        cost_minor: i64,
    },
    #[error("budget_minor is {0}, it has to be 0 or more")]
    Budget(i64),
}

/// Carts with their options, in one piece of memory.
#[derive(Clone, Debug, Default)]
pub struct Carts {
    choices: Vec<Choice>,
    /// End of each cart's options in `choices`.
    ends: Vec<usize>,
}

/// Who gets what.
#[derive(Clone, Debug, PartialEq)]
pub struct Allocation {
    /// Shadow price: what one more minor unit of budget would bring. 0 when the budget is not
    /// scarce.
    pub lambda: f64,
    /// Per cart, the option taken; `None` is doing nothing.
    pub taken: Vec<Option<usize>>,
    pub value: f64,
    /// Never above the budget.
    pub spent_minor: i64,
    /// No allocation that fits the budget is worth more.
    pub bound: f64,
}

impl Allocation {
    /// Share of the bound that is missing, 0 when the bound is 0.
    #[must_use]
    pub fn gap(&self) -> f64 {
        if self.bound > 0.0 {
            (self.bound - self.value).max(0.0) / self.bound
        } else {
            0.0
        }
    }
}

impl Carts {
    #[must_use]
    pub fn with_capacity(carts: usize, options_per_cart: usize) -> Self {
        Self {
            choices: Vec::with_capacity(carts.saturating_mul(options_per_cart)),
            ends: Vec::with_capacity(carts),
        }
    }

    /// Adds a cart. Doing nothing needs no option of its own.
    ///
    /// # Errors
    /// A value that is no finite number or a cost below zero; the cart is then not added.
    pub fn push(&mut self, options: &[Choice]) -> Result<(), AllocateError> {
        let cart = self.ends.len();
        for (option, choice) in options.iter().enumerate() {
            let Choice { value, cost_minor } = *choice;
            if !value.is_finite() {
                return Err(AllocateError::Value {
                    cart,
                    option,
                    value,
                });
            }
            if cost_minor < 0 {
                return Err(AllocateError::Cost {
                    cart,
                    option,
                    cost_minor,
                });
            }
        }
        self.choices.extend_from_slice(options);
        self.ends.push(self.choices.len());
        Ok(())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn each(&self) -> impl Iterator<Item = &[Choice]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| self.choices.get(start..end).unwrap_or_default())
    }

    /// Spends at most `budget_minor` on the carts, for as much value as can be had.
    ///
    /// # Errors
    /// A budget below zero.
    pub fn allocate(&self, budget_minor: i64) -> Result<Allocation, AllocateError> {
        if budget_minor < 0 {
            return Err(AllocateError::Budget(budget_minor));
        }
        let lambda = self.price(budget_minor);
        let bound = self.bound(lambda, budget_minor);
        let mut taken: Vec<Option<usize>> = self
            .each()
            .map(|options| best_at(options, lambda).map(|(place, _)| place))
            .collect();
        let spent = self.spent_at(lambda).unwrap_or(i64::MAX);
        let left = self.step_up(&mut taken, lambda, budget_minor.saturating_sub(spent));
        let value = self
            .each()
            .zip(&taken)
            .filter_map(|(options, taken)| options.get((*taken)?))
            .fold(0.0, |sum, choice| sum + choice.value);
        Ok(Allocation {
            lambda,
            taken,
            value,
            spent_minor: budget_minor.saturating_sub(left),
            bound: bound.max(value),
        })
    }

    /// The lowest price at which what all carts take fits the budget. Floats at or above zero are
    /// ordered as their bits are, so halving the bits ends, after at most 64 rounds, at two floats
    /// next to each other: the lower one spends too much, the upper one does not.
    fn price(&self, budget_minor: i64) -> f64 {
        let fits = |lambda| {
            self.spent_at(lambda)
                .is_some_and(|spent| spent <= budget_minor)
        };
        if fits(0.0) {
            return 0.0;
        }
        let (mut low, mut high) = (0_u64, (2.0 * self.steepest()).to_bits());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match fits(f64::from_bits(middle)) {
                true => high = middle,
                false => low = middle,
            }
        }
        f64::from_bits(high)
    }

    /// The highest value per cent of cost: above it only what is free is taken.
    fn steepest(&self) -> f64 {
        let costly = self.choices.iter().filter(|choice| choice.cost_minor > 0);
        costly
            .map(|choice| choice.value / as_cost(choice.cost_minor))
            .fold(f64::MIN_POSITIVE, f64::max)
    }

    /// `None` when the sum is no number of 64 bits.
    fn spent_at(&self, lambda: f64) -> Option<i64> {
        self.each().try_fold(0_i64, |sum, options| {
            let cost = best_at(options, lambda).map_or(0, |(_, choice)| choice.cost_minor);
            sum.checked_add(cost)
        })
    }

    fn bound(&self, lambda: f64, budget_minor: i64) -> f64 {
        let carts = self
            .each()
            .filter_map(|options| best_at(options, lambda))
            .fold(0.0, |sum, (_, choice)| sum + priced(choice, lambda));
        lambda * as_cost(budget_minor) + carts
    }

    /// Spends what is left on steps from what a cart has to something better, the most value per
    /// cent first. Gives back what is left then.
    fn step_up(&self, taken: &mut [Option<usize>], lambda: f64, mut left: i64) -> i64 {
        if lambda <= 0.0 || left == 0 {
            return left;
        }
        let mut steps: Vec<(f64, usize, usize)> = Vec::new();
        for ((cart, options), taken) in self.each().enumerate().zip(&*taken) {
            let has = held(options, *taken);
            for (place, choice) in options.iter().enumerate() {
                if choice.value > has.value && choice.cost_minor > has.cost_minor {
                    let dearer = choice.cost_minor - has.cost_minor;
                    if dearer <= left {
                        steps.push(((choice.value - has.value) / as_cost(dearer), cart, place));
                    }
                }
            }
        }
        steps.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let carts: Vec<&[Choice]> = self.each().collect();
        for (_, cart, place) in steps {
            let (Some(options), Some(slot)) = (carts.get(cart), taken.get_mut(cart)) else {
                continue;
            };
            let (has, next) = (held(options, *slot), held(options, Some(place)));
            let dearer = next.cost_minor.saturating_sub(has.cost_minor);
            if next.value > has.value && dearer <= left {
                left -= dearer;
                *slot = Some(place);
            }
        }
        left
    }
}

/// What a cart gets at a price per minor unit; the same rule for one cart at a time, at the price
/// that [`Carts::allocate`] found for all. `None` is doing nothing.
#[must_use]
pub fn choose(options: &[Choice], lambda: f64) -> Option<usize> {
    best_at(options, lambda).map(|(place, _)| place)
}

fn best_at(options: &[Choice], lambda: f64) -> Option<(usize, &Choice)> {
    let mut best: Option<(usize, &Choice)> = None;
    let (mut most, mut cost) = (0.0, 0);
    for (place, choice) in options.iter().enumerate() {
        let worth = priced(choice, lambda);
        let cheaper = worth >= most && choice.cost_minor < cost;
        if worth > most || cheaper {
            (best, most, cost) = (Some((place, choice)), worth, choice.cost_minor);
        }
    }
    best
}

fn priced(choice: &Choice, lambda: f64) -> f64 {
    choice.value - lambda * as_cost(choice.cost_minor)
}

fn held(options: &[Choice], taken: Option<usize>) -> Choice {
    let nothing = Choice {
        value: 0.0,
        cost_minor: 0,
    };
    taken
        .and_then(|place| options.get(place))
        .copied()
        .unwrap_or(nothing)
}

fn as_cost(minor: i64) -> f64 {
    crate::money::as_f64(minor)
}
