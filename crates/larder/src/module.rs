//! A module, and how it is named before it is read.
//!
//! A hit must need no IR at all. So a module is known by something cheaper than its bytes: the caller's own key, with the IR behind a
//! closure that a hit never calls; or a file's state, for which the store remembers the digest of its bytes.

use crate::error::Error;
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a failed closure hands back.
pub type BuildError = Box<dyn std::error::Error + Send + Sync>;

/// LLVM IR, as bitcode or text.
pub struct Module<'a> {
    name: Cow<'a, str>,
    pub(crate) from: From<'a>,
}

/// Where the IR is, until it is needed.
pub(crate) enum From<'a> {
    /// In a file.
    File(PathBuf),
    /// In memory.
    Bytes(Cow<'a, [u8]>),
    /// Behind a closure, under a key of the caller's.
    Key { key: Cow<'a, [u8]>, build: Box<dyn FnOnce() -> Result<Vec<u8>, BuildError> + 'a> },
}

impl<'a> Module<'a> {
    /// A file of bitcode or text. It is opened only if its state has not been seen before, or on a miss.
    pub fn file(path: impl Into<PathBuf>) -> Module<'static> {
        let path = path.into();
        Module { name: path.display().to_string().into(), from: From::File(path) }
    }

    /// Bitcode or text in memory. `name` is for diagnostics.
    pub fn bytes(name: impl Into<Cow<'a, str>>, bytes: impl Into<Cow<'a, [u8]>>) -> Module<'a> {
        Module { name: name.into(), from: From::Bytes(bytes.into()) }
    }

    /// IR that `build` makes on a miss. Equal keys must mean equal modules: put into the key whatever the IR depends on.
    pub fn keyed<E: Into<BuildError>>(
        name: impl Into<Cow<'a, str>>,
        key: impl Into<Cow<'a, [u8]>>,
        build: impl FnOnce() -> Result<Vec<u8>, E> + 'a,
    ) -> Module<'a> {
        let build = Box::new(move || build().map_err(Into::into));
        Module { name: name.into(), from: From::Key { key: key.into(), build } }
    }

    /// What diagnostics call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes, read or built now.
    pub(crate) fn into_bytes(self) -> Result<Cow<'a, [u8]>, Error> {
        match self.from {
            From::File(path) => read(&path).map(Cow::Owned),
            From::Bytes(bytes) => Ok(bytes),
            From::Key { build, .. } => build().map(Cow::Owned).map_err(|source| Error::Build { source }),
        }
    }
}

impl fmt::Debug for Module<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("name", &self.name).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| Error::Module { path: path.to_owned(), source })
}
