use crate::interests::Interest;
use crate::scratch::Sums;

/// What the shopper dealt with lately and has not bought; the last of it with a share of its
/// weight.
pub(crate) fn revisit(interests: &[Interest], newest: f32, sums: &mut Sums) {
    for (place, interest) in interests.iter().enumerate() {
        let share = if place == 0 { newest } else { 1.0 };
        if !interest.bought {
            sums.add(interest.ordinal, share * interest.weight);
        }
    }
}

/// What the shopper bought, by how often and how lately.
pub(crate) fn rebuy(interests: &[Interest], sums: &mut Sums) {
    for interest in interests {
        sums.add(interest.ordinal, interest.rebuy);
    }
}
