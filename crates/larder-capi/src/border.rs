//! The border to C: what comes over it is checked, and nothing unwinds over it.

use crate::error::{Kind, larder_error};
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What went wrong on this side.
pub(crate) type Result<T> = std::result::Result<T, Box<larder_error>>;

/// Runs what a function does. An error goes to `error`, unless that is null; a panic is an error of its own.
///
/// # Safety
/// `error` is null, or may be written.
pub(crate) unsafe fn guarded<T>(error: *mut *mut larder_error, body: impl FnOnce() -> Result<T>) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(larder_error::of_panic(&*panic)));
    match result {
        Ok(value) => Some(value),
        Err(why) => {
            if !error.is_null() {
                // SAFETY: the caller's promise.
                unsafe { error.write(Box::into_raw(why)) };
            }
            None
        }
    }
}

/// Runs what can't fail but by a fault of this library, of which nobody can be told.
pub(crate) fn quiet<T: Default>(body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_default()
}

/// The object behind a pointer.
///
/// # Safety
/// The pointer is null, or this library has returned it for that type and it was not freed.
pub(crate) unsafe fn get<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// The same, to be changed.
///
/// # Safety
/// As for [`get`], and nobody else uses the object meanwhile.
pub(crate) unsafe fn get_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// Frees what `Box::into_raw` gave away; null is nothing.
///
/// # Safety
/// The pointer is null, or this library has returned it for that type and it was not freed.
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: the caller's promise.
        let object = unsafe { Box::from_raw(pointer) };
        quiet(|| drop(object));
    }
}

/// A string.
///
/// # Safety
/// The pointer is null, or a NUL-terminated string that exists during the call of this library.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|error| larder_error::new(Kind::Argument, format!("{name} is no UTF-8: {error}")))
}

/// A string that may be left out.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>> {
    // SAFETY: the caller's promise.
    if pointer.is_null() { Ok(None) } else { unsafe { text(pointer, name) }.map(Some) }
}

/// An array.
///
/// # Safety
/// The pointer is null, or there are so many elements behind it during the call of this library.
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, len: usize, name: &str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

fn null(name: &str) -> Box<larder_error> {
    larder_error::new(Kind::Argument, format!("{name} is NULL"))
}

/// A pointer of the host's that callbacks get back. What it points to is the host's affair, on whatever thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context(*mut std::ffi::c_void);

// SAFETY: the header asks the host for a context that may be used on the threads on which the callback runs.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    pub(crate) fn new(pointer: *mut std::ffi::c_void) -> Context {
        Context(pointer)
    }

    pub(crate) fn get(&self) -> *mut std::ffi::c_void {
        self.0
    }
}
