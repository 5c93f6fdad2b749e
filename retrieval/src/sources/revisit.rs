use crate::interests::Interest;
use crate::scratch::Sums;

/// What the shopper dealt with lately and has not bought.
pub(crate) fn revisit(interests: &[Interest], sums: &mut Sums) {
    for interest in interests.iter().filter(|interest| !interest.bought) {
        sums.add(interest.ordinal, interest.weight);
    }
}

/// What the shopper bought, by how often and how lately.
pub(crate) fn rebuy(interests: &[Interest], sums: &mut Sums) {
    for interest in interests {
        sums.add(interest.ordinal, interest.rebuy);
    }
}
