//! Runs an image as a program: what `main` may expect of the process around it.
//!
//! A Rust program has changed its process before its own `main` begins, and a program that is run inside of it would notice:
//! SIGPIPE is ignored, and handlers for SIGSEGV and SIGBUS run on a stack of their own. [`restore_signal_defaults`] takes that back.
//! What it can't know is whether SIGPIPE was ignored by whoever started the process; a command whose `main` is C's
//! (`#![no_main]`) never loses that, and needs none of this.
//!
//! An exception that `main` lets through must end the process as it would natively: `std::terminate`, SIGABRT. The unwinder decides so
//! when it finds no handler up to the outermost frame; so `main` is called by a frame that says it is the outermost.

use crate::load::{Arguments, Loaded};
use std::ffi::{c_char, c_int, c_void};

#[cfg(target_arch = "x86_64")]
#[path = "program/x86_64.rs"]
mod outermost;

/// `int main(int, char **, char **)`.
pub(crate) type Main = unsafe extern "C-unwind" fn(c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;

/// Calls the image's `entry`, as a rule `main`, and answers its value; `None` if the image exports no function of that name. The caller
/// passes the value to the C library's `exit`, which runs exit handlers and writes out what stdio holds back; the image must
/// still be loaded then ([`Loaded::leak`]).
///
/// # Safety
/// As for [`Sealed::initialise`](crate::Sealed::initialise); and the export has the type of C's `main`.
pub unsafe fn run_main(image: &Loaded, entry: &str, arguments: &Arguments) -> Option<i32> {
    // SAFETY: the caller's promise.
    let main = unsafe { image.function::<Main>(entry) }?;
    // SAFETY: the caller's promise.
    Some(unsafe { outermost::call(*main, arguments.argc, arguments.argv, arguments.envp) })
}

/// A function of the image that [`Threads::start`] runs.
type ThreadEntry = unsafe extern "C-unwind" fn();

/// Threads that run functions of an image beside its `main`.
#[derive(Debug, Default)]
pub struct Threads(Vec<libc::pthread_t>);

unsafe extern "C" {
    fn pthread_create(
        thread: *mut libc::pthread_t,
        attributes: *const c_void,
        start: unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> c_int;
}

/// They are the C library's threads and not Rust's: a program may end them by `pthread_exit` or by a foreign exception.
unsafe extern "C-unwind" fn run_thread(entry: *mut c_void) -> *mut c_void {
    // SAFETY: `Threads::start` passes the address of such a function.
    let entry = unsafe { std::mem::transmute::<*mut c_void, ThreadEntry>(entry) };
    // SAFETY: its contract.
    unsafe { entry() };
    std::ptr::null_mut()
}

impl Threads {
    /// Starts a thread that calls the image's export; `Ok(false)` if the image exports no function of that name.
    ///
    /// # Errors
    /// The system starts no more threads.
    ///
    /// # Safety
    /// As for [`run_main`]; and the export has the type `void (void)`.
    pub unsafe fn start(&mut self, image: &'static Loaded, entry: &str) -> std::io::Result<bool> {
        // SAFETY: the caller's promise.
        let Some(function) = (unsafe { image.function::<ThreadEntry>(entry) }) else { return Ok(false) };
        let mut thread = 0;
        // SAFETY: the function is that of an image that is never unloaded, and `thread` is written.
        let status = unsafe { pthread_create(&raw mut thread, std::ptr::null(), run_thread, *function as *mut c_void) };
        if status != 0 {
            return Err(std::io::Error::from_raw_os_error(status));
        }
        self.0.push(thread);
        Ok(true)
    }

    /// Waits for all of them to end.
    pub fn join(self) {
        for thread in self.0 {
            // SAFETY: the thread was started by `start` and is joined once.
            unsafe { libc::pthread_join(thread, std::ptr::null_mut()) };
        }
    }
}

/// Lets this process, and what it starts, write no core files.
pub fn disable_core_files() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is read.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

/// Takes back what Rust's standard library has changed for signals: see the [module](self).
pub fn restore_signal_defaults() {
    for signal in [libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default action replaces one of Rust's own.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let none = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: no handler is left that would run on the alternative stack.
    unsafe { libc::sigaltstack(&raw const none, std::ptr::null_mut()) };
}
