//! A hash of names that is quick for short ones: a load of an image with a thousand imports asks a thousand times.
//!
//! Names come from the host and from code that it trusts, so nobody has to be kept from making them collide.

use std::hash::{BuildHasherDefault, Hasher};

/// For tables of names.
pub(super) type BuildNameHasher = BuildHasherDefault<NameHasher>;

/// Takes words of eight bytes, and mixes each with those before.
#[derive(Debug, Default)]
pub(super) struct NameHasher(u64);

/// 2⁶⁴ divided by the golden ratio, odd.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl NameHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last));
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(number.into());
    }

    fn finish(&self) -> u64 {
        // Tables take both ends of it; a product is mixed best at its upper one.
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    #[test]
    fn names_of_a_kind_are_told_apart() {
        let hasher = BuildNameHasher::default();
        let hashes: Vec<u64> =
            (0..100_000).map(|index| hasher.hash_one(format!("function_{index}").as_str())).collect();
        let distinct = |of: fn(&u64) -> u64| hashes.iter().map(of).collect::<HashSet<_>>().len();
        assert_eq!(distinct(|hash| *hash), hashes.len());
        // As many as numbers at random would give, at either end.
        assert!(distinct(|hash| hash & 0xffff) > 50_000);
        assert!(distinct(|hash| hash >> 57) == 128);
    }
}
