//! The outermost frame on x86-64.
//!
//! An undefined return address is how `_start` says that nothing called it (DWARF 5, section 6.4.1, "undefined"; the unwinder stops there).

use super::Main;
use std::ffi::{c_char, c_int};

std::arch::global_asm!(
    ".pushsection .text.larder_call_outermost,\"ax\",@progbits",
    ".globl larder_call_outermost",
    ".hidden larder_call_outermost",
    ".type larder_call_outermost,@function",
    "larder_call_outermost:",
    ".cfi_startproc",
    ".cfi_undefined rip",
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "mov rax, rdi",
    "mov edi, esi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "call rax",
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "ret",
    ".cfi_endproc",
    ".size larder_call_outermost, . - larder_call_outermost",
    ".popsection",
);

unsafe extern "C" {
    fn larder_call_outermost(main: Main, argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int;
}

/// # Safety
/// `main` may be called with these arguments.
pub(super) unsafe fn call(main: Main, argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { larder_call_outermost(main, argc, argv, envp) }
}
