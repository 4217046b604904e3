//! Every operation on the store's directory: the one file of this crate that makes system calls on it.
//!
//! **Idea.** All names are resolved against one directory descriptor, opened once and checked once: who swaps the
//! directory afterwards swaps it for others, not for us. Each operation first asks the [`Seam`], which is absent outside
//! of tests; there it counts, fails or kills the process, so that a test can stop the store before any operation.
//!
//! To add an operation: add its [`Op`], say in [`Op::writes`] whether it changes the disk, and call `step` first.

use std::ffi::CString;
use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::layout;

/// A kind of operation on the store's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Open what exists.
    Open,
    /// Create a file.
    Create,
    /// Read a file's identity, owner and mode.
    Stat,
    /// Ask what kind of file system a file is on.
    StatFs,
    /// Read a symbolic link.
    ReadLink,
    /// List a directory.
    List,
    /// Read from a file.
    Read,
    /// Write to a file.
    Write,
    /// Make a file or a directory durable.
    Sync,
    /// Give a file its name.
    Rename,
    /// Create a symbolic link.
    Symlink,
    /// Remove a name.
    Unlink,
    /// Create a directory.
    MakeDir,
    /// Lock a file.
    Lock,
}

impl Op {
    /// Whether the operation changes the disk.
    pub(crate) fn writes(self) -> bool {
        match self {
            Op::Create | Op::Write | Op::Sync | Op::Rename | Op::Symlink | Op::Unlink | Op::MakeDir => true,
            Op::Open | Op::Stat | Op::StatFs | Op::ReadLink | Op::List | Op::Read | Op::Lock => false,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Op::Open => "open it",
            Op::Create => "create it",
            Op::Stat => "look at it",
            Op::StatFs => "look at its file system",
            Op::ReadLink => "read the link",
            Op::List => "list it",
            Op::Read => "read it",
            Op::Write => "write it",
            Op::Sync => "make it durable",
            Op::Rename => "give it its name",
            Op::Symlink => "create the link",
            Op::Unlink => "remove it",
            Op::MakeDir => "make the directory",
            Op::Lock => "lock it",
        })
    }
}

/// Where tests take the place of the disk and the clock. Production stores have none.
pub trait Seam: fmt::Debug + Send + Sync {
    /// Called before each operation: an `Err` is what the operation then fails with, without being done.
    fn before(&self, op: Op) -> Result<(), Errno>;

    /// The time in milliseconds since 1970 for recency; `None` for the real clock.
    fn now_ms(&self) -> Option<u64> {
        None
    }
}

/// An operation that failed, and on what.
#[derive(Debug)]
pub(crate) struct DiskError {
    pub(crate) op: Op,
    pub(crate) path: PathBuf,
    pub(crate) errno: Errno,
}

pub(crate) type DiskResult<T> = Result<T, DiskError>;

/// A result in which a name that isn't there is an answer, not an error.
pub(crate) trait IfThere<T> {
    fn if_there(self) -> DiskResult<Option<T>>;
}

impl<T> IfThere<T> for DiskResult<T> {
    fn if_there(self) -> DiskResult<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(DiskError { errno: Errno::NOENT, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// One `write` at most: a fault between two of them leaves a file of a length in between.
///
/// The page cache keeps what came in one write together in one folio, and since Linux 6.18 the first touch of a page maps its whole
/// folio: with larger writes, each process that maps an entry would count megabytes that it never looks at. This is as much as
/// Linux maps around a touched page of any file (`fault_around_bytes`).
const WRITE_LEN_MAX: usize = 64 << 10;

const OPEN_FLAGS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW);

/// The store's directory, open.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: OwnedFd,
    path: Arc<Path>,
    seam: Option<Arc<dyn Seam>>,
}

impl Disk {
    /// Opens the directory at `path`, which must exist. Its privacy is the caller's to check.
    pub(crate) fn open(path: &Arc<Path>, seam: Option<Arc<dyn Seam>>) -> DiskResult<Disk> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened =
            step(seam.as_deref(), Op::Open).and_then(|()| rustix::fs::openat(CWD, &**path, flags, Mode::empty()));
        match opened {
            Ok(dir) => Ok(Disk { dir, path: path.clone(), seam }),
            Err(errno) => Err(DiskError { op: Op::Open, path: path.to_path_buf(), errno }),
        }
    }

