//! CPU features that code may need: a set, its names, and where a processor tells of them.
//!
//! An image carries the set its code was compiled for; a machine may run it if that set is part of its own. Only features of the
//! instruction set count. Tuning flags never enter a set, since they would make equal machines look different.
//!
//! A feature's number is its row in [`x86_64::FEATURES`]. Rows are appended, never moved: they are bytes of the format.

use crate::record::Record;

pub mod x86_64;

/// Words of a set.
const WORDS: usize = 4;

/// A set of CPU features, at most 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct CpuFeatures([u64; WORDS]);

/// A name that stands in no row of the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown CPU feature \"{0}\"")]
pub struct UnknownFeature(pub String);

impl CpuFeatures {
    /// No feature at all.
    pub const NONE: CpuFeatures = CpuFeatures([0; WORDS]);

    /// The set of those names (LLVM's, without `+`).
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownFeature> {
        let mut set = Self::NONE;
        for name in names {
            set.insert(x86_64::number(name).ok_or_else(|| UnknownFeature(name.to_owned()))?);
        }
        Ok(set)
    }

    /// Adds the feature of that number; numbers past the set's room are no features.
    pub fn insert(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    /// Whether the feature of that number is in.
    pub fn contains(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn without(&self, other: &CpuFeatures) -> CpuFeatures {
        CpuFeatures(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    /// What is in either.
    #[must_use]
    pub fn with(&self, other: &CpuFeatures) -> CpuFeatures {
        CpuFeatures(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// Whether nothing is in.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// LLVM's names, in the order of the table; a number without a row is shown as such.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        (0..WORDS * 64).filter(|&number| self.contains(number)).map(|number| {
            x86_64::FEATURES.get(number).map_or_else(|| format!("feature-{number}"), |feature| feature.name.to_owned())
        })
    }
}

impl Record for CpuFeatures {
    const SIZE: usize = WORDS * 8;
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut words = [0; WORDS];
        for (index, word) in words.iter_mut().enumerate() {
            *word = u64::decode(bytes.get(index * 8..)?)?;
        }
        Some(CpuFeatures(words))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.iter().for_each(|word| word.encode(out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_feature_is_named() {
        let code = CpuFeatures::from_names(["sse2", "avx2", "avx512f"]).expect("they exist");
        let machine = CpuFeatures::from_names(["sse2", "avx2", "fma"]).expect("they exist");
        assert_eq!(code.without(&machine).names().collect::<Vec<_>>(), ["avx512f"]);
        assert!(machine.without(&machine).is_empty());
    }

    #[test]
    fn an_unknown_name_is_an_error_and_an_unknown_number_is_shown() {
        assert_eq!(CpuFeatures::from_names(["sse2", "warp9"]), Err(UnknownFeature("warp9".into())));
        let mut set = CpuFeatures::NONE;
        set.insert(255);
        set.insert(256);
        assert_eq!(set.names().collect::<Vec<_>>(), ["feature-255"]);
    }

    #[test]
    fn a_set_is_decoded_as_it_was_encoded() {
        let set = CpuFeatures::from_names(["cmov", "xsaves", "wbnoinvd"]).expect("they exist");
        let mut bytes = Vec::new();
        set.encode(&mut bytes);
        assert_eq!(CpuFeatures::decode(&bytes), Some(set));
        assert_eq!(CpuFeatures::decode(&bytes[1..]), None);
    }
}
