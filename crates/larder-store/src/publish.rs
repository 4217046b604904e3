//! How an entry comes to be visible: complete, durable, or not at all.
//!
//! The steps, each of which may be the last that is done: create a file in `temp/` and lock it · write · `fsync` ·
//! add its length to the tally · rename it to its name · `fsync` the directory · write the receipt · evict, if over the
//! limit. Before the rename there is nothing to find but a file in `temp/` whose lock is free; after it the entry is complete. The
//! argument in full is in `docs/store.md`.
//!
//! Space isn't reserved ahead of writing: local file systems delay allocation until the data is flushed and see the whole
//! length then, and a full disk is reported by `write` in any case.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use crate::disk::{DiskError, DiskResult};
use crate::error::StoreError;
use crate::identity::Observed;
use crate::layout;
use crate::lease::Lease;
use crate::receipt::Receipt;
use crate::store::Entry;
use crate::tally::Tally;
use crate::temp::TempFile;

/// Small writes of the caller are gathered up to this length.
const BUFFER_LEN: usize = 64 << 10;

impl Lease<'_> {
    /// Publishes an entry that consists of these parts, one after the other, and gives the lease up.
    ///
    /// The entry comes back as a lookup would find it, and verified: its bytes are those that were given.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`] or [`StoreError::Io`]: nothing was published; [`StoreError::TooLarge`] if the parts exceed
    /// the store's size limit.
    pub fn publish(self, parts: &[&[u8]]) -> Result<Entry, StoreError> {
        self.publish_with(|to| parts.iter().try_for_each(|part| to.write_all(part)))
    }

    /// Publishes what the closure writes, and gives the lease up. If the closure fails, nothing is published.
    ///
    /// # Errors
    /// Those of [`Lease::publish`]; [`StoreError::Content`] with the closure's own error.
    pub fn publish_with(self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Entry, StoreError> {
        let disk = &self.store.disk;
        let mut temp = TempFile::create(disk)?;
        fill(&mut temp, self.store.size_max, write)?;
        temp.sync()?;
        let (len, reader) = (temp.len(), temp.reader()?);
        let bound = Tally::lock(disk).and_then(|tally| tally.add(len));
        temp.rename(&layout::entry(&self.key))?;
        self.sync_name()?;
        let entry = self.witness(reader)?;
        self.evict_if_over(bound);
        Ok(entry)
    }

    /// Makes the new name durable, or takes it away again: an entry that a power cut could undo isn't published.
    fn sync_name(&self) -> DiskResult<()> {
        let disk = &self.store.disk;
        disk.sync_dir(layout::ENTRIES).inspect_err(|_| {
            let _ = disk.unlink(&layout::entry(&self.key));
        })
    }

    /// Records that the bytes are those that were written: after the rename, which changes the file's change time, and once
    /// the clock has ticked. The receipt is best effort; without it the first hit verifies the bytes.
    fn witness(&self, reader: File) -> Result<Entry, StoreError> {
        let store = self.store;
        let unreadable =
            |source| StoreError::Io { path: store.dir().join(layout::entry(&self.key)), op: crate::Op::Stat, source };
        let named = crate::FileIdentity::of(&reader).map_err(unreadable)?;
        let settled = Observed::settle(&reader).map_err(unreadable)?;
        let is_ours = settled.is_settled() && *settled.identity() == named;
        if is_ours && store.is_stamped(&reader)? {
            let _ = Receipt::new(true, store.disk.now_ms(), &named).write(&store.disk, &self.key);
        }
        Ok(store.entry(&self.key, reader, named).0)
    }

    /// Evicts if the tally is over the limit or unknown. Best effort: the next publish tries again.
    fn evict_if_over(&self, bound: DiskResult<Option<u64>>) {
        let Some(size_max) = self.store.size_max else { return };
        let is_under = matches!(bound, Ok(Some(bound)) if bound <= size_max);
        if !is_under {
            let _ = self.store.gc(size_max);
        }
    }
}

fn fill(
    temp: &mut TempFile<'_>,
    len_max: Option<u64>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), StoreError> {
    let mut gauge = Gauge { temp, len_max: len_max.unwrap_or(u64::MAX), failed: None };
    let mut buffer = BufWriter::with_capacity(BUFFER_LEN, &mut gauge);
    let written = write(&mut buffer).and_then(|()| buffer.flush());
    // What is still in the buffer after an error must not be written by its drop.
    drop(buffer.into_parts());
    match gauge.failed {
        Some(Failed::Disk(error)) => Err(error.into()),
        Some(Failed::TooLarge) => Err(StoreError::TooLarge { len_max: gauge.len_max }),
        None => written.map_err(StoreError::Content),
    }
}

/// Writes to the temporary file, and keeps why it couldn't.
struct Gauge<'t, 'd> {
    temp: &'t mut TempFile<'d>,
    len_max: u64,
    failed: Option<Failed>,
}

enum Failed {
    Disk(DiskError),
    TooLarge,
}

impl Write for Gauge<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let failed = if self.temp.len().saturating_add(bytes.len() as u64) > self.len_max {
            Some(Failed::TooLarge)
        } else {
            self.temp.append(bytes).err().map(Failed::Disk)
        };
        match failed {
            None => Ok(bytes.len()),
            Some(failed) => {
                self.failed = Some(failed);
                Err(io::Error::other("the store can't take the entry"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
