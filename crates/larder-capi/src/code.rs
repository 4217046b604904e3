//! Handles of loaded code, with what C wants to read of them.

use crate::border::{ErrorPlace, Text, free, guarded, made};
use crate::error::{Shown, c_text};
use crate::handle::Handle;
use crate::report::larder_report;
use larder::Code;
use std::ffi::{CString, c_void};

/// `larder_code`.
#[derive(Debug, Clone)]
pub struct larder_code {
    code: Code,
    name: CString,
    path: CString,
    outcome: CString,
    key: CString,
    warnings: Vec<CString>,
}

/// `larder_function`.
pub type larder_function = Option<unsafe extern "C" fn()>;

impl larder_code {
    pub(crate) fn new(code: Code) -> larder_code {
        let name = c_text(code.name());
        let path = c_text(&code.path().to_string_lossy());
        let outcome = c_text(&code.outcome().to_string());
        let key = code.key().map(|key| c_text(&key.to_string())).unwrap_or_default();
        let warnings = code.warnings().iter().map(|warning| c_text(warning)).collect();
        larder_code { code, name, path, outcome, key, warnings }
    }

    pub(crate) fn code(&self) -> &Code {
        &self.code
    }
}

/// `larder_code_retain`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_retain(code: Handle<larder_code>, error: ErrorPlace) -> Handle<larder_code> {
    made(error, || Ok(larder_code::clone(&*code.get("code")?)))
}

/// `larder_code_free`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_free(code: Handle<larder_code>) {
    free(code);
}

/// `larder_code_function`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_function(code: Handle<larder_code>, name: Text, error: ErrorPlace) -> larder_function {
    guarded(error, || {
        let code = code.get("code")?;
        // SAFETY: the type is the caller's affair, who casts before calling.
        Ok(*unsafe { code.code.function::<unsafe extern "C" fn()>(name.get("name")?) }?)
    })
}

/// An address of loaded code; null if there is none.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Found(*mut c_void);

impl Default for Found {
    fn default() -> Self {
        Found(std::ptr::null_mut())
    }
}

/// `larder_code_symbol`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_symbol(code: Handle<larder_code>, name: Text) -> Found {
    code.read(|code| {
        let address = name.get("name").ok().and_then(|name| code.code.symbol(name));
        address.map_or(Found::default(), |address| Found(address.cast_mut().cast()))
    })
}

/// `larder_code_is_hit`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_is_hit(code: Handle<larder_code>) -> bool {
    code.read(|code| code.code.outcome().is_hit())
}

/// `larder_code_name`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_name(code: Handle<larder_code>) -> Shown {
    code.read(|code| Shown::from(&code.name))
}

/// `larder_code_path`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_path(code: Handle<larder_code>) -> Shown {
    code.read(|code| Shown::from(&code.path))
}

/// `larder_code_outcome`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_outcome(code: Handle<larder_code>) -> Shown {
    code.read(|code| Shown::from(&code.outcome))
}

/// `larder_code_key`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_key(code: Handle<larder_code>) -> Shown {
    code.read(|code| Shown::from(&code.key))
}

/// `larder_code_warning_count`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_warning_count(code: Handle<larder_code>) -> usize {
    code.read(|code| code.warnings.len())
}

/// `larder_code_warning`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_warning(code: Handle<larder_code>, index: usize) -> Shown {
    code.read(|code| code.warnings.get(index).map(Shown::from).unwrap_or_default())
}

/// `larder_code_waiting`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_waiting(code: Handle<larder_code>, error: ErrorPlace) -> Handle<larder_report> {
    made(error, || Ok(larder_report::of_waiting(&code.get("code")?.code)))
}

/// `larder_code_dropped`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_dropped(code: Handle<larder_code>, error: ErrorPlace) -> Handle<larder_report> {
    made(error, || Ok(larder_report::of_dropped(&code.get("code")?.code)))
}

/// `larder_code_raw_pointers`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_code_raw_pointers(code: Handle<larder_code>, error: ErrorPlace) -> Handle<larder_report> {
    made(error, || Ok(larder_report::of_raw_pointers(&code.get("code")?.code)))
}
