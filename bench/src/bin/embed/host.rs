//! What the host has: libraries, names, objects.

use std::ffi::CString;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use larder::{Code, CompileOptions, Larder, Module, Program, Session, Settings, StorePlace};

/// The type of the functions that are called.
pub(crate) type Function = extern "C" fn(i64) -> i64;
/// Under this key there is something that is loaded before the clock starts.
pub(crate) const WARM_UP: &str = "warm_up";
/// Functions of the host, `host_0` and so on, if it has any.
const FUNCTION_COUNT: usize = 1000;

/// What code reads through a pointer.
pub(crate) static CELL: i64 = 42;

extern "C" fn host_double(x: i64) -> i64 {
    2 * x
}

/// Loads libraries, named with commas between them, whose names everything sees that is loaded later.
pub(crate) fn open_libraries(libraries: &str) -> Result<()> {
    libraries
        .split(',')
        .filter(|library| !library.is_empty())
        .try_for_each(|library| open_library(library, libc::RTLD_NOW | libc::RTLD_GLOBAL).map(drop))
}

/// Loads a library.
pub(crate) fn open_library(library: &str, flags: i32) -> Result<*mut libc::c_void> {
    let path = CString::new(library)?;
    // SAFETY: the path is a C string. The library's initialisers run; the bench made the library itself, or it is the system's.
    let handle = unsafe { libc::dlopen(path.as_ptr(), flags) };
    ensure!(!handle.is_null(), "dlopen fails: {library}");
    Ok(handle)
}

/// What a library, or the process for a null handle, has by that name.
pub(crate) fn symbol(handle: *mut libc::c_void, name: &str) -> Option<*const ()> {
    let name = CString::new(name).ok()?;
    // SAFETY: the handle is open or null, and the name is a C string.
    let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
    (!found.is_null()).then_some(found.cast_const().cast())
}

/// A session on that store, with the host's names and objects.
pub(crate) fn session(store: &Path) -> Session {
    let mut settings = Settings::default();
    settings.store = StorePlace::Dir(store.to_owned());
    let session = Session::new(Larder::open(settings));
    session.use_process_symbols().define("host_double", host_double as *const ());
    let names: Vec<String> = (0..FUNCTION_COUNT).map(|index| format!("host_{index}")).collect();
    let here = std::ptr::null_mut();
    session.define_all(names.iter().filter_map(|name| Some((name.as_str(), symbol(here, name)?))));
    let cell = std::ptr::from_ref(&CELL).cast();
    session.define_object("cell", cell, 1).define_object("common", cell, 1).define_object("lonely", cell, 1);
    session
}

/// Loads what is saved under that key.
pub(crate) fn load(session: &Session, key: &str) -> Result<Code> {
    compile(session, Module::keyed(key, key.as_bytes(), || Err::<Vec<u8>, _>("it is not saved")))
}

/// Loads a program, which may be compiled.
pub(crate) fn compile<'a>(session: &Session, program: impl Into<Program<'a>>) -> Result<Code> {
    // SAFETY: the programs are the bench's own, and the host's names are what they take them for.
    Ok(unsafe { session.load_or_compile(program, &CompileOptions::default()) }?)
}

/// A function of loaded code.
pub(crate) fn function<'c>(code: &'c Code, name: &str) -> Result<larder::runtime::Function<'c, Function>> {
    // SAFETY: all functions of the bench's modules have this type, or are only looked up.
    unsafe { code.function(name) }.context("no such function")
}

/// Prints what something took.
pub(crate) fn tell(name: &str, number: f64) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{name} {number}")?)
}

/// The middle of a sample.
pub(crate) fn median(mut sample: Vec<f64>) -> f64 {
    sample.sort_by(f64::total_cmp);
    sample.get(sample.len() / 2).copied().unwrap_or(f64::NAN)
}
