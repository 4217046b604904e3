//! Shared libraries that a program is started with, as if it had been linked against them.
//!
//! A native program sees the definitions of its libraries in their order, and those of the C library last, since every library depends on
//! it. So a library's *own* definitions are asked before [the process](super::ProcessSymbols), which would find the C library's first. What
//! it only passes on from libraries that it depends on is left to the process. The libraries stay loaded to the end.

use super::process::overridden;
use super::{Address, Resolve, Wanted};
use crate::dynamic::copies;
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

    /// Loads libraries and runs their constructors. A name without a slash is looked for as the dynamic linker does (`ld.so(8)`). Their symbols
    /// become part of the process's. Variables that an image has [room for](crate::Mapped::stay) move there first.
    ///
    /// # Errors
    /// [`LoadError::Library`] with the dynamic linker's own words.
    ///
    /// # Safety
    /// The libraries are such whose code the caller wants to run in this process.
    pub unsafe fn open(&mut self, names: &[impl AsRef<OsStr>]) -> Result<(), LoadError> {
        let refused = |name: &OsStr, reason| LoadError::Library { name: name.display().to_string(), reason };
        let c_name = |name: &OsStr| {
            CString::new(name.as_bytes())
                .map_err(|_| refused(name, format!("{}: the name contains a NUL", name.display())))
        };
        let c_names = names.iter().map(|name| c_name(name.as_ref())).collect::<Result<Vec<_>, _>>()?;
        copies::open_libraries(&c_names.iter().map(CString::as_c_str).collect::<Vec<_>>());
        for (name, c_name) in names.iter().zip(&c_names) {
            // SAFETY: the caller's promise.
            let opened = unsafe { os::Library::open(c_name) };
            self.0.push(opened.map_err(|reason| refused(name.as_ref(), reason))?);
        }
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
