//! Exceptions of other languages, C++ as a rule, and panics, where they meet.
//!
//! Rust can't catch what isn't its own: the process would end. So what may throw is called through a frame with a personality routine of its own,
//! which [stops](stop) exceptions before they come to Rust; or through one that stops [Rust's only](catch_own), so that a host's own exceptions
//! pass (Itanium C++ ABI: Exception Handling, Level I).

mod x86_64;

use std::any::Any;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use x86_64::{larder_call_stopping_foreign, larder_call_stopping_own, larder_cxx};

/// `_Unwind_Action`.
const SEARCH_PHASE: c_int = 1;
const HANDLER_FRAME: c_int = 4;
const FORCE_UNWIND: c_int = 8;
/// `_Unwind_Reason_Code`.
const HANDLER_FOUND: c_int = 6;
const INSTALL_CONTEXT: c_int = 7;
const CONTINUE_UNWIND: c_int = 8;

/// Classes of exceptions: a vendor and a language. Releases of Rust differ in the order of the bytes; the last byte of C++'s says more.
const RUST: [u64; 2] = [u64::from_be_bytes(*b"MOZ\0RUST"), u64::from_le_bytes(*b"MOZ\0RUST")];
const CXX: [u64; 2] = [u64::from_be_bytes(*b"GNUCC++\0"), u64::from_be_bytes(*b"CLNGC++\0")];

unsafe extern "C" {
    fn _Unwind_GetLanguageSpecificData(context: *mut c_void) -> *const Landing;
    fn _Unwind_GetRegionStart(context: *mut c_void) -> usize;
    fn _Unwind_SetGR(context: *mut c_void, register: c_int, value: usize);
    fn _Unwind_SetIP(context: *mut c_void, address: usize);
    fn _Unwind_DeleteException(exception: *mut c_void);
    fn free(pointer: *mut c_void);
}

unsafe extern "C-unwind" {
    fn _Unwind_RaiseException(exception: *mut c_void) -> c_int;
}

/// What a function that stops exceptions says to the personality routine.
#[repr(C)]
struct Landing {
    /// Where an exception lands: distance from the function's first byte.
    distance: u32,
    /// 1 if it stops Rust's own, 0 if it stops all others.
    own: u32,
}

/// What C++ offers, if the process has it (Itanium C++ ABI, Level II; the last of it is the demangler).
#[repr(C)]
struct Cxx {
    begin_catch: Option<unsafe extern "C" fn(*mut c_void) -> *mut c_void>,
    end_catch: Option<unsafe extern "C-unwind" fn()>,
    current_type: Option<unsafe extern "C" fn() -> *const TypeInfo>,
    demangle: Option<unsafe extern "C" fn(*const c_char, *mut c_char, *mut usize, *mut c_int) -> *mut c_char>,
}

/// `std::type_info`.
#[repr(C)]
struct TypeInfo {
    table: *const c_void,
    name: *const c_char,
}

/// An exception of another language that was stopped, and destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped(String);

