//! A lock that the kernel frees when its holder dies, on a file that doesn't outlive its use.
//!
//! **Idea.** `flock` on a file named by the key. The holder removes the file before it lets go, so that lock files don't
//! pile up. Whoever gets the lock then checks that the file still has its name: if not, it locked a file that a former holder
//! removed, and tries again. Only who holds the lock of the file that has the name removes the name, so two holders at a time can't be.
//!
//! **Assumption.** `flock` excludes all processes that share the store. On a network file system that keeps locks per machine,
//! two machines may compile one key each; the rename still publishes whole entries.

use std::fs::File;

use crate::disk::{Disk, DiskResult, IfThere};
use crate::{layout, temp};

/// The holder's process id, in decimal and padded to this length with spaces, stands in the file.
const HOLDER_LEN: usize = 11;

#[derive(Debug)]
pub(crate) struct Lock<'d> {
    disk: &'d Disk,
    name: String,
    /// Its closing frees the lock, after `drop` has removed the name.
    file: File,
}

impl<'d> Lock<'d> {
    /// Takes the lock if nobody holds it.
    pub(crate) fn try_take(disk: &'d Disk, name: &str) -> DiskResult<Option<Lock<'d>>> {
        loop {
            let file = open(disk, name)?;
            if !disk.try_lock(&file, name)? {
                return Ok(None);
            }
            if let Some(lock) = Lock::claim(disk, name, file)? {
                return Ok(Some(lock));
            }
        }
    }

    /// Waits for the lock.
    pub(crate) fn take(disk: &'d Disk, name: &str) -> DiskResult<Lock<'d>> {
        loop {
            let file = open(disk, name)?;
            disk.lock(&file, name)?;
            if let Some(lock) = Lock::claim(disk, name, file)? {
                return Ok(lock);
            }
        }
    }

    /// The lock, if the file that was locked still has its name.
    fn claim(disk: &'d Disk, name: &str, file: File) -> DiskResult<Option<Lock<'d>>> {
        if !disk.is_at(&file, name)? {
            return Ok(None);
        }
        // Who waits shows this number to people; the lock holds without it.
        let _ = disk.write(&file, name, 0, holder_text(std::process::id()).as_bytes());
        Ok(Some(Lock { disk, name: name.to_owned(), file }))
    }

    #[cfg(test)]
    fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // A lock file that stays is swept later; the lock itself is freed by closing the file.
        let _ = self.disk.unlink(&self.name);
        let _ = &self.file;
    }
}

/// The lock's file. Somebody may have emptied the store's directory behind a long-lived process: then it is filled again.
fn open(disk: &Disk, name: &str) -> DiskResult<File> {
    match disk.open_or_create(name).if_there()? {
        Some(file) => Ok(file),
        None => temp::make_dirs(disk).and_then(|()| disk.open_or_create(name)),
    }
}

/// The process id of the lock's holder, as far as it has said so.
pub(crate) fn holder(disk: &Disk, name: &str) -> Option<u32> {
    let file = disk.open_read(name).ok()?;
    let mut text = [0; HOLDER_LEN];
    let len = disk.read(&file, name, &mut text).ok()?;
    std::str::from_utf8(text.get(..len)?).ok()?.trim().parse().ok()
}

/// Removes the lock files that dead processes left, and says how many.
pub(crate) fn sweep(disk: &Disk) -> DiskResult<u64> {
    let mut removed_count = 0;
    for name in disk.list(layout::LOCKS)? {
        let name = format!("{}/{name}", layout::LOCKS);
        let Some(file) = disk.open_read(&name).if_there()? else {
            continue;
        };
        if disk.try_lock(&file, &name)? && disk.is_at(&file, &name)? {
            removed_count += u64::from(disk.unlink(&name)?);
        }
    }
    Ok(removed_count)
}

fn holder_text(pid: u32) -> String {
    format!("{pid:<HOLDER_LEN$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn disk() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(&Arc::from(dir.path()), None).unwrap();
        (dir, disk)
    }

    #[test]
    fn one_holder_at_a_time_and_no_file_left() {
        let (dir, disk) = disk();
        let lock = Lock::try_take(&disk, "l").unwrap().unwrap();
        assert!(Lock::try_take(&disk, "l").unwrap().is_none());
        assert_eq!(holder(&disk, "l"), Some(std::process::id()));
        drop(lock);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(Lock::try_take(&disk, "l").unwrap().is_some());
    }

    #[test]
    fn a_lock_on_a_removed_file_is_not_claimed() {
        let (_dir, disk) = disk();
        let waiting = disk.open_or_create("l").unwrap();
        drop(Lock::take(&disk, "l").unwrap());
        let present = Lock::take(&disk, "l").unwrap();
        assert!(disk.try_lock(&waiting, "l").unwrap(), "the removed file's lock is free");
        assert!(Lock::claim(&disk, "l", waiting).unwrap().is_none());
        assert!(disk.is_at(present.file(), "l").unwrap(), "the claim left the holder's file alone");
    }

    #[test]
    fn the_holder_is_told_in_a_fixed_length() {
        for pid in [1, 4_194_304, u32::MAX] {
            assert_eq!(holder_text(pid).len(), HOLDER_LEN);
            assert_eq!(holder_text(pid).trim().parse(), Ok(pid));
        }
    }
}
