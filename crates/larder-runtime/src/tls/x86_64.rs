//! Thread-local storage on x86-64: the thread pointer, the runtime's own thread-local variables, and the functions that generated code calls.
//!
//! Rust has no stable way to place a thread-local variable or to know its distance from the thread pointer, so those two stand here: the
//! thread's table of blocks, and the reserve for a static block. They are reached by TLS descriptors, which the linker of an executable makes
//! constants (psABI x86-64, "TLS Descriptors"), and which change no register but `%rax` anywhere else.

use super::{RawTable, TlsIndex};
use crate::cpu::x86_64::state::{self, restore_state, save_state};
use larder_format::image::STATIC_TLS_ALIGN;
use std::arch::global_asm;

/// What stands in front of the reserve, so that it is found with certainty in the program's template.
pub(super) const MARK: &[u8; 47] = b"larder: reserve for a static thread-local block";
/// Bytes from the mark to the reserve: no less than keeps that aligned.
pub(super) const MARK_LEN: usize = STATIC_TLS_ALIGN as usize;

// The reserve is initialised data even while it holds zeros only: the program's template then has a place for an image's.
global_asm!(
    ".pushsection .tdata.larder_reserve,\"awT\",@progbits",
    ".balign {align}",
    ".hidden larder_tls_reserve",
    ".globl larder_tls_reserve",
    ".type larder_tls_reserve,@object",
    ".size larder_tls_reserve, {mark_len} + {len}",
    "larder_tls_reserve:",
    ".ascii \"larder: reserve for a static thread-local block\"",
    ".zero {mark_len} - {text_len} + {len}",
    ".popsection",
    ".pushsection .tbss.larder_table,\"awT\",@nobits",
    ".balign 16",
    ".hidden larder_tls_table",
    ".globl larder_tls_table",
    ".type larder_tls_table,@object",
    ".size larder_tls_table, 16",
    "larder_tls_table:",
    ".zero 16",
    ".popsection",
    ".pushsection .text.larder_tls,\"ax\",@progbits",
    // Distances from the thread pointer.
    ".hidden larder_tls_reserve_distance",
    ".globl larder_tls_reserve_distance",
    ".type larder_tls_reserve_distance,@function",
    "larder_tls_reserve_distance:",
    ".cfi_startproc",
    "subq $8, %rsp",
    ".cfi_adjust_cfa_offset 8",
    "leaq larder_tls_reserve@tlsdesc(%rip), %rax",
    "call *larder_tls_reserve@tlscall(%rax)",
    "addq $8, %rsp",
    ".cfi_adjust_cfa_offset -8",
    "ret",
    ".cfi_endproc",
    ".size larder_tls_reserve_distance, . - larder_tls_reserve_distance",
    ".hidden larder_tls_table_place",
    ".globl larder_tls_table_place",
    ".type larder_tls_table_place,@function",
    "larder_tls_table_place:",
    ".cfi_startproc",
    "subq $8, %rsp",
    ".cfi_adjust_cfa_offset 8",
    "leaq larder_tls_table@tlsdesc(%rip), %rax",
    "call *larder_tls_table@tlscall(%rax)",
    "addq %fs:0, %rax",
    "addq $8, %rsp",
    ".cfi_adjust_cfa_offset -8",
    "ret",
    ".cfi_endproc",
    ".size larder_tls_table_place, . - larder_tls_table_place",
    // The built-in import: %rdi points at a module number and an offset. The number's low half is a place in the thread's table.
    ".hidden larder_tls_get_addr",
    ".globl larder_tls_get_addr",
    ".type larder_tls_get_addr,@function",
    "larder_tls_get_addr:",
    ".cfi_startproc",
    "subq $8, %rsp",
    ".cfi_adjust_cfa_offset 8",
    "leaq larder_tls_table@tlsdesc(%rip), %rax",
    "call *larder_tls_table@tlscall(%rax)",
    "addq $8, %rsp",
    ".cfi_adjust_cfa_offset -8",
    "movl (%rdi), %ecx",
    "cmpq %fs:8(%rax), %rcx",
    "jae {get_addr_slow}",
    "shlq $4, %rcx",
    "addq %fs:(%rax), %rcx",
    "movq (%rdi), %rdx",
    "cmpq %rdx, (%rcx)",
    "jne {get_addr_slow}",
    "movq 8(%rcx), %rax",
    "addq 8(%rdi), %rax",
    "ret",
    ".cfi_endproc",
    ".size larder_tls_get_addr, . - larder_tls_get_addr",
    // Functions of descriptors: %rax points at the descriptor, the answer is a distance, and no other register changes.
    ".hidden larder_tls_descriptor_static",
    ".globl larder_tls_descriptor_static",
    ".type larder_tls_descriptor_static,@function",
    "larder_tls_descriptor_static:",
    ".cfi_startproc",
    "movq 8(%rax), %rax",
    "ret",
    ".cfi_endproc",
    ".size larder_tls_descriptor_static, . - larder_tls_descriptor_static",
    ".hidden larder_tls_descriptor_dynamic",
    ".globl larder_tls_descriptor_dynamic",
    ".type larder_tls_descriptor_dynamic,@function",
    "larder_tls_descriptor_dynamic:",
    ".cfi_startproc",
    "pushq %rdi",
    ".cfi_adjust_cfa_offset 8",
    "pushq %rcx",
    ".cfi_adjust_cfa_offset 8",
    "pushq %rdx",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_remember_state",
    "movq 8(%rax), %rdi",
    "leaq larder_tls_table@tlsdesc(%rip), %rax",
    "call *larder_tls_table@tlscall(%rax)",
    "movl (%rdi), %ecx",
    "cmpq %fs:8(%rax), %rcx",
    "jae 2f",
    "shlq $4, %rcx",
    "addq %fs:(%rax), %rcx",
    "movq (%rdi), %rdx",
    "cmpq %rdx, (%rcx)",
    "jne 2f",
    "movq 8(%rcx), %rax",
    "addq 8(%rdi), %rax",
    "1: subq %fs:0, %rax",
    "popq %rdx",
    ".cfi_adjust_cfa_offset -8",
    "popq %rcx",
    ".cfi_adjust_cfa_offset -8",
    "popq %rdi",
    ".cfi_adjust_cfa_offset -8",
    "ret",
    // Everything that a function may change is saved: general registers here, all others by the processor (`cpu/x86_64/state.rs`).
    "2: .cfi_restore_state",
    "pushq %rbp",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbp, 0",
    "movq %rsp, %rbp",
    ".cfi_def_cfa_register rbp",
    "pushq %rsi",
    "pushq %r8",
    "pushq %r9",
    "pushq %r10",
    "pushq %r11",
    "pushq %rbx",
    save_state!(),
    "call {get_addr_slow}",
    "movq %rax, %rbx",
    restore_state!(),
    "movq %rbx, %rax",
    "leaq -48(%rbp), %rsp",
    "popq %rbx",
    "popq %r11",
    "popq %r10",
    "popq %r9",
    "popq %r8",
    "popq %rsi",
    "popq %rbp",
    ".cfi_def_cfa rsp, 32",
    ".cfi_restore rbp",
    "jmp 1b",
    ".cfi_endproc",
    ".size larder_tls_descriptor_dynamic, . - larder_tls_descriptor_dynamic",
    ".popsection",
    align = const STATIC_TLS_ALIGN,
    mark_len = const MARK_LEN,
    text_len = const MARK.len(),
    len = const super::reserve::LEN,
    get_addr_slow = sym super::get_addr_slow,
    options(att_syntax)
);

