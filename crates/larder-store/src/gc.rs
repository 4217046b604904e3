//! Removing: the least recently used entries over the limit, what dead processes left, or everything.
//!
//! **Order.** By last use, then by key. An entry whose key somebody has leased stays: its maker is about to use it. An
//! entry that some process has open or mapped may go; the file lives on for that process.
//!
//! One removal at a time holds the tally's lock, and so do publishes for the moment of adding their length: `tally.rs`
//! says why the new bound is right.

use std::collections::HashSet;

use crate::contents::EntryInfo;
use crate::disk::DiskResult;
use crate::error::StoreError;
use crate::key::Key;
use crate::store::Store;
use crate::tally::Tally;
use crate::{layout, lock, temp};

/// What [`Store::gc`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many entries were evicted.
    pub evicted_count: u64,
    /// Their total length in bytes.
    pub evicted_len: u64,
    /// How many entries stay.
    pub kept_count: u64,
    /// Their total length in bytes.
    pub kept_len: u64,
    /// How many files, locks and receipts without use were removed.
    pub swept_count: u64,
}

/// What [`Store::clear`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleared {
    /// How many entries.
    pub entry_count: u64,
    /// Their total length in bytes.
    pub entries_len: u64,
}

impl Store {
    /// Removes what dead processes left and, if the entries exceed `size_max` bytes, the least recently used of them until
    /// nine tenths of it are left.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`] or [`StoreError::Io`]; what was removed until then stays removed.
    pub fn gc(&self, size_max: u64) -> Result<Collected, StoreError> {
        self.make_dirs()?;
        let tally = Tally::lock(&self.disk)?;
        let temp = temp::sweep(&self.disk)?;
        let swept_count = temp.removed_count + lock::sweep(&self.disk)? + self.sweep_receipts()?;
        let mut collected = Collected { swept_count, ..Collected::default() };
        self.evict(size_max, &mut collected)?;
        tally.set(collected.kept_len.saturating_add(temp.live_len))?;
        Ok(collected)
    }

    /// Removes every entry and everything that is remembered, also what others have leased: they will publish again.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`] or [`StoreError::Io`]; what was removed until then stays removed.
    pub fn clear(&self) -> Result<Cleared, StoreError> {
        self.make_dirs()?;
        let tally = Tally::lock(&self.disk)?;
        let temp = temp::sweep(&self.disk)?;
        lock::sweep(&self.disk)?;
        let mut cleared = Cleared::default();
        for entry in self.list()? {
            if self.remove(&entry.key)? {
                cleared.entry_count += 1;
                cleared.entries_len += entry.len;
            }
        }
        for dir in [layout::RECEIPTS, layout::INPUTS, layout::NOTES] {
            for name in self.disk.list(dir)? {
                self.disk.unlink(&format!("{dir}/{name}"))?;
            }
        }
        tally.set(temp.live_len)?;
        Ok(cleared)
    }

    fn evict(&self, size_max: u64, collected: &mut Collected) -> Result<(), StoreError> {
        let entries = self.list()?;
        collected.kept_count = entries.len() as u64;
        collected.kept_len = entries.iter().map(|entry| entry.len).sum();
        if collected.kept_len <= size_max {
            return Ok(());
        }
        let goal = size_max - size_max / 10;
        for entry in least_recent_first(entries) {
            if collected.kept_len <= goal {
                break;
            }
            if self.evict_one(&entry.key)? {
                collected.kept_count -= 1;
                collected.kept_len -= entry.len;
                collected.evicted_count += 1;
                collected.evicted_len += entry.len;
            }
        }
        Ok(())
    }

    fn evict_one(&self, key: &Key) -> Result<bool, StoreError> {
        match self.lease_for_removal(key)? {
            Some(_lease) => self.remove(key),
            None => Ok(false),
        }
    }

    /// Removes receipts of entries that are gone. Receipts are listed first: what is published meanwhile has an entry.
    fn sweep_receipts(&self) -> DiskResult<u64> {
        let receipts = self.keys_in(layout::RECEIPTS)?;
        let entries: HashSet<Key> = self.keys_in(layout::ENTRIES)?.into_iter().collect();
        let mut removed_count = 0;
        for key in receipts.iter().filter(|key| !entries.contains(key)) {
            removed_count += u64::from(self.disk.unlink(&layout::receipt(key))?);
        }
        Ok(removed_count)
    }
}

fn least_recent_first(mut entries: Vec<EntryInfo>) -> Vec<EntryInfo> {
    entries.sort_by_key(|entry| (entry.used_at, entry.key));
    entries
}