impl fmt::Display for Stopped {
    /// Its type, if it was C++'s.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Calls what may throw exceptions of other languages, and destroys one that comes. Panics pass.
///
/// # Errors
/// What was thrown.
pub fn stop<R>(body: impl FnOnce() -> R) -> Result<R, Stopped> {
    // SAFETY: it was stopped, and nobody else has it.
    through(larder_call_stopping_foreign, body).map_err(|exception| Stopped(unsafe { destroy(exception) }))
}

/// Calls what may panic, and lets exceptions of other languages through.
///
/// # Errors
/// The panic's payload.
pub fn catch_own<R>(body: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    through(larder_call_stopping_own, body).map_err(|exception| {
        let raise = || {
            // SAFETY: it is a panic that was stopped; Rust catches it next.
            unsafe { _Unwind_RaiseException(exception) };
            // There is a frame that catches it, so it doesn't return.
            std::process::abort()
        };
        match catch_unwind(AssertUnwindSafe(raise)) {
            Err(panic) => panic,
            Ok(never) => never,
        }
    })
}

type Through = unsafe extern "C-unwind" fn(unsafe extern "C-unwind" fn(*mut c_void), *mut c_void) -> *mut c_void;

/// Calls `body` through a function that stops exceptions.
fn through<R, B: FnOnce() -> R>(function: Through, body: B) -> Result<R, *mut c_void> {
    struct Call<B, R> {
        body: Option<B>,
        result: Option<R>,
    }
    unsafe extern "C-unwind" fn run<R, B: FnOnce() -> R>(call: *mut c_void) {
        // SAFETY: it is the call below, which nobody else has meanwhile.
        let call = unsafe { &mut *call.cast::<Call<B, R>>() };
        call.result = call.body.take().map(|body| body());
    }
    let mut call = Call::<B, R> { body: Some(body), result: None };
    // SAFETY: the function calls what it is given with what it is given.
    let exception = unsafe { function(run::<R, B>, (&raw mut call).cast()) };
    call.result.ok_or(exception)
}

/// Destroys an exception that was stopped. Says of what type it is.
///
/// # Safety
/// It was stopped, and nobody else has it.
unsafe fn destroy(exception: *mut c_void) -> String {
    // SAFETY: an exception begins with its class.
    let class = unsafe { exception.cast::<u64>().read() };
    // SAFETY: a table that the linker has filled.
    let cxx = unsafe { &larder_cxx };
    if let (true, Cxx { begin_catch: Some(begin), end_catch: Some(end), current_type: Some(current), .. }) =
        (CXX.contains(&(class & !0xff)), cxx)
    {
        // SAFETY: it is an exception of C++ that nobody has caught.
        unsafe { begin(exception) };
        // SAFETY: an exception is being caught.
        let found = unsafe { current() };
        // SAFETY: its type, or null.
        let found = unsafe { found.as_ref() };
        let name = found.map(|found| cxx.name_of(found));
        // SAFETY: it was begun above.
        unsafe { end() };
        return name.unwrap_or_else(|| "an exception of C++".to_owned());
    }
    // SAFETY: the caller's promise.
    unsafe { _Unwind_DeleteException(exception) };
    "an exception of another language".to_owned()
}

impl Cxx {
    fn name_of(&self, found: &TypeInfo) -> String {
        let mut status = 0;
        // SAFETY: a name that the compiler wrote.
        let whole =
            self.demangle.map(|demangle| unsafe { demangle(found.name, null_mut(), null_mut(), &raw mut status) });
        let demangled = whole.filter(|name| !name.is_null());
        // SAFETY: either is a string.
        let name = unsafe { CStr::from_ptr(demangled.map_or(found.name, <*mut c_char>::cast_const)) };
        let name = name.to_string_lossy().into_owned();
        if let Some(demangled) = demangled {
            // SAFETY: the demangler has taken it from `malloc`, for the caller to free.
            unsafe { free(demangled.cast()) };
        }
        name
    }
}

/// Decides about an exception that comes to one of the functions that stop some.
///
/// # Safety
/// The unwinder calls it for those functions.
unsafe extern "C" fn personality(
    _version: c_int,
    actions: c_int,
    class: u64,
    exception: *mut c_void,
    context: *mut c_void,
) -> c_int {
    // SAFETY: the context of one of those functions.
    let landing = unsafe { _Unwind_GetLanguageSpecificData(context) };
    // SAFETY: those functions have such data.
    let landing = unsafe { &*landing };
    // A thread that ends is not stopped.
    if actions & FORCE_UNWIND != 0 || RUST.contains(&class) != (landing.own == 1) {
        return CONTINUE_UNWIND;
    }
    if actions & SEARCH_PHASE != 0 {
        return HANDLER_FOUND;
    }
    if actions & HANDLER_FRAME == 0 {
        return CONTINUE_UNWIND;
    }
    // SAFETY: as above.
    let start = unsafe { _Unwind_GetRegionStart(context) };
    // SAFETY: as above; the landing takes it from this register.
    unsafe { _Unwind_SetGR(context, x86_64::RESULT, exception as usize) };
    // SAFETY: as above; the landing is in that function.
    unsafe { _Unwind_SetIP(context, start + landing.distance as usize) };
    INSTALL_CONTEXT
}
