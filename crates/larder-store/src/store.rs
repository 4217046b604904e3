//! The store and the way of a hit.
//!
//! [`Store::open`] opens the directory and looks whether it is private; [`Store::lookup`] opens an entry, looks at it and
//! reads its receipt. Nothing else is done for a hit: no directory is listed, no lock taken, nothing written (but for the
//! use that is noted every ten minutes, see `receipt.rs`).
//!
//! **Privacy.** The bytes of an entry become code of this process, so whoever can write them is this user. The
//! directory must be owned by the effective user and writable by nobody else. If others can't even pass through it
//! (the store makes it that way), what lies below needs no look; else the inner directories are looked at too. Each entry's
//! own owner and mode come with the `fstat` that a hit needs anyway.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use crate::disk::{self, Disk, DiskError, IfThere, Op, Seam};
use crate::error::StoreError;
use crate::identity::{FileIdentity, is_stamped};
use crate::key::Key;
use crate::receipt::Receipt;
use crate::{layout, lock, temp};

/// The size limit of a store for which none was chosen: 10 GiB.
pub const SIZE_MAX_DEFAULT: u64 = 10 << 30;

/// Where the store is and how large it may become.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The directory; made, with what is missing above it, if it isn't there.
    pub dir: PathBuf,
    /// The total length of all entries, in bytes, above which the least recently used ones go; `None` for no limit.
    pub size_max: Option<u64>,
    /// For fault tests: what stands between the store and the disk.
    pub seam: Option<Arc<dyn Seam>>,
}

impl StoreOptions {
    /// A store in that directory, of up to [`SIZE_MAX_DEFAULT`].
    pub fn new(dir: impl Into<PathBuf>) -> StoreOptions {
        StoreOptions { dir: dir.into(), size_max: Some(SIZE_MAX_DEFAULT), seam: None }
    }

    /// The same with another size limit, in bytes.
    pub fn size_max(self, size_max: Option<u64>) -> StoreOptions {
        StoreOptions { size_max, ..self }
    }

    /// The same behind a seam.
    pub fn seam(self, seam: Arc<dyn Seam>) -> StoreOptions {
        StoreOptions { seam: Some(seam), ..self }
    }
}

/// A directory of entries. Any number of threads and processes may have it open.
#[derive(Debug)]
pub struct Store {
    pub(crate) disk: Disk,
    pub(crate) size_max: Option<u64>,
    user: u32,
    is_prepared: AtomicBool,
}

/// An entry, open for reading. It stays readable, and the same, even if it is removed from the store or replaced.
#[derive(Debug)]
pub struct Entry {
    key: Key,
    file: File,
    identity: FileIdentity,
    dir: Arc<Path>,
    is_verified: bool,
    /// Whether a receipt of either kind stands for this file as it is.
    has_receipt: bool,
    /// Whether the file was settled when it was opened: only then may a verification of its bytes be recorded.
    is_settled: bool,
}

impl Entry {
    /// The key it was found by.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The open file, positioned at its start.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The open file, for who needs nothing else.
    pub fn into_file(self) -> File {
        self.file
    }

    /// The length in bytes.
    pub fn len(&self) -> u64 {
        self.identity.size
    }

    /// Whether the entry has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The absolute path by which it was found.
    pub fn path(&self) -> PathBuf {
        self.dir.join(layout::entry(&self.key))
    }

    /// Whether the bytes were verified since the file was last changed. If not, the caller verifies all of them before it
    /// uses any, and then calls [`Store::record_verified`].
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// Which file it is, in which state.
    pub fn identity(&self) -> &FileIdentity {
        &self.identity
    }
}

impl Store {
    /// Opens the store, and makes its directory if it isn't there. Three system calls if it is there and private.
    ///
    /// # Errors
    /// [`StoreError::NotPrivate`] if others own it or can write it; [`StoreError::CannotWrite`] if it isn't there and can't
    /// be made; [`StoreError::Io`] for everything else.
    pub fn open(options: StoreOptions) -> Result<Store, StoreError> {
        let StoreOptions { dir, size_max, seam } = options;
        let path = std::path::absolute(&dir).map_err(|source| StoreError::Io { path: dir, op: Op::Open, source })?;
        let disk = open_or_create(&Arc::from(path), seam)?;
        let store =
            Store { disk, size_max, user: rustix::process::geteuid().as_raw(), is_prepared: AtomicBool::new(false) };
        store.check_dirs()?;
        Ok(store)
    }

    /// The store's directory, absolute.
    pub fn dir(&self) -> &Path {
        self.disk.path()
    }

    /// Finds the entry of that key. Three system calls if it is there, one if it isn't.
    ///
    /// # Errors
    /// [`StoreError::NotPrivate`] if others own the entry or can write it, [`StoreError::NotAFile`] if it is no regular
    /// file, [`StoreError::Io`] if it can't be opened. All of them are a miss to who runs programs.
    pub fn lookup(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let found = self.find(key)?;
        if let Some((_, Some(receipt))) = &found {
            self.renew(key, receipt);
        }
        Ok(found.map(|(entry, _)| entry))
    }

