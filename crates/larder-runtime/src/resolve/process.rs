//! The symbols of the process, as a program that was linked in the usual way would see them.
//!
//! The dynamic linker is asked first. Two things it can't answer:
//! - Names that the C library's *static* part defines (`atexit` and others): [`crate::exit`] has them, and `__cxa_thread_atexit` too,
//!   because an image must stay as long as a thread has destructors of it to run.
//! - Names of libm and the C++ runtime when nothing has loaded those libraries yet. They are loaded when the first strong name
//!   is missing, in the order of their price, and stay. A name that only C++ makes is looked for in its runtime at once.

use super::{Address, Resolve, Wanted};
use crate::dynamic::copies;
use crate::{dynamic, exit, os};
use std::ffi::{CStr, CString};
use std::sync::OnceLock;

/// Libraries that programs expect without asking, with what has been found of them. Their order is the order of search; C++'s is the last.
static LIBRARIES: [(&CStr, OnceLock<Option<os::Library>>); 3] =
    [(c"libm.so.6", OnceLock::new()), (c"libgcc_s.so.1", OnceLock::new()), (c"libstdc++.so.6", OnceLock::new())];

/// Resolves names to the symbols of this process. Opt-in: an image that is bound without it sees nothing of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessSymbols;

impl Resolve for ProcessSymbols {
    fn resolve(&self, wanted: &Wanted<'_>) -> Option<Address> {
        if let Some(versioned) = Versioned::split(wanted.name) {
            return versioned.resolve();
        }
        let symbol = || os::process_symbol_by_hash(wanted.name, wanted.hash);
        overridden(wanted.name)
            .or_else(|| symbol().map(|address| address.as_ptr() as Address))
            .or_else(|| exit::missing_from_libc(wanted.name))
            .or_else(|| if wanted.weak { None } else { from_libraries(wanted.name) })
    }
}

/// A name that says which version of a symbol it means: `memcpy@GLIBC_2.2.5`, from `.symver` in assembly.
struct Versioned {
    name: CString,
    version: CString,
}

impl Versioned {
    fn split(name: &CStr) -> Option<Versioned> {
        let name = name.to_bytes();
        let at = name.iter().position(|byte| *byte == b'@')?;
        let (name, version) = (&name[..at], &name[at + 1..]);
        let version = version.strip_prefix(b"@").unwrap_or(version);
        Some(Versioned { name: CString::new(name).ok()?, version: CString::new(version).ok()? })
    }

    fn resolve(&self) -> Option<Address> {
        let symbol = || os::process_symbol_of_version(&self.name, &self.version);
        overridden(&self.name).or_else(|| symbol().map(|address| address.as_ptr() as Address))
    }
}

/// Names that no library may answer, since the answer depends on images.
pub(super) fn overridden(name: &CStr) -> Option<Address> {
    exit::override_of(name).or_else(|| dynamic::override_of(name))
}

fn from_libraries(name: &CStr) -> Option<Address> {
    let first = if is_of_cpp(name.to_bytes()) { LIBRARIES.len() - 1 } else { 0 };
    LIBRARIES[first..].iter().find_map(|(library, opened)| {
        let handle = opened.get_or_init(|| {
            copies::open_libraries(&[library]);
            // SAFETY: these libraries are part of the system's C and C++ environment.
            unsafe { os::Library::open(library) }.ok()
        });
        Some(handle.as_ref()?.symbol(name)?.as_ptr() as Address)
    })
}

/// Mangled names, and those of the Itanium C++ ABI's runtime.
fn is_of_cpp(name: &[u8]) -> bool {
    [&b"_Z"[..], b"__cxa_", b"__gxx_", b"__dynamic_cast"].iter().any(|start| name.starts_with(start))
}
