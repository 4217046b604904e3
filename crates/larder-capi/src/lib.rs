//! Larder for C and C++: what `include/larder.h` declares, and nothing else.
//!
//! Everything goes through `border.rs`: no panic leaves it, and each failure becomes a `larder_error`. C has no pointers to objects but handles, which
//! `handle.rs` knows. The functions here translate; what they do is `larder`'s.
//!
//! The header is written by hand, since it is what users read; a test compares its declarations with the functions here.

#![expect(non_camel_case_types, reason = "the types have their names in C")]

mod border;
mod changeable;
mod code;
mod error;
mod handle;
mod heap;
mod loading;
mod options;
mod program;
mod report;
mod session;
mod settings;
mod unusable;

pub use code::*;
pub use error::*;
pub use heap::*;
pub use loading::*;
pub use options::*;
pub use program::*;
pub use report::*;
pub use session::*;
pub use settings::*;
pub use unusable::*;

use std::ffi::c_char;

/// `larder_version`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
