//! Options: what reaches the code.

use crate::border::{free, get_mut, guarded, optional_text, slice, text};
use crate::error::{Kind, larder_error};
use larder::{CompileOptions, Cpu, Exports};
use std::ffi::c_char;

/// `larder_options`.
#[derive(Debug, Default)]
pub struct larder_options(pub(crate) CompileOptions);

/// `larder_options_new`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_options_new() -> *mut larder_options {
    Box::into_raw(Box::default())
}

/// `larder_options_free`.
///
/// # Safety
/// Null, or this library's and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_options_free(options: *mut larder_options) {
    // SAFETY: the caller's promise.
    unsafe { free(options) };
}

fn argument(error: impl ToString) -> Box<larder_error> {
    larder_error::new(Kind::Argument, error.to_string())
}

/// `larder_options_set_level`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_options_set_level(
    options: *mut larder_options,
    level: c_char,
    error: *mut *mut larder_error,
) -> bool {
    let set = || {
        let level = char::from(level as u8).to_string().parse().map_err(argument)?;
        // SAFETY: the caller's promise.
        unsafe { get_mut(options, "options") }?.0.level = level;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, set) }.is_some()
}

/// `larder_options_set_passes`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_options_set_passes(
    options: *mut larder_options,
    passes: *const c_char,
    error: *mut *mut larder_error,
) -> bool {
    let set = || {
        // SAFETY: the caller's promise.
        let passes = unsafe { optional_text(passes, "passes") }?.map(str::to_owned);
        // SAFETY: the caller's promise.
        unsafe { get_mut(options, "options") }?.0.passes = passes;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, set) }.is_some()
}

/// `larder_options_set_cpu`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_options_set_cpu(
    options: *mut larder_options,
    cpu: *const c_char,
    features: *const c_char,
    error: *mut *mut larder_error,
) -> bool {
    let set = || {
        // SAFETY: the caller's promise.
        let base = unsafe { text(cpu, "cpu") }?.parse().map_err(argument)?;
        let mut cpu = Cpu { base, ..Cpu::default() };
        // SAFETY: the caller's promise.
        if let Some(features) = unsafe { optional_text(features, "features") }? {
            cpu.change(features).map_err(argument)?;
        }
        // SAFETY: the caller's promise.
        unsafe { get_mut(options, "options") }?.0.cpu = cpu;
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, set) }.is_some()
}

/// `larder_options_set_exports`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_options_set_exports(
    options: *mut larder_options,
    names: *const *const c_char,
    count: usize,
    error: *mut *mut larder_error,
) -> bool {
    let set = || {
        // SAFETY: the caller's promise.
        let names = unsafe { slice(names, count, "names") }?.iter();
        // SAFETY: the caller's promise.
        let names = names.map(|name| unsafe { text(*name, "a name") }.map(str::to_owned));
        let names = names.collect::<Result<_, _>>()?;
        // SAFETY: the caller's promise.
        unsafe { get_mut(options, "options") }?.0.exports = Exports::Only(names);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, set) }.is_some()
}

/// `larder_options_set_keep_source`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_options_set_keep_source(options: *mut larder_options, keep: bool) {
    // SAFETY: the caller's promise.
    if let Some(options) = unsafe { options.as_mut() } {
        options.0.keep_source = keep;
    }
}

/// `larder_options_set_lto`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_options_set_lto(options: *mut larder_options, lto: bool) {
    // SAFETY: the caller's promise.
    if let Some(options) = unsafe { options.as_mut() } {
        options.0.lto = lto;
    }
}