    pub(crate) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Milliseconds since 1970, for recency; 0 if the clock stands before that.
    pub(crate) fn now_ms(&self) -> u64 {
        let real = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
        self.seam.as_deref().and_then(Seam::now_ms).unwrap_or_else(real)
    }

    fn run<T>(&self, op: Op, name: &str, call: impl FnMut() -> Result<T, Errno>) -> DiskResult<T> {
        let done = step(self.seam.as_deref(), op).and_then(|()| rustix::io::retry_on_intr(call));
        done.map_err(|errno| self.error(op, name, errno))
    }

    fn error(&self, op: Op, name: &str, errno: Errno) -> DiskError {
        let path = if name.is_empty() { self.path.to_path_buf() } else { self.path.join(name) };
        DiskError { op, path, errno }
    }

    pub(crate) fn stat_dir(&self) -> DiskResult<Stat> {
        self.run(Op::Stat, "", || rustix::fs::fstat(&self.dir))
    }

    /// Opens for reading. Never waits, whatever stands there, and never follows a link.
    pub(crate) fn open_read(&self, name: &str) -> DiskResult<File> {
        let flags = OPEN_FLAGS | OFlags::RDONLY | OFlags::NONBLOCK;
        self.run(Op::Open, name, || rustix::fs::openat(&self.dir, name, flags, Mode::empty())).map(File::from)
    }

    /// Creates a file that must not exist, for writing; its mode doesn't bind the descriptor.
    pub(crate) fn create_new(&self, name: &str) -> DiskResult<File> {
        let flags = OPEN_FLAGS | OFlags::CREATE | OFlags::EXCL | OFlags::RDWR;
        let mode = Mode::from_raw_mode(layout::ENTRY_MODE);
        self.run(Op::Create, name, || rustix::fs::openat(&self.dir, name, flags, mode)).map(File::from)
    }

    /// Opens a file that is written in place (a lock or the tally), and makes it if it isn't there.
    pub(crate) fn open_or_create(&self, name: &str) -> DiskResult<File> {
        let flags = OPEN_FLAGS | OFlags::CREATE | OFlags::RDWR | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(layout::FILE_MODE);
        self.run(Op::Create, name, || rustix::fs::openat(&self.dir, name, flags, mode)).map(File::from)
    }

    pub(crate) fn stat_file(&self, file: &File, name: &str) -> DiskResult<Stat> {
        self.run(Op::Stat, name, || rustix::fs::fstat(file))
    }

