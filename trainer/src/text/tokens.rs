use snapshot::{Catalogue, CatalogueItem};
use xxhash_rust::xxh3::xxh3_64;

/// What a token says beside a word of the name.
const BIGRAM: f64 = 0.5;
const CATEGORY: f64 = 1.0;
const BRAND: f64 = 1.0;

/// Tokens of each item by a number for each, with how often each item has it. A token that one
/// item alone has is left out: it makes nothing similar.
#[derive(Debug)]
pub(super) struct Tokens {
    rows: Vec<Vec<(u32, f64)>>,
    holders: Vec<usize>,
}

impl Tokens {
    /// Tokens are numbered by their hash, so that their order depends on the words alone.
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let hashed: Vec<Vec<(u64, f64)>> = catalogue.items().iter().map(of_item).collect();
        let mut all: Vec<u64> = hashed.iter().flatten().map(|(hash, _)| *hash).collect();
        all.sort_unstable();
        let shared: Vec<&[u64]> = all
            .chunk_by(|a, b| a == b)
            .filter(|run| run.len() > 1)
            .collect();
        let column = |hash: u64| shared.binary_search_by_key(&hash, |run| run[0]).ok();
        let known = |(hash, count): &(u64, f64)| {
            let column = u32::try_from(column(*hash)?).ok()?;
            Some((column, *count))
        };
        Self {
            rows: hashed
                .iter()
                .map(|row| row.iter().filter_map(known).collect())
                .collect(),
            holders: shared.iter().map(|run| run.len()).collect(),
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.holders.len()
    }

    /// Items that have the token.
    pub(super) fn holders(&self, column: u32) -> usize {
        self.holders.get(column as usize).copied().unwrap_or(0)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = (u32, f64)> + '_> {
        self.rows.iter().map(|row| row.iter().copied())
    }
}

/// Each token of an item once, by its hash.
fn of_item(item: &CatalogueItem) -> Vec<(u64, f64)> {
    let mut tokens: Vec<(u64, f64)> = Vec::new();
    let words: Vec<String> = words(&item.name);
    tokens.extend(words.iter().map(|word| (hash('n', word), 1.0)));
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    tokens.extend(pairs.map(|pair| (hash('p', &pair), BIGRAM)));
    let path = &item.category_path;
    let prefixes = (1..=path.len()).map(|parts| path[..parts].join("."));
    let prefixes = prefixes.filter(|prefix| !prefix.is_empty());
    tokens.extend(prefixes.map(|prefix| (hash('c', &prefix), CATEGORY)));
    if !item.brand.is_empty() {
        tokens.push((hash('b', &item.brand.to_lowercase()), BRAND));
    }
    tokens.sort_by_key(|(hash, _)| *hash);
    tokens.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    tokens
}

/// Runs of letters and digits, in lower case.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// A word of a name and a brand of the same letters are two tokens.
fn hash(field: char, token: &str) -> u64 {
    xxh3_64(format!("{field}{token}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(
            words("T-LIGHT Holder, 2nd"),
            ["t", "light", "holder", "2nd"]
        );
        assert!(words(" -- ").is_empty());
    }

    #[test]
    fn only_shared_tokens_are_numbered_and_a_repeat_counts_twice() {
        let item = |id: &str, name: &str, brand: &str| CatalogueItem {
            item_id: id.to_owned(),
            name: name.to_owned(),
            brand: brand.to_owned(),
            ..Default::default()
        };
        let items = vec![item("a", "tea tea", "Tea"), item("b", "tea cup", "tea")];
        let tokens = Tokens::of(&Catalogue::new(items).unwrap());
        assert_eq!(tokens.columns(), 2, "the word and the brand");
        let counts: Vec<Vec<f64>> = tokens
            .rows()
            .map(|row| row.map(|(_, count)| count).collect())
            .collect();
        let mut first = counts[0].clone();
        first.sort_by(f64::total_cmp);
        assert_eq!((first, &counts[1]), (vec![1.0, 2.0], &vec![1.0, 1.0]));
        assert_eq!(tokens.holders(0), 2);
    }
}
