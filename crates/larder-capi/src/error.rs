//! Errors: a kind to act on, and words for people.

use crate::border::free;
use crate::handle::Handle;
use larder::runtime::LoadError;
use larder::{CallError, Error};
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
    Unusable = 14,
    Callback = 15,
}

/// `larder_error`.
#[derive(Debug)]
pub struct larder_error {
    kind: Kind,
    message: CString,
}

/// A callback of the host's threw an exception: which, and what.
#[derive(Debug)]
pub(crate) struct Thrown(pub(crate) String);

impl larder_error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Box<larder_error> {
        Box::new(larder_error { kind, message: c_text(&message.into()) })
    }

    /// What went on as a panic: a callback's exception, a call that can't be made, or a fault of this library.
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Box<larder_error> {
        if let Some(Thrown(words)) = panic.downcast_ref() {
            return larder_error::new(Kind::Callback, words.clone());
        }
        if let Some(error) = panic.downcast_ref::<CallError>() {
            return larder_error::new(Kind::Unusable, error.to_string());
        }
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
            Error::Unusable(_) | Error::Dropped(_) | Error::NotRecompiled { .. } => Kind::Unusable,
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

/// Text of an object's that C reads while the object exists; "" if there is none.
#[derive(Debug)]
#[repr(transparent)]
pub struct Shown(*const c_char);

impl Default for Shown {
    fn default() -> Self {
        Shown(c"".as_ptr())
    }
}

impl From<&CString> for Shown {
    fn from(text: &CString) -> Self {
        Shown(text.as_ptr())
    }
}

/// `larder_error_get_kind`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_error_get_kind(error: Handle<larder_error>) -> u32 {
    error.read(|error| error.kind as u32)
}

/// `larder_error_message`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_error_message(error: Handle<larder_error>) -> Shown {
    error.read(|error| Shown::from(&error.message))
}

/// `larder_error_free`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_error_free(error: Handle<larder_error>) {
    free(error);
}
