use ann_index::{Bitmap, Hit};

use crate::interests::Interest;
use crate::scratch::keep_best;

/// What the shopper dealt with lately and has not bought.
pub(crate) fn revisit(interests: &[Interest], allowed: &Bitmap, depth: usize, out: &mut Vec<Hit>) {
    let open = interests
        .iter()
        .filter(|item| !item.bought && allowed.contains(item.ordinal));
    out.extend(open.map(|item| Hit {
        id: item.ordinal,
        score: item.weight,
    }));
    keep_best(out, depth);
}
