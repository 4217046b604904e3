//! Maps, checks, binds and runs images: nearly all the unsafe code of Larder stands here.
//!
//! An image goes through states, and each is a type, so that a step can't be left out:
//!
//! ```text
//! ImageFile ─▶ Mapped ───bind──▶ Bound ───seal──▶ Sealed ───initialise──▶ Loaded ─▶ Function
//!              checked           relocated,       unwindable,             initialised
//!              nothing ran       still writable   relro read-only
//! ```
//!
//! Whatever is wrong with the file is a [`LoadError`] before anything of it runs, and dropping any state undoes all of it.
//! No page is ever writable and executable. Pages of code stay file-backed, clean and shared, but for those where units begin that are dropped or
//! wait: these are written before anything runs, and never in place once it does.
//!
//! What is deliberately not done: parsing ELF (the [index](larder_format::image) says everything), reading a whole image (unless
//! [`Integrity::Verify`] asks for it), and deciding what to do about an error (that is policy, and `larder`'s).

mod availability;
pub mod cpu;
mod debugger;
mod dynamic;
mod elf;
mod error;
pub mod exception;
mod exit;
mod file;
mod guards;
mod jitdump;
mod load;
mod os;
mod patch;
pub mod program;
mod rebind;
mod registry;
mod relocate;
mod resolve;
mod symbol;
mod tls;
mod unavailable;
mod unwind;

pub use error::{CopyError, LoadError};
pub use file::ImageFile;
pub use load::{Arguments, Bound, Expectations, Integrity, Loaded, Mapped, Sealed};
pub use resolve::{Address, Chain, Deferral, Libraries, Names, ObjectAnswer, ProcessSymbols, Resolve, Wanted};
pub use symbol::{FnPointer, Function};
pub use tls::{StaticTlsError, has_place_for_static_tls};
pub use unavailable::{Call, Dropped, FailedGuard, GuardFailure, Unavailable, UnitId, Waiting};
pub use unwind::unwinds_in_constant_time;

/// The file of the program or shared library that this code is part of; `None` unless the system knows it by an absolute path.
pub fn own_file() -> Option<std::path::PathBuf> {
    os::file_at(own_file as *const ()).filter(|path| path.is_absolute())
}

/// Addresses of this process at which something is mapped now, in order. Empty if the system doesn't tell.
pub fn mapped_ranges() -> Vec<std::ops::Range<usize>> {
    os::mapped_ranges()
}
