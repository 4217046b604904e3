//! Files and links on their way to their name.
//!
//! Whatever becomes visible in the store is made complete in `temp/` and then renamed. A file there is locked by the
//! process that writes it, so a file whose lock is free was left by a process that died, and anybody may remove it. A link
//! can't be locked and is made in one step; removing one that is about to be renamed costs its maker a second try.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};

use rustix::io::Errno;

use crate::disk::{Disk, DiskError, DiskResult, IfThere};
use crate::layout;

/// How often a link is made anew after somebody swept it away.
const LINK_TRIES: u32 = 3;

/// A file that is being written. Dropped without a name, it is removed.
pub(crate) struct TempFile<'d> {
    disk: &'d Disk,
    file: File,
    name: String,
    len: u64,
    is_named: bool,
}

impl<'d> TempFile<'d> {
    pub(crate) fn create(disk: &'d Disk) -> DiskResult<TempFile<'d>> {
        loop {
            let name = unique_name();
            let file = disk.create_new(&name)?;
            let temp = TempFile { disk, file, name, len: 0, is_named: false };
            disk.lock(&temp.file, &temp.name)?;
            // A sweeper may have come between creating and locking; then the file has no name any more.
            if disk.stat_file(&temp.file, &temp.name)?.st_nlink > 0 {
                return Ok(temp);
            }
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> DiskResult<()> {
        self.disk.write(&self.file, &self.name, self.len, bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&self) -> DiskResult<()> {
        self.disk.sync(&self.file, &self.name)
    }

    /// A second descriptor of the file, which can only read.
    pub(crate) fn reader(&self) -> DiskResult<File> {
        self.disk.open_read(&self.name)
    }

    /// Gives the file its name, in place of whatever had it, and closes the descriptor that could write.
    pub(crate) fn rename(mut self, name: &str) -> DiskResult<()> {
        self.disk.rename(&self.name, name)?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for TempFile<'_> {
    fn drop(&mut self) {
        if !self.is_named {
            // What can't be removed now is swept later.
            let _ = self.disk.unlink(&self.name);
        }
    }
}

/// Makes `name` a link with that target, in place of whatever link was there.
pub(crate) fn put_link(disk: &Disk, name: &str, target: &str) -> DiskResult<()> {
    let mut tries = LINK_TRIES;
    loop {
        tries -= 1;
        match put_link_once(disk, name, target) {
            Err(DiskError { errno: Errno::NOENT, .. }) if tries > 0 => make_dirs(disk)?,
            other => return other,
        }
    }
}

fn put_link_once(disk: &Disk, name: &str, target: &str) -> DiskResult<()> {
    let temp = unique_name();
    disk.symlink(target, &temp)?;
    disk.rename(&temp, name).inspect_err(|_| {
        let _ = disk.unlink(&temp);
    })
}

/// Makes the store's directories where they are missing, and then their names durable.
pub(crate) fn make_dirs(disk: &Disk) -> DiskResult<()> {
    let mut is_new = false;
    for dir in layout::DIRS {
        is_new |= disk.make_dir(dir)?;
    }
    if is_new {
        disk.sync_dir(layout::VERSION)?;
        disk.sync_dir("")?;
    }
    Ok(())
}

/// What a sweep found in `temp/`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// How many names were removed.
    pub(crate) removed_count: u64,
    /// The length of the files that are being written.
    pub(crate) live_len: u64,
}

/// Removes what dead processes left in `temp/`.
pub(crate) fn sweep(disk: &Disk) -> DiskResult<Swept> {
    let mut swept = Swept::default();
    for name in disk.list(layout::TEMP)? {
        let name = format!("{}/{name}", layout::TEMP);
        match live_len(disk, &name)? {
            Some(len) => swept.live_len += len,
            None => swept.removed_count += u64::from(disk.unlink(&name)?),
        }
    }
    Ok(swept)
}

/// The length of a file that somebody is writing; `None` for everything that may be removed.
fn live_len(disk: &Disk, name: &str) -> DiskResult<Option<u64>> {
    let file = match disk.open_read(name).if_there() {
        Ok(Some(file)) => file,
        // A link, or gone in the meantime.
        Ok(None) | Err(DiskError { errno: Errno::LOOP, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if disk.try_lock(&file, name)? {
        return Ok(None);
    }
    Ok(Some(disk.stat_file(&file, name)?.st_size.unsigned_abs()))
}

/// A name that no other process uses, whatever process ids mean to it. The process id is for people who look.
fn unique_name() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{}/{:x}.{random:016x}", layout::TEMP, std::process::id())
}
