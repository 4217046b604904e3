//! The border to C: what comes over it is checked, and nothing unwinds over it.
//!
//! What C hands over has types of its own here. Nobody makes values of them but C, whose programs promise by the header what they stand for; so the
//! functions of this library need no unsafe code of their own to read them.

use crate::error::{Kind, Thrown, larder_error};
use crate::handle::Handle;
use larder::runtime::exception;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What went wrong on this side.
pub(crate) type Result<T> = std::result::Result<T, Box<larder_error>>;

/// Where a caller wants an answer: `TYPE *`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Place<T>(*mut T);

impl<T> Place<T> {
    /// Writes the answer; says whether somebody wants one.
    pub(crate) fn set(self, value: T) -> bool {
        if !self.0.is_null() {
            // SAFETY: it may be written, by the header.
            unsafe { self.0.write(value) };
        }
        !self.0.is_null()
    }
}

/// Where a caller wants errors: `larder_error **`.
pub(crate) type ErrorPlace = Place<Handle<larder_error>>;

/// Runs what a function does. An error goes to its place; a panic, and an exception of a callback's, is an error of its own.
pub(crate) fn guarded<T>(error: ErrorPlace, body: impl FnOnce() -> Result<T>) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(larder_error::of_panic(&*panic))) {
        Ok(value) => Some(value),
        Err(why) => {
            if !error.0.is_null() {
                error.set(Handle::give(*why));
            }
            None
        }
    }
}

/// The same, for functions that say whether they did it.
pub(crate) fn done(error: ErrorPlace, body: impl FnOnce() -> Result<()>) -> bool {
    guarded(error, body).is_some()
}

/// The same, for functions that make an object.
pub(crate) fn made<T: Send + Sync + 'static>(error: ErrorPlace, body: impl FnOnce() -> Result<T>) -> Handle<T> {
    guarded(error, || Ok(Handle::give(body()?))).unwrap_or_default()
}

/// Frees an object. Whatever becomes of it, and if there is none, nobody is told.
pub(crate) fn free<T: Send + Sync + 'static>(handle: Handle<T>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(handle.take(""))));
}

/// A string: `const char *`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Text(*const c_char);

impl Text {
    /// What it says; `name` is what the header calls the argument.
    pub(crate) fn get(&self, name: &str) -> Result<&str> {
        self.optional(name)?.ok_or_else(|| null(name))
    }

    /// The same for one that may be left out.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&str>> {
        if self.0.is_null() {
            return Ok(None);
        }
        // SAFETY: it ends with a NUL and stays during the call, by the header.
        let text = unsafe { CStr::from_ptr(self.0) };
        let text = text.to_str();
        text.map(Some).map_err(|error| larder_error::new(Kind::Argument, format!("{name} is no UTF-8: {error}")))
    }
}

/// The first of several values, whose number is another argument: `const TYPE *`.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Array<T>(*const T);

impl<T> Array<T> {
    /// All of them.
    pub(crate) fn get(&self, len: usize, name: &str) -> Result<&[T]> {
        if len == 0 {
            return Ok(&[]);
        }
        if self.0.is_null() {
            return Err(null(name));
        }
        // SAFETY: there are so many, by the header.
        Ok(unsafe { std::slice::from_raw_parts(self.0, len) })
    }
}

/// The value of an enumeration that begins at 0.
pub(crate) fn choose<T: Copy>(name: &str, values: &[T], number: u32) -> Result<T> {
    let value = usize::try_from(number).ok().and_then(|number| values.get(number));
    value.copied().ok_or_else(|| larder_error::new(Kind::Argument, format!("{number} is no {name}")))
}

pub(crate) fn null(name: &str) -> Box<larder_error> {
    larder_error::new(Kind::Argument, format!("{name} is NULL"))
}

/// A function of the host's, and the pointer that it gets back. What that points to is the host's affair, on whatever thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Callback<F> {
    /// What an error calls it.
    name: &'static str,
    function: F,
    context: *mut c_void,
}

// SAFETY: the header asks the host for a context that may be used on the threads on which the callback runs.
unsafe impl<F: Send> Send for Callback<F> {}
// SAFETY: as above.
unsafe impl<F: Sync> Sync for Callback<F> {}

impl<F: Copy> Callback<F> {
    /// `name` is what the header calls the argument.
    pub(crate) fn new(name: &'static str, function: Option<F>, context: *mut c_void) -> Result<Callback<F>> {
        Ok(Callback { name, function: function.ok_or_else(|| null(name))?, context })
    }

    /// Calls it. An exception that it throws ends here, and goes on as a panic until [`guarded`] makes an error of it.
    pub(crate) fn call<R>(&self, call: impl FnOnce(F, *mut c_void) -> R) -> R {
        exception::stop(|| call(self.function, self.context))
            .unwrap_or_else(|exception| resume_unwind(Box::new(Thrown(format!("{} threw {exception}", self.name)))))
    }

    /// Calls it, and lets through what it throws.
    pub(crate) fn call_throwing<R>(&self, call: impl FnOnce(F, *mut c_void) -> R) -> R {
        call(self.function, self.context)
    }
}
