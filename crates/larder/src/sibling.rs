//! Saved code of the same program for other processors.
//!
//! The problem: a machine with another processor than the one that compiled a program finds nothing under its own key. It wants to know that
//! this is why; and a program under a key of the caller's has no bytes until somebody builds them, though the store has them.
//!
//! The idea: keys of one program for several processors differ in the set of CPU features and in nothing else. The store has a note of the sets that it
//! has code for, so those keys can be computed. What is found there says what it needs, and carries the inputs that it was made from.
//!
//! Not done: an index of programs. A set that is missing in the note costs the caller building the inputs once more.

use crate::outcome::MissReason;
use larder_format::bundle::decode_sources;
use larder_format::cpu::CpuFeatures;
use larder_format::image::verify_digest;
use larder_format::record::Record;
use larder_store::{Entry, Key, Store};
use std::io::Read;

/// The note that holds sets of features, the one that was added last first: each written as a key is, with [`SEPARATOR`] between.
const NOTE: &str = "cpu-features";
const SEPARATOR: char = ',';
/// As many as a note can hold.
const SET_COUNT_MAX: usize = 15;

/// Notes that the store has code for a processor with these features.
pub(crate) fn note(store: &Store, features: &CpuFeatures) {
    let mut sets = noted(store);
    if sets.contains(features) {
        return;
    }
    sets.insert(0, *features);
    sets.truncate(SET_COUNT_MAX);
    let text = sets.iter().map(|set| Key(bytes(set)).to_string()).collect::<Vec<_>>().join(&SEPARATOR.to_string());
    // What isn't noted isn't found, which costs time and nothing else.
    let _ = store.note(NOTE, &text);
}

fn noted(store: &Store) -> Vec<CpuFeatures> {
    let note = store.recall_note(NOTE).ok().flatten().unwrap_or_default();
    let set = |text: &str| CpuFeatures::decode(&text.parse::<Key>().ok()?.0);
    note.split(SEPARATOR).filter_map(set).collect()
}

fn bytes(set: &CpuFeatures) -> [u8; CpuFeatures::SIZE] {
    let mut bytes = Vec::with_capacity(CpuFeatures::SIZE);
    set.encode(&mut bytes);
    bytes.try_into().unwrap_or_default()
}

/// An image of the same program that was made for another processor.
#[derive(Debug)]
pub(crate) struct Sibling {
    image: Vec<u8>,
    /// What its code needs.
    features: CpuFeatures,
}

impl Sibling {
    /// One that is whole, if there is any; `own` are the features that the program is wanted for, and `key_of` is its key for others.
    pub(crate) fn find(store: &Store, own: &CpuFeatures, key_of: impl Fn(&CpuFeatures) -> Key) -> Option<Sibling> {
        let others = noted(store).into_iter().filter(|set| set != own);
        others.filter_map(|set| store.peek(&key_of(&set)).ok().flatten()).find_map(Sibling::read)
    }

    fn read(entry: Entry) -> Option<Sibling> {
        let mut image = Vec::new();
        entry.file().read_to_end(&mut image).ok()?;
        verify_digest(&image).ok()?;
        let header = *crate::inspect::image(&image).ok()?.header();
        (header.key == entry.key().0).then_some(Sibling { image, features: header.features })
    }

    /// Why it is of no use on a machine with those features; `None` if it is just not as good as it could be.
    pub(crate) fn reason(&self, host: &CpuFeatures) -> Option<MissReason> {
        let missing = self.features.without(host);
        (!missing.is_empty()).then(|| MissReason::CpuFeatures { missing: missing.names().collect() })
    }

    /// The inputs that it was made from, in their order; `None` if they were left out.
    pub(crate) fn inputs(&self) -> Option<Vec<Vec<u8>>> {
        let source = crate::inspect::source(&self.image)?;
        let inputs = decode_sources(&source).map(|inputs| inputs.into_iter().map(<[u8]>::to_vec).collect());
        Some(inputs.unwrap_or_else(|| vec![source]))
    }
}
