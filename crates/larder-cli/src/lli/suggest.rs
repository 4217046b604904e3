//! What somebody may have meant.

/// The name nearest to `typed`, with what comes with it; `None` if none is near enough to be meant.
pub(super) fn nearest<'n, T>(typed: &str, names: impl Iterator<Item = (&'n str, T)>) -> Option<(&'n str, T)> {
    let far = typed.len() / 3 + 1;
    let near = names.map(|(name, with)| (distance(typed, name), name, with)).min_by_key(|(distance, ..)| *distance);
    near.filter(|(distance, ..)| *distance <= far).map(|(_, name, with)| (name, with))
}

/// Letters to insert, remove or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn far_names_are_not_meant() {
        let names = || [("entry-function", 1), ("jd", 2)].into_iter();
        assert_eq!(nearest("entry-functio", names()), Some(("entry-function", 1)));
        assert_eq!(nearest("frobnicate", names()), None);
    }
}
