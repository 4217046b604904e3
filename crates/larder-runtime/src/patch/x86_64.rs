//! Entries and stubs on x86-64, and what stands between a call and the answer of where it goes.
//!
//! ```text
//! entry:  endbr64 (if it began so), jmp stub
//! stub:   endbr64, jmp *cell(%rip)      the cell leads to `lazy` at first
//! lazy:   endbr64, push $number, jmp header
//! header: push contexts(%rip), jmp *function(%rip)
//! ```
//!
//! So [`entry_of_asking`] finds two words in front of the caller's return address. It changes no register of the caller's, whatever
//! its calling convention, and unwinds as if the caller had called it.

use crate::cpu::x86_64::state::{self, restore_state, save_state};
use larder_format::image::DROP_LEN;
use std::arch::global_asm;

/// An entry is reached directly, and code and stubs are one image's: a `jmp` with 32 bits.
pub(super) const REACH: usize = 1 << 31;
/// Bytes of the header, and of each stub behind it.
pub(super) const STUB_LEN: usize = 32;
/// Where the part of a stub stands that asks.
const LAZY: usize = 16;

const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
const JUMP: u8 = 0xe9;
const JUMP_LEN: usize = DROP_LEN as usize;
const JUMP_INDIRECT: [u8; 2] = [0xff, 0x25];
const PUSH_INDIRECT: [u8; 2] = [0xff, 0x35];
const PUSH: u8 = 0x68;
const BREAKPOINT: u8 = 0xcc;

/// An instruction, its last four bytes the distance from its end to `target`; it stands at the end of `code`, whose first byte has the
/// address `base`.
fn reach(code: &mut Vec<u8>, base: usize, opcode: &[u8], target: usize) {
    let end = base + code.len() + opcode.len() + 4;
    let distance = target.wrapping_sub(end).cast_signed();
    debug_assert!(i32::try_from(distance).is_ok(), "{distance:#x} is near");
    code.extend_from_slice(opcode);
    code.extend_from_slice(&(distance as i32).to_le_bytes());
}

/// The patch of an entry at that address, by the bytes that it may have. `None` if they are too few.
///
/// The mark of a target of indirect branches stays if there is room for it.
pub(super) fn patch(entry: &[u8], address: usize, stub: usize) -> Option<Vec<u8>> {
    let marked = entry.starts_with(&ENDBR64) && entry.len() >= ENDBR64.len() + JUMP_LEN;
    let mut code = if marked { ENDBR64.to_vec() } else { Vec::new() };
    reach(&mut code, address, &[JUMP], stub);
    (code.len() <= entry.len()).then_some(code)
}

/// The header: `words` is the address of the word to push, and behind it of the function.
pub(super) fn header(address: usize, words: usize) -> [u8; STUB_LEN] {
    let mut code = Vec::with_capacity(STUB_LEN);
    reach(&mut code, address, &PUSH_INDIRECT, words);
    reach(&mut code, address, &JUMP_INDIRECT, words + size_of::<usize>());
    whole(code)
}

/// A stub at that address.
pub(super) fn stub(address: usize, number: u32, cell: usize, header: usize) -> [u8; STUB_LEN] {
    let mut code = Vec::with_capacity(STUB_LEN);
    code.extend_from_slice(&ENDBR64);
    reach(&mut code, address, &JUMP_INDIRECT, cell);
    code.resize(LAZY, BREAKPOINT);
    code.extend_from_slice(&ENDBR64);
    code.push(PUSH);
    code.extend_from_slice(&number.to_le_bytes());
    reach(&mut code, address, &[JUMP], header);
    whole(code)
}

fn whole(mut code: Vec<u8>) -> [u8; STUB_LEN] {
    code.resize(STUB_LEN, BREAKPOINT);
    code.first_chunk().copied().unwrap_or([BREAKPOINT; STUB_LEN])
}

/// What a stub's cell holds at first.
pub(super) fn lazy(stub: usize) -> usize {
    stub + LAZY
}

