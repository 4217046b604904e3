//! The functions that stop exceptions on x86-64.

use super::Cxx;
use std::arch::global_asm;
use std::ffi::{c_int, c_void};

/// DWARF's number of the register that a function's result is in: rax.
pub(super) const RESULT: c_int = 0;

// Each calls its first argument with the second and answers 0, or the exception that it stopped, which lands with all registers that it has to
// keep restored. The personality routine is reached through a word, as compilers do it, so that no relocation stands in code.
macro_rules! stopping {
    ($name:literal, $own:literal) => {
        global_asm!(
            concat!(".pushsection .text.", $name, ",\"ax\",@progbits"),
            concat!(".hidden ", $name),
            concat!(".globl ", $name),
            concat!(".type ", $name, ",@function"),
            concat!($name, ":"),
            ".cfi_startproc",
            concat!(".cfi_personality 0x9b, .L", $name, "_personality"),
            concat!(".cfi_lsda 0x1b, .L", $name, "_landing"),
            "endbr64",
            "subq $8, %rsp",
            ".cfi_def_cfa_offset 16",
            "movq %rdi, %rax",
            "movq %rsi, %rdi",
            "callq *%rax",
            "xorl %eax, %eax",
            "1:",
            "addq $8, %rsp",
            ".cfi_def_cfa_offset 8",
            "retq",
            ".cfi_endproc",
            concat!(".size ", $name, ", . - ", $name),
            ".popsection",
            ".pushsection .rodata.larder_landing,\"a\",@progbits",
            ".balign 4",
            concat!(".L", $name, "_landing:"),
            concat!(".long 1b - ", $name),
            concat!(".long ", $own),
            ".popsection",
            ".pushsection .data.rel.ro.larder_personality,\"aw\",@progbits",
            ".balign 8",
            concat!(".L", $name, "_personality:"),
            ".quad {personality}",
            ".popsection",
            personality = sym super::personality,
            options(att_syntax)
        );
    };
}

stopping!("larder_call_stopping_foreign", "0");
stopping!("larder_call_stopping_own", "1");

// Null where the process has no such function.
global_asm!(
    ".pushsection .data.rel.ro.larder_cxx,\"aw\",@progbits",
    ".hidden larder_cxx",
    ".globl larder_cxx",
    ".balign 8",
    "larder_cxx:",
    ".weak __cxa_begin_catch",
    ".quad __cxa_begin_catch",
    ".weak __cxa_end_catch",
    ".quad __cxa_end_catch",
    ".weak __cxa_current_exception_type",
    ".quad __cxa_current_exception_type",
    ".weak __cxa_demangle",
    ".quad __cxa_demangle",
    ".popsection",
);

unsafe extern "C-unwind" {
    pub(super) fn larder_call_stopping_foreign(
        body: unsafe extern "C-unwind" fn(*mut c_void),
        argument: *mut c_void,
    ) -> *mut c_void;
    pub(super) fn larder_call_stopping_own(
        body: unsafe extern "C-unwind" fn(*mut c_void),
        argument: *mut c_void,
    ) -> *mut c_void;
    pub(super) static larder_cxx: Cxx;
}
