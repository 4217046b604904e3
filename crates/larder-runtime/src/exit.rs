//! What an image has asked to be called later: at exit, at its unloading, at the end of a thread.
//!
//! The C library keeps these lists, each handler with an *owner*, for which C++ code passes the address of its object's
//! `__dso_handle`. An image's owner is its own `__dso_handle`, or its first byte if it has none. Its finalisers are put into the same
//! list before its initialisers run: so they come after everything that the image registers, whether the process exits or
//! the image is dropped, and never twice.
//!
//! Four names are answered here instead of by the dynamic linker. `atexit`, `at_quick_exit` and `pthread_atfork` are not in `libc.so`:
//! programs get them from its static part, with their own `__dso_handle`. `__cxa_thread_atexit` would let an image be unmapped while a
//! thread has destructors of it to run; here each of them keeps the image.

use crate::load::Shared;
use crate::os;
use crate::registry;
use crate::resolve::Address;
use larder_format::image::ImageHeader;
use std::ffi::{CStr, c_int, c_void};
use std::sync::Arc;

/// A function without parameters that somebody wants called later.
pub(crate) type Handler = unsafe extern "C-unwind" fn();
type Destructor = unsafe extern "C-unwind" fn(*mut c_void);

unsafe extern "C" {
    fn __cxa_at_quick_exit(handler: Option<Handler>, owner: *mut c_void) -> c_int;
    fn __cxa_thread_atexit_impl(destructor: Destructor, object: *mut c_void, owner: *mut c_void) -> c_int;
    fn __register_atfork(
        prepare: Option<Handler>,
        parent: Option<Handler>,
        child: Option<Handler>,
        owner: *mut c_void,
    ) -> c_int;
    /// This object's own name in those lists; the linker makes one for each program and library.
    static __dso_handle: u8;
}

/// What an image is called in the lists; never 0, which would stand for everybody.
pub(crate) fn owner(base: usize, header: &ImageHeader) -> usize {
    base + header.dso_handle as usize
}

/// Answers names that must not be the C library's.
pub(crate) fn override_of(name: &CStr) -> Option<Address> {
    match name.to_bytes() {
        b"__cxa_thread_atexit" | b"__cxa_thread_atexit_impl" => Some(thread_atexit as *const ()),
        _ => None,
    }
}

/// Answers names that programs get from the static part of the C library.
pub(crate) fn missing_from_libc(name: &CStr) -> Option<Address> {
    match name.to_bytes() {
        b"atexit" => Some(atexit as *const ()),
        b"at_quick_exit" => Some(at_quick_exit as *const ()),
        b"pthread_atfork" => Some(pthread_atfork as *const ()),
        _ => None,
    }
}

/// The owner of a handler, by its address: the image it is part of, or nobody in particular.
fn owner_of(handler: Option<Handler>) -> usize {
    handler.and_then(|handler| registry::find(handler as usize)).map_or(0, |entry| entry.owner)
}

unsafe extern "C" fn atexit(handler: Option<Handler>) -> c_int {
    let Some(handler) = handler else { return -1 };
    // SAFETY: a handler without parameters may be called with one by the C calling conventions of Linux; glibc's `atexit` does so.
    let taking_one = unsafe { std::mem::transmute::<Handler, os::ExitHandler>(handler) };
    // SAFETY: the caller of `atexit` says that the handler may be called at exit.
    let done = unsafe { os::at_exit(taking_one, std::ptr::null_mut(), owner_of(Some(handler))) };
    if done { 0 } else { -1 }
}

unsafe extern "C" fn at_quick_exit(handler: Option<Handler>) -> c_int {
    // SAFETY: the caller says that the handler may be called at exit.
    unsafe { __cxa_at_quick_exit(handler, owner_of(handler) as *mut c_void) }
}

unsafe extern "C" fn pthread_atfork(
    prepare: Option<Handler>,
    parent: Option<Handler>,
    child: Option<Handler>,
) -> c_int {
    let owner = owner_of(prepare.or(parent).or(child));
    // SAFETY: the caller says that the handlers may be called at fork.
    unsafe { __register_atfork(prepare, parent, child, owner as *mut c_void) }
}

/// A destructor of a thread-local object, and the image it keeps loaded.
struct Kept {
    destructor: Destructor,
    object: *mut c_void,
    _image: Option<Arc<Shared>>,
}

/// Takes what C++ passes for a `thread_local` with a destructor (Itanium C++ ABI, "Thread-local storage").
unsafe extern "C" fn thread_atexit(destructor: Destructor, object: *mut c_void, owner: *mut c_void) -> c_int {
    let entry = registry::find(owner as usize).or_else(|| registry::find(destructor as usize));
    let image = entry.filter(|entry| entry.shared != 0).and_then(|entry| {
        // SAFETY: the entry is that of an image whose code is calling, so the registry's `Weak` to its state exists.
        unsafe { Shared::another(entry.shared) }
    });
    let kept = Box::into_raw(Box::new(Kept { destructor, object, _image: image }));
    // SAFETY: `destroy` takes the box back; the owner is the object that `destroy` is part of.
    unsafe { __cxa_thread_atexit_impl(destroy, kept.cast(), (&raw const __dso_handle).cast_mut().cast()) }
}

unsafe extern "C-unwind" fn destroy(kept: *mut c_void) {
    // SAFETY: it is the box that `thread_atexit` made.
    let kept = unsafe { Box::from_raw(kept.cast::<Kept>()) };
    // SAFETY: whoever registered the destructor says that it may be called with the object.
    unsafe { (kept.destructor)(kept.object) };
}

/// Finalisers, in the order they are called (System V gABI, "Initialization and Termination Functions").
pub(crate) type Finalisers = Vec<Handler>;

/// Has the finalisers called when the owner is finalised or the process exits. `false` if there is no memory for it.
///
/// # Safety
/// They may be called then.
pub(crate) unsafe fn finalise_later(finalisers: Finalisers, owner: usize) -> bool {
    if finalisers.is_empty() {
        return true;
    }
    let argument = Box::into_raw(Box::new(finalisers));
    // SAFETY: `call_finalisers` takes the box back; the rest is the caller's promise.
    unsafe { os::at_exit(call_finalisers, argument.cast(), owner) }
}

unsafe extern "C-unwind" fn call_finalisers(finalisers: *mut c_void) {
    // SAFETY: it is the box that `finalise_later` made.
    let finalisers = unsafe { Box::from_raw(finalisers.cast::<Finalisers>()) };
    for finaliser in *finalisers {
        // SAFETY: `finalise_later`'s contract.
        unsafe { finaliser() };
    }
}
