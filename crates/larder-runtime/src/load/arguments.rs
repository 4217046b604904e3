//! What a program is started with.

use crate::os;
use std::ffi::{CString, c_char, c_int};
use std::sync::atomic::AtomicPtr;

/// What initialisers and `main` get, as a new process has it: `argc`, `argv` and the environment.
#[derive(Debug, Clone, Copy)]
pub struct Arguments {
    pub(crate) argc: c_int,
    pub(crate) argv: *mut *mut c_char,
    pub(crate) envp: *mut *mut c_char,
}

impl Arguments {
    /// Lays the arguments out; `argv[0]` is the first. Like those of a process they stay to its end, and code may change them.
    pub fn new(arguments: Vec<CString>) -> Arguments {
        let argc = c_int::try_from(arguments.len()).unwrap_or(c_int::MAX);
        let mut argv: Vec<*mut c_char> = arguments.into_iter().map(CString::into_raw).collect();
        argv.push(std::ptr::null_mut());
        Arguments { argc, argv: argv.leak().as_mut_ptr(), envp: os::environment() }
    }

    /// No arguments, for images that are no programs.
    pub fn none() -> Arguments {
        static END: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());
        Arguments { argc: 0, argv: END.as_ptr(), envp: os::environment() }
    }
}