    /// Looks at what stands at `name`, not at what it links to.
    pub(crate) fn stat(&self, name: &str) -> DiskResult<Stat> {
        self.run(Op::Stat, name, || rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// The magic number of the file system that holds the file (`statfs(2)`).
    pub(crate) fn file_system(&self, file: impl AsFd, name: &str) -> DiskResult<u64> {
        let found = self.run(Op::StatFs, name, || rustix::fs::fstatfs(&file))?;
        // The field's width and sign differ per architecture; every magic number has 32 bits.
        Ok(u64::from(found.f_type as u32))
    }

    /// The target of a link, or `None` if there is no link of that name.
    pub(crate) fn read_link(&self, name: &str, len_max: usize) -> DiskResult<Option<CString>> {
        let read = || rustix::fs::readlinkat(&self.dir, name, Vec::with_capacity(len_max + 1));
        match self.run(Op::ReadLink, name, read) {
            Err(DiskError { errno: Errno::INVAL, .. }) => Ok(None),
            other => other.if_there(),
        }
    }

    pub(crate) fn symlink(&self, target: &str, name: &str) -> DiskResult<()> {
        self.run(Op::Symlink, name, || rustix::fs::symlinkat(target, &self.dir, name))
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> DiskResult<()> {
        self.run(Op::Rename, to, || rustix::fs::renameat(&self.dir, from, &self.dir, to))
    }

    /// Removes the name and says whether it was there. A directory isn't ours and stays.
    pub(crate) fn unlink(&self, name: &str) -> DiskResult<bool> {
        match self.run(Op::Unlink, name, || rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())) {
            Err(DiskError { errno: Errno::ISDIR, .. }) => Ok(false),
            other => Ok(other.if_there()?.is_some()),
        }
    }

    /// Makes a directory and says whether it wasn't there.
    pub(crate) fn make_dir(&self, name: &str) -> DiskResult<bool> {
        let mode = Mode::from_raw_mode(layout::DIR_MODE);
        match self.run(Op::MakeDir, name, || rustix::fs::mkdirat(&self.dir, name, mode)) {
            Err(DiskError { errno: Errno::EXIST, .. }) => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// The names in a directory, sorted; none if the directory isn't there. Names that aren't UTF-8 are not ours.
    pub(crate) fn list(&self, name: &str) -> DiskResult<Vec<String>> {
        let Some(dir) = self.open_dir(name).if_there()? else {
            return Ok(Vec::new());
        };
        self.run(Op::List, name, || Ok(()))?;
        let mut names = Vec::new();
        for found in Dir::new(dir).map_err(|errno| self.error(Op::List, name, errno))? {
            let found = found.map_err(|errno| self.error(Op::List, name, errno))?;
            let ours = found.file_name().to_str().ok().filter(|name| !name.starts_with('.'));
            names.extend(ours.map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open_dir(&self, name: &str) -> DiskResult<OwnedFd> {
        let flags = OPEN_FLAGS | OFlags::RDONLY | OFlags::DIRECTORY;
        let at = if name.is_empty() { "." } else { name };
        self.run(Op::Open, name, || rustix::fs::openat(&self.dir, at, flags, Mode::empty()))
    }

    pub(crate) fn write(&self, file: &File, name: &str, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let now = &rest[..rest.len().min(WRITE_LEN_MAX)];
            let done = self.run(Op::Write, name, || match rustix::io::pwrite(file, now, offset) {
                // A file system that takes nothing and says nothing would keep this loop for ever.
                Ok(0) => Err(Errno::IO),
                other => other,
            })?;
            rest = &rest[done..];
            offset += done as u64;
        }
        Ok(())
    }

    /// Up to `buffer.len()` bytes from the file's start; returns how many there were.
    pub(crate) fn read(&self, file: &File, name: &str, buffer: &mut [u8]) -> DiskResult<usize> {
        self.run(Op::Read, name, || rustix::io::pread(file, &mut *buffer, 0))
    }

    pub(crate) fn sync(&self, file: impl AsFd, name: &str) -> DiskResult<()> {
        self.run(Op::Sync, name, || rustix::fs::fsync(&file))
    }

    /// Makes the names in a directory durable.
    pub(crate) fn sync_dir(&self, name: &str) -> DiskResult<()> {
        let dir = self.open_dir(name)?;
        self.sync(dir, name)
    }

    /// Waits until nobody else holds the file's lock.
    pub(crate) fn lock(&self, file: &File, name: &str) -> DiskResult<()> {
        self.run(Op::Lock, name, || rustix::fs::flock(file, FlockOperation::LockExclusive))
    }

    /// Takes the file's lock if it is free.
    pub(crate) fn try_lock(&self, file: &File, name: &str) -> DiskResult<bool> {
        match self.run(Op::Lock, name, || rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)) {
            Err(DiskError { errno: Errno::WOULDBLOCK, .. }) => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Whether `name` still names that file.
    pub(crate) fn is_at(&self, file: &File, name: &str) -> DiskResult<bool> {
        let here = self.stat_file(file, name)?;
        let there = self.stat(name).if_there()?;
        Ok(there.is_some_and(|there| (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)))
    }
}

/// Makes the store's directory and what is missing above it, all of them private, and makes the last name durable.
pub(crate) fn create_dir(path: &Path, seam: Option<&dyn Seam>) -> DiskResult<()> {
    let fail = |errno| DiskError { op: Op::MakeDir, path: path.to_path_buf(), errno };
    step(seam, Op::MakeDir).map_err(fail)?;
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, layout::DIR_MODE);
    let made = builder.recursive(true).create(path);
    made.map_err(|error| fail(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    // Best effort: without it a power cut may lose a new and still empty store, and nothing else.
    if let Some(parent) = path.parent() {
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
    Ok(())
}

fn step(seam: Option<&dyn Seam>, op: Op) -> Result<(), Errno> {
    seam.map_or(Ok(()), |seam| seam.before(op))
}
