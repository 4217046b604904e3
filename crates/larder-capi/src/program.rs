//! Programs: inputs as the host describes them, until they are loaded.

use crate::border::{Context, Result, free, get_mut, guarded, slice, text};
use crate::error::larder_error;
use larder::{Input, Program};
use std::ffi::{CStr, c_char, c_void};

/// `larder_program`.
#[derive(Debug, Default)]
pub struct larder_program(Vec<Described>);

/// One input.
#[derive(Debug)]
enum Described {
    File(String),
    Bytes { name: String, bytes: Vec<u8> },
    Keyed { name: String, key: Vec<u8>, build: Build, context: Context },
}

/// `larder_build`.
pub type larder_build = Option<Build>;
type Build = extern "C" fn(*mut c_void, *mut larder_sink);

/// `larder_sink`.
#[derive(Debug)]
pub struct larder_sink(std::result::Result<Vec<u8>, String>);

/// `larder_sink_write`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_sink_write(sink: *mut larder_sink, bytes: *const c_void, len: usize) {
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice(bytes.cast::<u8>(), len, "bytes") };
    // SAFETY: the caller's promise.
    if let Some(sink) = unsafe { sink.as_mut() } {
        sink.0 = match (bytes, &sink.0) {
            (Ok(bytes), Ok(before)) => Ok([before, bytes].concat()),
            (Ok(_), Err(why)) => Err(why.clone()),
            (Err(_), _) => Err("larder_sink_write was given NULL".to_owned()),
        };
    }
}

/// `larder_sink_fail`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_sink_fail(sink: *mut larder_sink, why: *const c_char) {
    let why = match why.is_null() {
        true => "the callback failed".to_owned(),
        // SAFETY: the caller's promise.
        false => unsafe { CStr::from_ptr(why) }.to_string_lossy().into_owned(),
    };
    // SAFETY: the caller's promise.
    if let Some(sink) = unsafe { sink.as_mut() } {
        sink.0 = Err(why);
    }
}

/// `larder_program_new`.
#[unsafe(no_mangle)]
pub extern "C" fn larder_program_new() -> *mut larder_program {
    Box::into_raw(Box::default())
}

/// `larder_program_free`.
///
/// # Safety
/// Null, or this library's and neither freed nor loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_program_free(program: *mut larder_program) {
    // SAFETY: the caller's promise.
    unsafe { free(program) };
}

/// Adds what `describe` describes.
///
/// # Safety
/// As the header says.
unsafe fn add(
    program: *mut larder_program,
    error: *mut *mut larder_error,
    describe: impl FnOnce() -> Result<Described>,
) -> bool {
    let add = || {
        // SAFETY: the caller's promise.
        unsafe { get_mut(program, "program") }?.0.push(describe()?);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, add) }.is_some()
}

/// `larder_program_add_file`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_program_add_file(
    program: *mut larder_program,
    path: *const c_char,
    error: *mut *mut larder_error,
) -> bool {
    // SAFETY: the caller's promise.
    let describe = || Ok(Described::File(unsafe { text(path, "path") }?.to_owned()));
    // SAFETY: the caller's promise.
    unsafe { add(program, error, describe) }
}

/// `larder_program_add_bytes`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_program_add_bytes(
    program: *mut larder_program,
    name: *const c_char,
    bytes: *const c_void,
    len: usize,
    error: *mut *mut larder_error,
) -> bool {
    let describe = || {
        // SAFETY: the caller's promise.
        let name = unsafe { text(name, "name") }?.to_owned();
        // SAFETY: the caller's promise.
        Ok(Described::Bytes { name, bytes: unsafe { slice(bytes.cast::<u8>(), len, "bytes") }?.to_vec() })
    };
    // SAFETY: the caller's promise.
    unsafe { add(program, error, describe) }
}

/// `larder_program_add_keyed`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn larder_program_add_keyed(
    program: *mut larder_program,
    name: *const c_char,
    key: *const c_void,
    key_len: usize,
    build: larder_build,
    context: *mut c_void,
    error: *mut *mut larder_error,
) -> bool {
    let describe = || {
        // SAFETY: the caller's promise.
        let name = unsafe { text(name, "name") }?.to_owned();
        // SAFETY: the caller's promise.
        let key = unsafe { slice(key.cast::<u8>(), key_len, "key") }?.to_vec();
        let null = || larder_error::new(crate::error::Kind::Argument, "build is NULL");
        Ok(Described::Keyed { name, key, build: build.ok_or_else(null)?, context: Context::new(context) })
    };
    // SAFETY: the caller's promise.
    unsafe { add(program, error, describe) }
}

impl larder_program {
    /// The program as it is loaded.
    pub(crate) fn into_program(self) -> Program<'static> {
        self.0.into_iter().map(Described::into_input).collect()
    }
}

impl Described {
    fn into_input(self) -> Input<'static> {
        match self {
            Described::File(path) => Input::file(path),
            Described::Bytes { name, bytes } => Input::bytes(name, bytes),
            Described::Keyed { name, key, build, context } => Input::keyed(name, key, move || {
                let mut sink = larder_sink(Ok(Vec::new()));
                build(context.get(), &raw mut sink);
                sink.0
            }),
        }
    }
}
