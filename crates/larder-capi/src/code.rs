//! Handles of loaded code, with what C wants to read of them.

use crate::border::{free, get, guarded, quiet, text};
use crate::error::{c_text, larder_error};
use larder::Code;
use std::ffi::{CString, c_char, c_void};

/// `larder_code`.
#[derive(Debug, Clone)]
pub struct larder_code {
    code: Code,
    outcome: CString,
    key: CString,
    warnings: Vec<CString>,
}

/// `larder_function`.
pub type larder_function = Option<unsafe extern "C" fn()>;

impl larder_code {
    pub(crate) fn new(code: Code) -> larder_code {
        let outcome = c_text(&code.outcome().to_string());
        let key = code.key().map(|key| c_text(&key.to_string())).unwrap_or_default();
        let warnings = code.warnings().iter().map(|warning| c_text(warning)).collect();
        larder_code { code, outcome, key, warnings }
    }

    pub(crate) fn code(&self) -> &Code {
        &self.code
    }
}

/// `larder_code_retain`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_retain(code: *const larder_code) -> *mut larder_code {
    // SAFETY: the caller's promise.
    let retain = || unsafe { code.as_ref() }.map(|code| Box::new(code.clone()));
    quiet(retain).map_or(std::ptr::null_mut(), Box::into_raw)
}

/// `larder_code_free`. Finalisers of the code that throw are not stopped here: the exception is theirs and the host's.
///
/// # Safety
/// Null, or this library's and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_free(code: *mut larder_code) {
    // SAFETY: the caller's promise.
    unsafe { free(code) };
}

/// `larder_code_function`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_function(
    code: *const larder_code,
    name: *const c_char,
    error: *mut *mut larder_error,
) -> larder_function {
    let find = || {
        // SAFETY: the caller's promise.
        let (code, name) = (unsafe { get(code, "code") }?, unsafe { text(name, "name") }?);
        // SAFETY: the type is the caller's affair, who casts before calling.
        Ok(*unsafe { code.code.function::<unsafe extern "C" fn()>(name) }?)
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, find) }
}

/// `larder_code_symbol`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_symbol(code: *const larder_code, name: *const c_char) -> *mut c_void {
    let find = || {
        // SAFETY: the caller's promise.
        let (code, name) = (unsafe { code.as_ref() }?, unsafe { text(name, "name") }.ok()?);
        code.code.symbol(name).map(|address| address as usize)
    };
    quiet(find).map_or(std::ptr::null_mut(), |address| address as *mut c_void)
}

/// `larder_code_is_hit`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_is_hit(code: *const larder_code) -> bool {
    // SAFETY: the caller's promise.
    unsafe { code.as_ref() }.is_some_and(|code| code.code.outcome().is_hit())
}

/// `larder_code_outcome`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_outcome(code: *const larder_code) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { code.as_ref() }.map_or(c"".as_ptr(), |code| code.outcome.as_ptr())
}

/// `larder_code_key`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_key(code: *const larder_code) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { code.as_ref() }.map_or(c"".as_ptr(), |code| code.key.as_ptr())
}

/// `larder_code_warning_count`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_warning_count(code: *const larder_code) -> usize {
    // SAFETY: the caller's promise.
    unsafe { code.as_ref() }.map_or(0, |code| code.warnings.len())
}

/// `larder_code_warning`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_code_warning(code: *const larder_code, index: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { code.as_ref() }.and_then(|code| code.warnings.get(index)).map_or(c"".as_ptr(), |text| text.as_ptr())
}
