//! What is in the store: for people, and for eviction.
//!
//! Nothing here is on the way of a hit. A listing is a series of looks, not a moment: what others publish or remove meanwhile
//! may or may not be in it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::FileType;

use crate::disk::{DiskResult, IfThere};
use crate::error::StoreError;
use crate::identity::FileIdentity;
use crate::key::Key;
use crate::layout;
use crate::receipt::Receipt;
use crate::store::Store;

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryInfo {
    /// Its key.
    pub key: Key,
    /// Its length in bytes.
    pub len: u64,
    /// When it was last used, exact to ten minutes; when it was published, if it wasn't used since.
    pub used_at: SystemTime,
    /// Whether its bytes were verified since the file was last changed.
    pub is_verified: bool,
}

/// Figures of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The directory.
    pub dir: PathBuf,
    /// How many entries it has.
    pub entry_count: u64,
    /// Their total length in bytes.
    pub entries_len: u64,
    /// How many of them are verified.
    pub verified_count: u64,
    /// The size limit in bytes.
    pub size_max: Option<u64>,
    /// How many inputs' digests are remembered.
    pub input_count: u64,
    /// How many notes there are.
    pub note_count: u64,
}

impl Store {
    /// All entries, in the order of their keys.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn list(&self) -> Result<Vec<EntryInfo>, StoreError> {
        let keys = self.keys_in(layout::ENTRIES)?;
        let infos = keys.iter().map(|key| self.info(key)).collect::<DiskResult<Vec<_>>>()?;
        Ok(infos.into_iter().flatten().collect())
    }

    /// Counts what is in the store.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let entries = self.list()?;
        Ok(Stats {
            dir: self.dir().to_path_buf(),
            entry_count: entries.len() as u64,
            entries_len: entries.iter().map(|entry| entry.len).sum(),
            verified_count: entries.iter().filter(|entry| entry.is_verified).count() as u64,
            size_max: self.size_max,
            input_count: self.disk.list(layout::INPUTS)?.len() as u64,
            note_count: self.disk.list(layout::NOTES)?.len() as u64,
        })
    }

    /// The keys that name something in a directory, sorted. A name that is no key isn't ours and is left alone.
    pub(crate) fn keys_in(&self, dir: &str) -> DiskResult<Vec<Key>> {
        let names = self.disk.list(dir)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    fn info(&self, key: &Key) -> DiskResult<Option<EntryInfo>> {
        let stat = self.disk.stat(&layout::entry(key)).if_there()?;
        let Some(stat) = stat.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file()) else { return Ok(None) };
        let identity = FileIdentity::from_stat(&stat);
        let receipt = Receipt::read(&self.disk, key, &identity);
        let published_ms = u64::try_from(identity.mtime_ns / 1_000_000).unwrap_or(0);
        let used_ms = receipt.as_ref().map_or(published_ms, |receipt| receipt.used_ms);
        Ok(Some(EntryInfo {
            key: *key,
            len: identity.size,
            used_at: UNIX_EPOCH.checked_add(Duration::from_millis(used_ms)).unwrap_or(UNIX_EPOCH),
            is_verified: receipt.is_some_and(|receipt| receipt.is_verified),
        }))
    }
}
