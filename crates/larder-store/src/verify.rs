//! Every entry's bytes checked again, whatever its receipt says.
//!
//! A receipt says that nobody changed a file through the file system. It says nothing about a disk that loses bits by
//! itself: against that there is this walk, from time to time or on suspicion.

use crate::error::StoreError;
use crate::key::Key;
use crate::store::{Entry, Store};

/// What became of one entry.
#[derive(Debug)]
pub struct Verified<E> {
    /// Its key.
    pub key: Key,
    /// What the check said.
    pub outcome: Outcome<E>,
}

/// What a check said of one entry.
#[derive(Debug)]
pub enum Outcome<E> {
    /// The bytes are right.
    Good,
    /// The bytes are wrong.
    Bad {
        /// The check's reason.
        reason: E,
        /// Whether the entry was removed.
        is_removed: bool,
    },
    /// The entry couldn't be opened: it isn't a file, isn't private or can't be read. It was left alone.
    Unopened(StoreError),
}

impl Store {
    /// Hands each entry to `check`, in the order of the keys, as the iterator is driven; removes those that fail if
    /// `remove_bad` says so. A good entry gets a receipt if it had none.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the entries can't be listed. What befalls a single entry is its outcome.
    pub fn verify<E>(
        &self,
        remove_bad: bool,
        mut check: impl FnMut(&Entry) -> Result<(), E>,
    ) -> Result<impl Iterator<Item = Verified<E>>, StoreError> {
        let keys = self.keys_in(crate::layout::ENTRIES)?;
        let walk = keys.into_iter().filter_map(move |key| {
            let outcome = match self.find(&key) {
                Ok(Some((entry, _))) => self.judge(&entry, check(&entry), remove_bad),
                Ok(None) => return None,
                Err(error) => Outcome::Unopened(error),
            };
            Some(Verified { key, outcome })
        });
        Ok(walk)
    }

    fn judge<E>(&self, entry: &Entry, checked: Result<(), E>, remove_bad: bool) -> Outcome<E> {
        match checked {
            Ok(()) => {
                // Without a receipt the next hit verifies once more; that is no reason to call the entry anything but good.
                let _ = self.record_verified(entry);
                Outcome::Good
            }
            Err(reason) => {
                let is_removed = remove_bad && self.discard(entry).unwrap_or(false);
                Outcome::Bad { reason, is_removed }
            }
        }
    }
}
