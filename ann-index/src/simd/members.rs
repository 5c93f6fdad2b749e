use super::Level;
use super::codes::BLOCK;

/// More words than this are not gathered, because a gather's offsets are 32 bits with a sign.
#[cfg(target_arch = "x86_64")]
const MOST_WORDS: usize = (1 << 26) - 1;

/// For each sixteen of `ids`, a bit for each that is in the set whose bits are `words`. An id past
/// the end is in no set. Writes as many as both slices hold.
pub(crate) fn members(level: Level, ids: &[u32], words: &[u64], out: &mut [u16]) {
    let blocks = out.len().min(ids.len() / BLOCK);
    let out = &mut out[..blocks];
    #[cfg(target_arch = "x86_64")]
    if level == Level::Avx512 && words.len() <= MOST_WORDS {
        // SAFETY: the level is named only when the machine has it; there are sixteen ids for each
        // of `out`, and the words are as few as asked.
        unsafe { super::avx512::members(ids, words, out) };
        return;
    }
    let _ = level;
    for (out, ids) in out.iter_mut().zip(ids.chunks_exact(BLOCK)) {
        *out = ids.iter().enumerate().fold(0, |bits, (lane, &id)| {
            let word = words.get(id as usize / 64).copied().unwrap_or(0);
            bits | u16::from(word >> (id % 64) & 1 == 1) << lane
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Bitmap;

    proptest! {
        #[test]
        fn every_path_finds_the_members_of_the_set(
            len in 0usize..400,
            set in prop::collection::vec(0u32..400, 0..200),
            ids in prop::collection::vec(prop_oneof![0u32..500, Just(u32::MAX)], 0..90),
        ) {
            let set = Bitmap::from_ids(len, set);
            for level in Level::all() {
                let mut out = vec![0; ids.len() / BLOCK];
                members(level, &ids, set.words(), &mut out);
                for (block, ids) in out.iter().zip(ids.chunks_exact(BLOCK)) {
                    for (lane, &id) in ids.iter().enumerate() {
                        prop_assert_eq!(block >> lane & 1 == 1, set.contains(id), "{:?}", level);
                    }
                }
            }
        }
    }
}
