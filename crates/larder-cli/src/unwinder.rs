//! The unwinder, `libgcc_s.so.1`, loaded when something unwinds.
//!
//! Rust's standard library makes every program depend on it, though nothing but a panic or a backtrace uses it. Loading it with each start costs
//! more than all that a start does with an image: its constructor asks the processor ten questions (CPUID), and each traps to the
//! hypervisor in a virtual machine. So the functions that the standard library refers to are defined here: each jumps to where its slot points,
//! and the first that is called loads the library and fills all slots. Stack and arguments are then as its caller left them. A linker leaves out
//! a library that it finds nothing missing for (`--as-needed`, which rustc passes).
//!
//! The definitions are hidden: libraries of the program that runs find the library's own functions, as natively.

use std::arch::global_asm;
use std::ffi::c_void;
use std::io::Write;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Defines functions of the unwinder; each has the slot of its number.
macro_rules! delayed {
    ($($slot:literal $name:literal)*) => {
        const NAMES: [&str; [$($slot),*].len()] = [$(concat!($name, "\0")),*];

        static SLOTS: [AtomicPtr<c_void>; NAMES.len()] = [const { AtomicPtr::new(std::ptr::null_mut()) }; NAMES.len()];

        $(global_asm!(
            concat!(".pushsection .text.", $name, ",\"ax\",@progbits"),
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ",@function"),
            concat!($name, ":"),
            "cmpq $0, {slots}+8*{slot}(%rip)",
            "jne 2f",
            // Five arguments at most; with the return address they leave the stack aligned for a call.
            "push %rdi",
            "push %rsi",
            "push %rdx",
            "push %rcx",
            "push %r8",
            "call {load}",
            "pop %r8",
            "pop %rcx",
            "pop %rdx",
            "pop %rsi",
            "pop %rdi",
            "2: jmp *{slots}+8*{slot}(%rip)",
            concat!(".size ", $name, ", . - ", $name),
            ".popsection",
            slots = sym SLOTS,
            slot = const $slot,
            load = sym load,
            options(att_syntax),
        );)*
    };
}

delayed! {
    0 "_Unwind_Backtrace"
    1 "_Unwind_DeleteException"
    2 "_Unwind_FindEnclosingFunction"
    3 "_Unwind_GetCFA"
    4 "_Unwind_GetDataRelBase"
    5 "_Unwind_GetIP"
    6 "_Unwind_GetIPInfo"
    7 "_Unwind_GetLanguageSpecificData"
    8 "_Unwind_GetRegionStart"
    9 "_Unwind_GetTextRelBase"
    10 "_Unwind_RaiseException"
    11 "_Unwind_Resume"
    12 "_Unwind_SetGR"
    13 "_Unwind_SetIP"
}

/// Fills all slots. Several threads may do so at once, with the same addresses.
extern "C" fn load() {
    // SAFETY: the library is part of the system's C environment; the name ends in NUL.
    let library = unsafe { libc::dlopen(c"libgcc_s.so.1".as_ptr(), libc::RTLD_NOW) };
    for (name, slot) in NAMES.iter().zip(&SLOTS) {
        // SAFETY: a handle of null stands for the whole process, in which nobody has the name; the name ends in NUL.
        let function = unsafe { libc::dlsym(library, name.as_ptr().cast()) };
        if function.is_null() {
            let _ = writeln!(std::io::stderr(), "larder: error: cannot unwind: libgcc_s.so.1 is missing");
            std::process::abort();
        }
        slot.store(function, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{catch_unwind, resume_unwind};

    #[test]
    fn a_panic_loads_the_unwinder_and_is_caught() {
        for number in 0..3 {
            let caught = catch_unwind(|| resume_unwind(Box::new(number))).expect_err("it unwinds");
            assert_eq!(caught.downcast_ref(), Some(&number));
        }
        assert!(SLOTS.iter().all(|slot| !slot.load(Ordering::Relaxed).is_null()));
    }
}