// In front of the return address stand the address of the contexts and the number. The answer takes the number's place until all registers are restored;
// it is then read from below the stack pointer, where signal handlers write nothing (psABI x86-64, "The Stack Frame": the red zone). It is
// jumped to and not returned to, since shadow stacks know nothing of it.
global_asm!(
    ".pushsection .text.larder_ask,\"ax\",@progbits",
    ".hidden larder_ask",
    ".globl larder_ask",
    ".type larder_ask,@function",
    "larder_ask:",
    ".cfi_startproc",
    ".cfi_def_cfa_offset 24",
    "endbr64",
    "pushq %rbp",
    ".cfi_def_cfa_offset 32",
    ".cfi_offset rbp, -32",
    "movq %rsp, %rbp",
    ".cfi_def_cfa_register rbp",
    "pushq %rax",
    "pushq %rcx",
    "pushq %rdx",
    "pushq %rsi",
    "pushq %rdi",
    "pushq %r8",
    "pushq %r9",
    "pushq %r10",
    "pushq %r11",
    "pushq %rbx",
    ".cfi_offset rbx, -112",
    save_state!(),
    "movq 8(%rbp), %rdi",
    "movl 16(%rbp), %esi",
    "cld",
    "call {answer}",
    "movq %rax, 16(%rbp)",
    restore_state!(),
    "leaq -80(%rbp), %rsp",
    "popq %rbx",
    ".cfi_restore rbx",
    "popq %r11",
    "popq %r10",
    "popq %r9",
    "popq %r8",
    "popq %rdi",
    "popq %rsi",
    "popq %rdx",
    "popq %rcx",
    "popq %rax",
    "popq %rbp",
    ".cfi_def_cfa rsp, 24",
    ".cfi_restore rbp",
    "leaq 16(%rsp), %rsp",
    ".cfi_def_cfa_offset 8",
    "jmp *-8(%rsp)",
    ".cfi_endproc",
    ".size larder_ask, . - larder_ask",
    ".popsection",
    answer = sym super::stubs::answer,
    options(att_syntax)
);

unsafe extern "C" {
    fn larder_ask();
}

/// The function that a header jumps to.
pub(super) fn entry_of_asking() -> usize {
    state::prepare();
    larder_ask as *const () as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `llvm-mc-22 --triple=x86_64 --show-encoding`, with the distances worked out by hand.
    #[test]
    fn instructions_are_those_that_an_assembler_makes() {
        let jump = Some(vec![0xe9, 0xfb, 0x0f, 0, 0]);
        assert_eq!((patch(&[0x90; 5], 0x1000, 0x2000), patch(&[0x90; 4], 0x1000, 0x2000)), (jump, None));
        assert_eq!(patch(&[0xf3, 0x0f, 0x1e, 0xfa, 0xc3], 0x2000, 0x1000), Some(vec![0xe9, 0xfb, 0xef, 0xff, 0xff]));
        let marked = patch(&[0xf3, 0x0f, 0x1e, 0xfa, 0x90, 0x90, 0x90, 0x90, 0x90], 0x2000, 0x1000);
        assert_eq!(marked, Some(vec![0xf3, 0x0f, 0x1e, 0xfa, 0xe9, 0xf7, 0xef, 0xff, 0xff]));
        assert_eq!(header(0x1000, 0x2000)[..12], [0xff, 0x35, 0xfa, 0x0f, 0, 0, 0xff, 0x25, 0xfc, 0x0f, 0, 0]);
        let stub = stub(0x1020, 0x0102_0304, 0x2010, 0x1000);
        assert_eq!(stub[..10], [0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 0xe6, 0x0f, 0, 0]);
        let asking = [0xf3, 0x0f, 0x1e, 0xfa, 0x68, 0x04, 0x03, 0x02, 0x01, 0xe9, 0xc2, 0xff, 0xff, 0xff];
        assert_eq!(stub[lazy(0)..][..14], asking);
    }
}
