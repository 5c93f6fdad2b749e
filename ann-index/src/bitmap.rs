const WORD: usize = 64;

/// A set of row ids below a fixed length, one bit each in 64-bit words.
///
/// Bits at and above the length are always zero, so that counting and combining need no mask.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// The empty set.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(WORD)],
            len,
        }
    }

    /// The set of all ids below `len`.
    #[must_use]
    pub fn full(len: usize) -> Self {
        let mut bits = Self::new(len);
        bits.fill();
        bits
    }

    #[must_use]
    pub fn from_ids(len: usize, ids: impl IntoIterator<Item = u32>) -> Self {
        let mut bits = Self::new(len);
        ids.into_iter().for_each(|id| bits.set(id));
        bits
    }

    /// Number of ids that could be in the set, not of those that are: see [`Bitmap::count`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no id is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// Adds an id; one at or above the length is ignored.
    pub fn set(&mut self, id: u32) {
        if let Some((word, bit)) = self.place(id) {
            self.words[word] |= bit;
        }
    }

    pub fn clear(&mut self, id: u32) {
        if let Some((word, bit)) = self.place(id) {
            self.words[word] &= !bit;
        }
    }

    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.place(id)
            .is_some_and(|(word, bit)| self.words[word] & bit != 0)
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }

    pub fn fill(&mut self) {
        self.words.fill(u64::MAX);
        let used = self.len % WORD;
        if let (true, Some(last)) = (used != 0, self.words.last_mut()) {
            *last = (1 << used) - 1;
        }
    }

    /// Empties the set and gives it a new length, keeping the memory.
    pub fn reset(&mut self, len: usize) {
        self.words.clear();
        self.words.resize(len.div_ceil(WORD), 0);
        self.len = len;
    }

    /// Keeps the ids that are also in `other`; ids past the end of `other` are dropped.
    pub fn and(&mut self, other: &Self) {
        let tail = other.words.len().min(self.words.len());
        self.words[tail..].fill(0);
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine &= theirs;
        }
    }

    /// Drops the ids that are in `other`.
    pub fn and_not(&mut self, other: &Self) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine &= !theirs;
        }
    }

    /// Adds the ids of `other` that are below this length.
    pub fn or(&mut self, other: &Self) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
        self.trim();
    }

    /// Keeps the ids that the test holds for. It is asked for all 64 ids of a word that has any,
    /// without a branch between them, and the answers for ids that are not in the set are dropped.
    pub fn retain(&mut self, test: impl Fn(u32) -> bool) {
        for (base, word) in (0u32..).step_by(WORD).zip(&mut self.words) {
            if *word != 0 {
                *word &= (0..64).fold(0, |kept, bit| kept | u64::from(test(base + bit)) << bit);
            }
        }
    }

    /// The ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.words).flat_map(|(at, &word)| BitsOf {
            word,
            base: at * 64,
        })
    }

    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    fn place(&self, id: u32) -> Option<(usize, u64)> {
        let id = usize::try_from(id).ok().filter(|&id| id < self.len)?;
        Some((id / WORD, 1 << (id % WORD)))
    }

    fn trim(&mut self) {
        let used = self.len % WORD;
        if let (true, Some(last)) = (used != 0, self.words.last_mut()) {
            *last &= (1 << used) - 1;
        }
    }
}

impl std::fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bitmap({} of {})", self.count(), self.len)
    }
}

struct BitsOf {
    word: u64,
    base: u32,
}

impl Iterator for BitsOf {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.word == 0 {
            return None;
        }
        let bit = self.word.trailing_zeros();
        self.word &= self.word - 1;
        Some(self.base + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_lists_what_was_set() {
        let bits = Bitmap::from_ids(130, [0, 63, 64, 129, 130, 4_000_000]);
        assert_eq!(bits.count(), 4);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert!(bits.contains(129) && !bits.contains(130));
    }

    #[test]
    fn a_full_set_has_no_bit_past_its_length() {
        for len in [0usize, 1, 63, 64, 65, 128, 200] {
            assert_eq!(Bitmap::full(len).count(), len as u64);
        }
    }

    #[test]
    fn combines_sets_of_unequal_length_without_stray_bits() {
        let mut short = Bitmap::full(70);
        short.or(&Bitmap::full(200));
        assert_eq!(short.count(), 70);
        let mut long = Bitmap::full(200);
        long.and(&Bitmap::full(70));
        assert_eq!(long.count(), 70);
        long.and_not(&Bitmap::from_ids(70, [3, 69]));
        assert_eq!(long.count(), 68);
    }

    #[test]
    fn retain_keeps_what_the_test_holds_for_and_adds_nothing() {
        let mut bits = Bitmap::from_ids(130, [1, 2, 64, 66, 128, 129]);
        bits.retain(|id| id % 2 == 0);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [2, 64, 66, 128]);
    }

    #[test]
    fn reset_empties_and_resizes() {
        let mut bits = Bitmap::full(10);
        bits.reset(100);
        assert_eq!((bits.len(), bits.count()), (100, 0));
    }
}
