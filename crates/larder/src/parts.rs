//! Objects of a module's parts in the store.
//!
//! The worker names each by a digest of everything that reaches the object; what the client adds is its own version. An entry is
//! checked whole each time it is read. None of this has a way to fail: what can't be kept or found is generated again.

use crate::kept::ModuleObjects;
use crate::worker::{Compiled, KeptObjects};
use larder_format::cpu::CpuFeatures;
use larder_format::image::ABI_VERSION;
use larder_format::objects::Objects;
use larder_store::{Attempt, Key, Store};

/// Separates these digests from any other use of BLAKE3.
const CONTEXT: &str = "larder 2026 key of a part's object";

/// How much of a compilation was done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartCounts {
    /// Parts whose objects were generated.
    pub generated: u32,
    /// Parts whose objects were in the store.
    pub kept: u32,
}

impl PartCounts {
    pub(crate) fn of(compiled: &Compiled) -> Self {
        let count = u32::try_from(compiled.objects.len()).unwrap_or(u32::MAX);
        PartCounts { generated: count.saturating_sub(compiled.kept_count), kept: compiled.kept_count }
    }
}

impl std::iter::Sum for PartCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(PartCounts::default(), |sum, one| PartCounts {
            generated: sum.generated + one.generated,
            kept: sum.kept + one.kept,
        })
    }
}

/// The parts in a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredParts<'s>(pub(crate) &'s Store);

fn key(digest: &[u8; 32]) -> Key {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(digest).update(&ABI_VERSION.to_le_bytes()).update(env!("CARGO_PKG_VERSION").as_bytes());
    Key(*hasher.finalize().as_bytes())
}

/// An entry of one object. What the code needs and what made it is said of the whole module, by the worker, each time.
fn encode(key: &Key, object: &[u8]) -> Vec<u8> {
    Objects { key: key.0, features: CpuFeatures::NONE, producer: "", objects: vec![object] }.encode()
}

impl KeptObjects for StoredParts<'_> {
    fn get(&self, digest: &[u8; 32]) -> Option<Vec<u8>> {
        let kept = ModuleObjects::look_up(self.0, &key(digest)).ok()?;
        <[Vec<u8>; 1]>::try_from(kept.objects).ok().map(|[object]| object)
    }

    fn put(&self, digest: &[u8; 32], object: &[u8]) {
        let key = key(digest);
        // Somebody else who makes the same object keeps it as well.
        if let Ok(Attempt::Taken(lease)) = self.0.try_lease(&key) {
            let _ = lease.publish(&[&encode(&key, object)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_store::StoreOptions;

    #[test]
    fn what_is_kept_is_found_and_what_is_damaged_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(StoreOptions::new(directory.path())).expect("a store");
        let parts = StoredParts(&store);
        parts.put(&[1; 32], b"one");
        assert_eq!(parts.get(&[1; 32]).as_deref(), Some(&b"one"[..]));
        assert_eq!(parts.get(&[2; 32]), None);
        // An entry that stands under another's key.
        let entry = encode(&key(&[1; 32]), b"one");
        store.lease(&key(&[3; 32])).and_then(|lease| lease.publish(&[&entry])).expect("published");
        assert_eq!(parts.get(&[3; 32]), None);
        assert_eq!(store.lookup(&key(&[3; 32])).expect("looked up").map(drop), None, "it was removed");
    }
}
