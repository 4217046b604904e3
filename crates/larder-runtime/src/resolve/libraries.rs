//! Shared libraries that a program is started with, as if it had been linked against them.
//!
//! A native program sees the definitions of its libraries in their order, and those of the C library last, since every library depends on
//! it. So a library's *own* definitions are asked before [the process](super::ProcessSymbols), which would find the C library's first. What
//! it only passes on from libraries that it depends on is left to the process. The libraries stay loaded to the end.

use super::process::overridden;
use super::{Address, Resolve, Wanted};
use crate::error::LoadError;
use crate::{os, unwind};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

/// Libraries, in the order of the search.
#[derive(Debug, Default)]
pub struct Libraries(Vec<os::Library>);

impl Libraries {
    /// None.
    pub fn new() -> Libraries {
        Libraries::default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Loads a library and runs its constructors. A name without a slash is looked for as the dynamic linker does (`ld.so(8)`). Its symbols
    /// become part of the process's.
    ///
    /// # Errors
    /// [`LoadError::Library`] with the dynamic linker's own words.
    ///
    /// # Safety
    /// The library is one whose code the caller wants to run in this process.
    pub unsafe fn open(&mut self, name: &OsStr) -> Result<(), LoadError> {
        let refused = |reason| LoadError::Library { name: name.display().to_string(), reason };
        let c_name = CString::new(name.as_bytes())
            .map_err(|_| refused(format!("{}: the name contains a NUL", name.display())))?;
        // SAFETY: the caller's promise.
        self.0.push(unsafe { os::Library::open(&c_name) }.map_err(refused)?);
        Ok(())
    }
}

impl Resolve for Libraries {
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address> {
        if overridden(wanted.name).is_some() {
            return None;
        }
        self.0.iter().find_map(|library| {
            let address = library.symbol(wanted.name)?.as_ptr();
            let definer = unwind::library_at(address)?;
            (library.link_map() == Some(definer)).then_some(address as Address)
        })
    }
}
