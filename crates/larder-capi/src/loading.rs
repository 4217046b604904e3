//! Loading, at once and in the background.

use crate::border::{Result, get, guarded, quiet, text};
use crate::code::larder_code;
use crate::error::{Kind, larder_error};
use crate::options::larder_options;
use crate::program::larder_program;
use crate::session::larder_session;
use larder::{CompileOptions, Loading};
use std::ffi::c_char;
use std::path::Path;

/// `larder_loading`.
#[derive(Debug)]
pub struct larder_loading(Loading);

/// # Safety
/// Null, or this library's and neither freed nor loaded.
unsafe fn take(program: *mut larder_program) -> Result<Box<larder_program>> {
    if program.is_null() {
        return Err(larder_error::new(Kind::Argument, "program is NULL"));
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { Box::from_raw(program) })
}

/// # Safety
/// Null, or this library's and not freed.
unsafe fn options_of(options: *const larder_options) -> CompileOptions {
    // SAFETY: the caller's promise.
    unsafe { options.as_ref() }.map_or_else(CompileOptions::default, |options| options.0.clone())
}

fn raw(code: Option<larder::Code>) -> *mut larder_code {
    code.map_or(std::ptr::null_mut(), |code| Box::into_raw(Box::new(larder_code::new(code))))
}

/// `larder_load`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_load(
    session: *const larder_session,
    program: *mut larder_program,
    options: *const larder_options,
    error: *mut *mut larder_error,
) -> *mut larder_code {
    let load = || {
        // SAFETY: the caller's promise.
        let program = unsafe { take(program) }?;
        // SAFETY: the caller's promise.
        let session = unsafe { get(session, "session") }?;
        // SAFETY: the caller's promise.
        let options = unsafe { options_of(options) };
        // SAFETY: the caller's promise: the program is trusted, and its symbols are what it declares.
        Ok(unsafe { session.0.load_or_compile(program.into_program(), &options) }?)
    };
    // SAFETY: the caller's promise.
    raw(unsafe { guarded(error, load) })
}

/// `larder_load_image`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_load_image(
    session: *const larder_session,
    path: *const c_char,
    options: *const larder_options,
    error: *mut *mut larder_error,
) -> *mut larder_code {
    let load = || {
        // SAFETY: the caller's promise.
        let session = unsafe { get(session, "session") }?;
        // SAFETY: the caller's promise.
        let (path, options) = (unsafe { text(path, "path") }?, unsafe { options_of(options) });
        // SAFETY: the caller's promise: as above, and nobody writes to the file.
        Ok(unsafe { session.0.load_image(Path::new(path), &options) }?)
    };
    // SAFETY: the caller's promise.
    raw(unsafe { guarded(error, load) })
}

/// `larder_load_in_background`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_load_in_background(
    session: *const larder_session,
    program: *mut larder_program,
    options: *const larder_options,
    error: *mut *mut larder_error,
) -> *mut larder_loading {
    let load = || {
        // SAFETY: the caller's promise.
        let program = unsafe { take(program) }?;
        // SAFETY: the caller's promise.
        let session = unsafe { get(session, "session") }?;
        // SAFETY: the caller's promise.
        let options = unsafe { options_of(options) };
        // SAFETY: the caller's promise, as for `larder_load`.
        Ok(unsafe { session.0.load_in_background(move || program.into_program(), &options) }?)
    };
    // SAFETY: the caller's promise.
    let loading = unsafe { guarded(error, load) };
    loading.map_or(std::ptr::null_mut(), |loading| Box::into_raw(Box::new(larder_loading(loading))))
}

/// `larder_loading_progress`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_loading_progress(loading: *const larder_loading) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { loading.as_ref() }.map_or(0.0, |loading| loading.0.status().fraction)
}

/// `larder_loading_is_finished`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_loading_is_finished(loading: *const larder_loading) -> bool {
    // SAFETY: the caller's promise.
    unsafe { loading.as_ref() }.is_none_or(|loading| loading.0.is_finished())
}

/// `larder_loading_cancel`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_loading_cancel(loading: *const larder_loading) {
    // SAFETY: the caller's promise.
    if let Some(loading) = unsafe { loading.as_ref() } {
        loading.0.cancel();
    }
}

/// `larder_loading_wait`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_loading_wait(
    loading: *mut larder_loading,
    error: *mut *mut larder_error,
) -> *mut larder_code {
    let wait = || {
        if loading.is_null() {
            return Err(larder_error::new(Kind::Argument, "loading is NULL"));
        }
        // SAFETY: the caller's promise.
        let loading = unsafe { Box::from_raw(loading) };
        Ok(loading.0.wait()?)
    };
    // SAFETY: the caller's promise.
    raw(unsafe { guarded(error, wait) })
}

/// `larder_loading_free`.
///
/// # Safety
/// Null, or this library's and neither freed nor waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_loading_free(loading: *mut larder_loading) {
    if !loading.is_null() {
        // SAFETY: the caller's promise.
        let loading = unsafe { Box::from_raw(loading) };
        loading.0.cancel();
        // Code that was done all the same goes, and nobody is there to hear of errors.
        quiet(|| drop(loading.0.wait()));
    }
}
