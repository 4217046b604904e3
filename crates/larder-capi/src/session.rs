//! Sessions.

use crate::border::{Context, free, get, guarded, quiet, slice, text};
use crate::code::larder_code;
use crate::error::larder_error;
use crate::settings::larder_opened;
use larder::Session;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// `larder_session`.
#[derive(Debug)]
pub struct larder_session(pub(crate) Session);

/// `larder_resolver`.
pub type larder_resolver = Option<extern "C" fn(*mut c_void, *const c_char) -> *const c_void>;

/// `larder_session_new`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_new(larder: *const larder_opened) -> *mut larder_session {
    // SAFETY: the caller's promise.
    let new = || unsafe { larder.as_ref() }.map(|larder| Box::new(larder_session(Session::new(Arc::clone(&larder.0)))));
    quiet(new).map_or(std::ptr::null_mut(), Box::into_raw)
}

/// `larder_session_free`.
///
/// # Safety
/// Null, or this library's and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_free(session: *mut larder_session) {
    // SAFETY: the caller's promise.
    unsafe { free(session) };
}

/// `larder_session_define`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_define(
    session: *const larder_session,
    name: *const c_char,
    address: *const c_void,
    error: *mut *mut larder_error,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { larder_session_define_all(session, &raw const name, &raw const address, 1, error) }
}

/// `larder_session_define_all`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_define_all(
    session: *const larder_session,
    names: *const *const c_char,
    addresses: *const *const c_void,
    count: usize,
    error: *mut *mut larder_error,
) -> bool {
    let define = || {
        // SAFETY: the caller's promise.
        let session = unsafe { get(session, "session") }?;
        // SAFETY: the caller's promise.
        let names = unsafe { slice(names, count, "names") }?.iter();
        // SAFETY: the caller's promise.
        let addresses = unsafe { slice(addresses, count, "addresses") }?;
        // SAFETY: the caller's promise.
        let names = names.map(|name| unsafe { text(*name, "name") }).collect::<Result<Vec<_>, _>>()?;
        session.0.define_all(names.into_iter().zip(addresses.iter().map(|address| address.cast())));
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, define) }.is_some()
}

/// `larder_session_undefine`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_undefine(session: *const larder_session, name: *const c_char) -> bool {
    quiet(|| {
        // SAFETY: the caller's promise.
        let (session, name) = (unsafe { session.as_ref() }, unsafe { text(name, "name") });
        session.is_some_and(|session| name.is_ok_and(|name| session.0.undefine(name)))
    })
}

/// `larder_session_use_process_symbols`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_use_process_symbols(session: *const larder_session) {
    // SAFETY: the caller's promise.
    if let Some(session) = unsafe { session.as_ref() } {
        session.0.use_process_symbols();
    }
}

/// `larder_session_resolve_with`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_resolve_with(
    session: *const larder_session,
    resolver: larder_resolver,
    context: *mut c_void,
) {
    let context = Context::new(context);
    // SAFETY: the caller's promise.
    if let (Some(session), Some(resolver)) = (unsafe { session.as_ref() }, resolver) {
        session.0.resolve_with(move |wanted| {
            let address = resolver(context.get(), wanted.name.as_ptr());
            (!address.is_null()).then_some(address.cast())
        });
    }
}

/// `larder_session_keep`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_keep(session: *const larder_session, code: *const larder_code) {
    // SAFETY: the caller's promise.
    if let (Some(session), Some(code)) = (unsafe { session.as_ref() }, unsafe { code.as_ref() }) {
        session.0.keep(code.code());
    }
}

/// `larder_session_release`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_session_release(session: *const larder_session, code: *const larder_code) -> bool {
    // SAFETY: the caller's promise.
    let (session, code) = (unsafe { session.as_ref() }, unsafe { code.as_ref() });
    session.is_some_and(|session| code.is_some_and(|code| session.0.release(code.code())))
}