unsafe extern "C" {
    fn larder_tls_reserve_distance() -> isize;
    fn larder_tls_table_place() -> *mut RawTable;
    fn larder_tls_get_addr(index: *const TlsIndex) -> *mut u8;
    fn larder_tls_descriptor_static();
    fn larder_tls_descriptor_dynamic();
}

/// Address that thread-local variables are counted from.
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the psABI keeps the thread pointer itself in the word that it points at.
    unsafe { std::arch::asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, readonly, preserves_flags, pure)) };
    pointer
}

/// Address of the calling thread's copy of the mark and the reserve behind it.
pub(super) fn reserve() -> usize {
    // SAFETY: the function only computes.
    thread_pointer().wrapping_add_signed(unsafe { larder_tls_reserve_distance() })
}

/// The calling thread's table; nulls at first.
pub(super) fn table() -> *mut RawTable {
    // SAFETY: the function only computes.
    unsafe { larder_tls_table_place() }
}

/// Built-in import: the address of the calling thread's variable.
///
/// # Safety
/// `index` points at the number of a live module and an offset in its block.
pub(crate) unsafe extern "C" fn get_addr(index: *const TlsIndex) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { larder_tls_get_addr(index) }
}

/// Its address for generated code.
pub(crate) fn get_addr_entry() -> *const () {
    larder_tls_get_addr as *const ()
}

/// A descriptor's function and its argument.
pub(crate) type Descriptor = (u64, u64);

/// The descriptor of a variable with a distance from the thread pointer that is the same in every thread.
pub(crate) fn static_descriptor(distance: i64) -> Descriptor {
    (larder_tls_descriptor_static as *const () as u64, distance as u64)
}

/// The descriptor of a variable whose pair of module number and offset is at that address.
pub(crate) fn dynamic_descriptor(pair: u64) -> Descriptor {
    state::prepare();
    (larder_tls_descriptor_dynamic as *const () as u64, pair)
}
