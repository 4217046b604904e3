//! Errors: a kind to act on, and words for people.

use crate::border::free;
use larder::Error;
use larder::runtime::LoadError;
use std::any::Any;
use std::ffi::{CString, c_char};

/// `larder_error_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) enum Kind {
    Argument = 1,
    Input = 2,
    Compile = 3,
    Link = 4,
    Unresolved = 5,
    Load = 6,
    Cpu = 7,
    NoFunction = 8,
    MustHit = 9,
    Different = 10,
    Cancelled = 11,
    System = 12,
    Internal = 13,
}

/// `larder_error`.
#[derive(Debug)]
pub struct larder_error {
    kind: Kind,
    message: CString,
}

impl larder_error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Box<larder_error> {
        Box::new(larder_error { kind, message: c_text(&message.into()) })
    }

    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Box<larder_error> {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        larder_error::new(Kind::Internal, format!("a fault of this library: {words}"))
    }
}

impl From<Error> for Box<larder_error> {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Module { .. } | Error::Elf { .. } | Error::Build { .. } => Kind::Input,
            Error::Worker(_) | Error::Compile { .. } | Error::UnknownFeature { .. } => Kind::Compile,
            Error::Link { .. } => Kind::Link,
            Error::Load(LoadError::Unresolved { .. }) => Kind::Unresolved,
            Error::Load(LoadError::MissingFeatures { .. }) | Error::MissingFeatures { .. } => Kind::Cpu,
            Error::NoFunction { .. } => Kind::NoFunction,
            Error::MustHit { .. } => Kind::MustHit,
            Error::Different { .. } => Kind::Different,
            Error::Cancelled => Kind::Cancelled,
            Error::Thread { .. } | Error::Write { .. } => Kind::System,
            _ => Kind::Load,
        };
        larder_error::new(kind, error.to_string())
    }
}

/// Text for C: what stands behind a NUL in it is left out.
pub(crate) fn c_text(text: &str) -> CString {
    let shown = text.split('\0').next().unwrap_or_default();
    CString::new(shown).unwrap_or_default()
}

/// `larder_error_get_kind`.
///
/// # Safety
/// The error is one of this library's, and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_error_get_kind(error: *const larder_error) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(0, |error| error.kind as u32)
}

/// `larder_error_message`.
///
/// # Safety
/// As for [`larder_error_get_kind`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_error_message(error: *const larder_error) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// `larder_error_free`.
///
/// # Safety
/// The error is null, or one of this library's and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_error_free(error: *mut larder_error) {
    // SAFETY: the caller's promise.
    unsafe { free(error) };
}
