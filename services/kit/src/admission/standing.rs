//! When a role counts as overloaded, and what its health says then.
//!
//! Two latches, both damped, both fed once a second:
//!
//! - *overloaded*: for [`LASTS`] seconds on end more than one call in a hundred was refused. It
//!   ends after as many seconds without. It is shown, and changes nothing: a role that answers half
//!   of twice what it can is worth its place in the balancer.
//! - *resting*: for [`HOPELESS_LASTS`] seconds on end more than nine calls in ten were refused. The
//!   role is NOT_SERVING then, for [`REST`] seconds at most and never again before it has served
//!   for [`HOPELESS_LASTS`] more. Nine tenths are lost anyhow; whoever balances sends them where
//!   there may be room, and where there is none it does not lose every replica for good.
//!
//! What a role needs from others does not count here. A store that is gone is gone for all
//! replicas: to take them out would turn degraded answers into none.

/// Seconds.
const LASTS: u32 = 5;
const HOPELESS_LASTS: u32 = 10;
const REST: u32 = 3;
/// Fewer calls in a second say nothing.
const CALLS: u64 = 10;

/// What the last seconds were like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    overloaded: bool,
    /// Seconds on end that speak against the latch as it is.
    against: u32,
    hopeless: u32,
    rest_left: u32,
}

impl Standing {
    /// Takes a second into account: how many calls were let in and refused in it.
    pub(crate) fn second(&mut self, admitted: u64, refused: u64) {
        let calls = admitted + refused;
        let strained = refused * 100 > calls;
        self.against = if strained == self.overloaded {
            0
        } else {
            self.against + 1
        };
        if self.against >= LASTS {
            self.overloaded = strained;
            self.against = 0;
        }
        if self.rest_left > 0 {
            self.rest_left -= 1;
            return;
        }
        let hopeless = calls >= CALLS && refused * 10 > calls * 9;
        self.hopeless = if hopeless { self.hopeless + 1 } else { 0 };
        if self.hopeless >= HOPELESS_LASTS {
            self.hopeless = 0;
            self.rest_left = REST;
        }
    }

    /// Calls have been refused for seconds on end.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.overloaded
    }

    /// The role says NOT_SERVING for a moment.
    pub(crate) fn is_resting(&self) -> bool {
        self.rest_left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(standing: &mut Standing, seconds: u32, admitted: u64, refused: u64) -> (bool, bool) {
        for _ in 0..seconds {
            standing.second(admitted, refused);
        }
        (standing.is_overloaded(), standing.is_resting())
    }

    #[test]
    fn a_burst_is_no_overload() {
        let mut standing = Standing::default();
        assert_eq!(after(&mut standing, LASTS - 1, 500, 500), (false, false));
        assert_eq!(after(&mut standing, 1, 500, 0), (false, false));
        assert_eq!(after(&mut standing, LASTS - 1, 500, 500), (false, false));
    }

    #[test]
    fn twice_what_it_can_is_shown_and_takes_nobody_out() {
        let mut standing = Standing::default();
        assert_eq!(after(&mut standing, 600, 500, 500), (true, false));
        assert_eq!(after(&mut standing, LASTS - 1, 500, 0), (true, false));
        assert_eq!(after(&mut standing, 1, 500, 0), (false, false));
    }

    #[test]
    fn who_refuses_nearly_all_rests_and_comes_back_whatever_happens() {
        let mut standing = Standing::default();
        let mut resting = 0;
        for second in 1..=130 {
            let (_, rests) = after(&mut standing, 1, 10, 990);
            resting += u32::from(rests);
            assert!(!rests || second >= HOPELESS_LASTS, "second {second}");
        }
        assert_eq!(resting, 10 * REST, "three seconds of each thirteen");
    }

    #[test]
    fn nobody_asking_is_no_reason_to_rest() {
        let mut standing = Standing::default();
        assert_eq!(after(&mut standing, 60, 0, 3), (true, false));
    }
}
