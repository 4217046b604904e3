//! The file an image is loaded from.

use crate::error::LoadError;
use crate::os;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// An open file that holds an image, and the promise that its bytes stay what they are.
#[derive(Debug)]
pub struct ImageFile<'f> {
    fd: Descriptor<'f>,
    len: u64,
    path: PathBuf,
}

#[derive(Debug)]
enum Descriptor<'f> {
    Owned(OwnedFd),
    Borrowed(BorrowedFd<'f>),
}

impl ImageFile<'static> {
    /// Opens a file and asks for its length.
    ///
    /// # Errors
    /// [`LoadError::Os`] if it can't be opened, [`LoadError::NotAFile`] if it is not a regular file.
    ///
    /// # Safety
    /// While this value or any state made from it exists, nobody may write to the file or truncate it (replacing it by rename is
    /// fine, and so is removing it). The loader reads it where it is mapped.
    pub unsafe fn open(path: &Path) -> Result<Self, LoadError> {
        let (fd, status) = os::open_for_reading(path).map_err(|source| LoadError::Os {
            path: path.to_owned(),
            operation: "open",
            source,
        })?;
        match status {
            os::Status::Regular { len } => Ok(ImageFile { fd: Descriptor::Owned(fd), len, path: path.to_owned() }),
            os::Status::Other => Err(LoadError::NotAFile { path: path.to_owned() }),
        }
    }

    /// Takes a file that the caller has opened for reading and asked for its length, which saves doing it twice.
    /// `path` is for messages only.
    ///
    /// # Safety
    /// As for [`ImageFile::open`]; and the file is a regular one of at least `len` bytes.
    pub unsafe fn new(fd: OwnedFd, len: u64, path: PathBuf) -> Self {
        ImageFile { fd: Descriptor::Owned(fd), len, path }
    }
}

impl<'f> ImageFile<'f> {
    /// The same with a file that stays the caller's.
    ///
    /// # Safety
    /// As for [`ImageFile::new`].
    pub unsafe fn borrowed(fd: BorrowedFd<'f>, len: u64, path: PathBuf) -> Self {
        ImageFile { fd: Descriptor::Borrowed(fd), len, path }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The path it is known by.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for ImageFile<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.fd {
            Descriptor::Owned(fd) => fd.as_fd(),
            Descriptor::Borrowed(fd) => *fd,
        }
    }
}