    /// A lookup that isn't a use: for who wants to know what the entry is.
    ///
    /// # Errors
    /// Those of [`Store::lookup`].
    pub fn peek(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.find(key)?.map(|(entry, _)| entry))
    }

    /// A lookup that isn't a use, with the receipt.
    pub(crate) fn find(&self, key: &Key) -> Result<Option<(Entry, Option<Receipt>)>, StoreError> {
        let name = layout::entry(key);
        let file = match self.disk.open_read(&name).if_there() {
            Ok(None) => return Ok(None),
            Ok(Some(file)) => file,
            Err(DiskError { errno: Errno::LOOP, path, .. }) => return Err(StoreError::NotAFile { path }),
            Err(error) => return Err(error.into()),
        };
        let stat = self.disk.stat_file(&file, &name)?;
        self.check_entry(&stat, &name)?;
        Ok(Some(self.entry(key, file, FileIdentity::from_stat(&stat))))
    }

    /// Remembers that the caller has verified all bytes of this entry, read through its [`Entry::file`], and that it is used
    /// now. Returns whether later lookups will say so.
    ///
    /// `false` means that the file's identity can't vouch for its bytes: it was changed in the clock's last tick before the
    /// lookup, or lies on a file system that isn't known to stamp changes finely. Such an entry is verified each time.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`] or [`StoreError::Io`]; the entry can be used all the same.
    pub fn record_verified(&self, entry: &Entry) -> Result<bool, StoreError> {
        if entry.is_verified {
            return Ok(true);
        }
        let is_sure = entry.is_settled && self.is_stamped(&entry.file)?;
        // Where nothing can be recorded, the use is: at most once in a while, by the lookup, if it stands there already.
        if is_sure || !entry.has_receipt {
            Receipt::new(is_sure, self.disk.now_ms(), &entry.identity).write(&self.disk, &entry.key)?;
        }
        Ok(is_sure)
    }

    /// Removes an entry and says whether there was one. Who has it open or mapped keeps it.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`] or [`StoreError::Io`].
    pub fn remove(&self, key: &Key) -> Result<bool, StoreError> {
        let was_there = self.disk.unlink(&layout::entry(key))?;
        self.disk.unlink(&layout::receipt(key))?;
        Ok(was_there)
    }

    /// Removes this very entry, found to be bad, unless another has taken its place by now. Says whether it was there.
    ///
    /// # Errors
    /// Those of [`Store::remove`].
    pub fn discard(&self, entry: &Entry) -> Result<bool, StoreError> {
        let is_there = self.disk.is_at(&entry.file, &layout::entry(&entry.key))?;
        if is_there { self.remove(&entry.key) } else { Ok(false) }
    }

    /// An entry from its open file, and its receipt.
    pub(crate) fn entry(&self, key: &Key, file: File, identity: FileIdentity) -> (Entry, Option<Receipt>) {
        let receipt = Receipt::read(&self.disk, key, &identity);
        let is_verified = receipt.as_ref().is_some_and(|receipt| receipt.is_verified);
        let entry = Entry {
            key: *key,
            file,
            identity,
            dir: self.disk.path().clone(),
            is_verified,
            has_receipt: receipt.is_some(),
            is_settled: !is_verified && identity.is_settled(),
        };
        (entry, receipt)
    }

    /// Notes a use, if the last one noted is long ago. Best effort: the price of failing is an early eviction.
    fn renew(&self, key: &Key, receipt: &Receipt) {
        let used_ms = self.disk.now_ms();
        if receipt.is_old(used_ms) {
            let _ = receipt.used_at(used_ms).write(&self.disk, key);
        }
    }

    /// Whether the file system of an entry stamps changes so that receipts can be believed.
    pub(crate) fn is_stamped(&self, file: &File) -> Result<bool, StoreError> {
        Ok(is_stamped(self.disk.file_system(file, layout::ENTRIES)?))
    }

    /// Makes the inner directories, unless this store has seen them.
    pub(crate) fn make_dirs(&self) -> Result<(), StoreError> {
        if !self.is_prepared.load(Ordering::Relaxed) {
            temp::make_dirs(&self.disk)?;
        }
        Ok(())
    }

    /// Makes the inner directories and removes what dead processes left, once per store and before the first change.
    pub(crate) fn prepare(&self) -> Result<(), StoreError> {
        if !self.is_prepared.load(Ordering::Relaxed) {
            self.make_dirs()?;
            // What can't be swept now is in nobody's way.
            let _ = temp::sweep(&self.disk);
            let _ = lock::sweep(&self.disk);
            self.is_prepared.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn check_dirs(&self) -> Result<(), StoreError> {
        let outer = self.disk.stat_dir()?;
        self.check_private(&outer, "")?;
        if !others_can_pass(&outer) {
            return Ok(());
        }
        for name in layout::DIRS {
            let Some(inner) = self.disk.stat(name).if_there()? else {
                continue;
            };
            self.check_private(&inner, name)?;
            if name == layout::VERSION && !others_can_pass(&inner) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn check_entry(&self, stat: &Stat, name: &str) -> Result<(), StoreError> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(StoreError::NotAFile { path: self.dir().join(name) });
        }
        self.check_private(stat, name)
    }

    fn check_private(&self, stat: &Stat, name: &str) -> Result<(), StoreError> {
        if stat.st_uid == self.user && stat.st_mode & OTHERS_WRITE == 0 {
            return Ok(());
        }
        let path = if name.is_empty() { self.dir().to_path_buf() } else { self.dir().join(name) };
        Err(StoreError::NotPrivate { path, owner: stat.st_uid, mode: stat.st_mode & 0o7777, user: self.user })
    }
}

const OTHERS_WRITE: u32 = 0o022;
const OTHERS_PASS: u32 = 0o011;

fn others_can_pass(dir: &Stat) -> bool {
    dir.st_mode & OTHERS_PASS != 0
}

fn open_or_create(path: &Arc<Path>, seam: Option<Arc<dyn Seam>>) -> Result<Disk, StoreError> {
    if let Some(disk) = Disk::open(path, seam.clone()).if_there()? {
        return Ok(disk);
    }
    disk::create_dir(path, seam.as_deref())?;
    Ok(Disk::open(path, seam)?)
}
