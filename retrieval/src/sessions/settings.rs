use crate::Error;

/// How much each circumstance counts when past sessions speak for what comes next.
///
/// The defaults were chosen on validation sessions; `docs/retrieval.md` has the grid.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct SessionSettings {
    /// Latest items of the current session that look for neighbours.
    pub last: usize,
    /// Newest sessions looked at for each of them.
    pub sample: usize,
    /// Most similar sessions that vote.
    pub neighbours: usize,
    /// Items back in the current session after which an item counts 1/e.
    pub position: f32,
    /// Days after which a past session counts 1/e.
    pub age_days: f32,
    /// Items after the shared one in a past session within which a vote falls to 1/e.
    pub ahead: f32,
    /// The same for items before the shared one.
    pub behind: f32,
    /// Share of a vote that an item before the shared one gets.
    pub behind_share: f32,
    /// Exponent of the inverse document frequency of the item voted for.
    pub idf: f32,
    /// Exponent of the past session's length, by which its similarity is divided.
    pub length: f32,
    /// Weight of going back to the item before, against the best neighbours' vote; falls with
    /// one over the distinct items in between. 0 = neighbours only.
    pub revisit: f32,
    /// What each further visit in the session adds to an item's weight for going back.
    pub repeat: f32,
    /// Weight of the newest item itself, against the best neighbours' vote. 0 = it is never named,
    /// which is right where a view of the same item again is no new wish.
    pub stay: f32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            last: 9,
            sample: 500,
            neighbours: 200,
            position: 0.7,
            age_days: 30.0,
            ahead: 0.45,
            behind: 0.45,
            behind_share: 0.7,
            idf: 0.5,
            length: 0.25,
            revisit: 1.3,
            repeat: 0.5,
            stay: 0.0,
        }
    }
}

/// Numbers in a file that hold the settings.
pub(crate) const STORED: usize = 13;
/// More would not fit the time of a query.
const MOST: usize = 10_000;

impl SessionSettings {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let counts = [
            ("last", self.last),
            ("sample", self.sample),
            ("neighbours", self.neighbours),
        ];
        for (field, count) in counts {
            check(field, (1..=MOST).contains(&count), &count, "1 to 10000")?;
        }
        let scales = [
            ("position", self.position),
            ("age_days", self.age_days),
            ("ahead", self.ahead),
            ("behind", self.behind),
        ];
        for (field, scale) in scales {
            let fits = scale.is_finite() && scale > 0.0;
            check(field, fits, &scale, "a number above 0")?;
        }
        let shares = [
            ("behind_share", self.behind_share),
            ("idf", self.idf),
            ("length", self.length),
            ("revisit", self.revisit),
            ("repeat", self.repeat),
            ("stay", self.stay),
        ];
        for (field, share) in shares {
            let fits = (0.0..=100.0).contains(&share);
            check(field, fits, &share, "0 to 100")?;
        }
        Ok(())
    }

    pub(crate) fn to_numbers(self) -> [f32; STORED] {
        [
            number(self.last),
            number(self.sample),
            number(self.neighbours),
            self.position,
            self.age_days,
            self.ahead,
            self.behind,
            self.behind_share,
            self.idf,
            self.length,
            self.revisit,
            self.repeat,
            self.stay,
        ]
    }

    pub(crate) fn from_numbers(numbers: [f32; STORED]) -> Self {
        let [last, sample, neighbours, rest @ ..] = numbers;
        let [
            position,
            age_days,
            ahead,
            behind,
            behind_share,
            idf,
            length,
            revisit,
            repeat,
            stay,
        ] = rest;
        Self {
            last: count(last),
            sample: count(sample),
            neighbours: count(neighbours),
            position,
            age_days,
            ahead,
            behind,
            behind_share,
            idf,
            length,
            revisit,
            repeat,
            stay,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "valid counts are at most 10,000"
)]
fn number(count: usize) -> f32 {
    count as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is no small count becomes one that validation refuses"
)]
fn count(number: f32) -> usize {
    number as usize
}

fn check(
    field: &'static str,
    fits: bool,
    value: &impl ToString,
    allowed: &str,
) -> Result<(), Error> {
    if fits {
        return Ok(());
    }
    Err(Error::Invalid {
        field,
        value: value.to_string(),
        allowed: allowed.to_owned(),
    })
}
