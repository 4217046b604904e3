//! Keeps the registers beyond the general ones while something is called that its caller knows nothing of.
//!
//! `xsave` writes all that the processor has and the system has enabled (Intel SDM volume 1, chapter 13), but for the protection keys: they
//! are the thread's, not the caller's.

use crate::cpu::host_features;
use crate::os;
use larder_format::cpu::CpuFeatures;
use std::arch::global_asm;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Instructions that save the state on the stack, which they align. The register that holds the end of the general registers' place is
/// the caller's to keep; `%rax`, `%rcx` and `%rdx` are overwritten. Numeric labels 8 and 9 are used.
macro_rules! save_state {
    () => {
        "movq larder_state_len(%rip), %rcx
        testq %rcx, %rcx
        je 8f
        subq %rcx, %rsp
        andq $-64, %rsp
        xorl %eax, %eax
        movq %rax, 512(%rsp)
        movq %rax, 520(%rsp)
        movq %rax, 528(%rsp)
        movq %rax, 536(%rsp)
        movq %rax, 544(%rsp)
        movq %rax, 552(%rsp)
        movq %rax, 560(%rsp)
        movq %rax, 568(%rsp)
        movl $0xfffffdff, %eax
        movl $-1, %edx
        xsave64 (%rsp)
        jmp 9f
        8: subq $512, %rsp
        andq $-16, %rsp
        fxsave64 (%rsp)
        9:"
    };
}

/// Instructions that restore what [`save_state`] saved: the stack is as it was then. The same registers and labels.
macro_rules! restore_state {
    () => {
        "cmpq $0, larder_state_len(%rip)
        je 8f
        movl $0xfffffdff, %eax
        movl $-1, %edx
        xrstor64 (%rsp)
        jmp 9f
        8: fxrstor64 (%rsp)
        9:"
    };
}

pub(crate) use {restore_state, save_state};

global_asm!(
    ".pushsection .bss.larder_state_len,\"aw\",@nobits",
    ".balign 8",
    ".hidden larder_state_len",
    ".globl larder_state_len",
    ".type larder_state_len,@object",
    ".size larder_state_len, 8",
    "larder_state_len:",
    ".zero 8",
    ".popsection",
);

unsafe extern "C" {
    /// Bytes of the state; 0 if the processor has no `xsave`, but the registers of `fxsave` only.
    static larder_state_len: AtomicUsize;
}

/// Finds out how long the state is. To be called before the instructions run.
pub(crate) fn prepare() {
    // SAFETY: it is an aligned word that is only used as such.
    unsafe { &larder_state_len }.store(len(), Ordering::Relaxed);
}

/// Intel SDM volume 1, section 13.2: leaf 0DH tells how long the area is for what the system has enabled. It is asked only if the system doesn't
/// tell, since CPUID takes microseconds in virtual machines.
fn len() -> usize {
    static LEN: OnceLock<usize> = OnceLock::new();
    *LEN.get_or_init(|| {
        let has_xsave = CpuFeatures::from_names(["xsave"]).is_ok_and(|xsave| xsave.without(host_features()).is_empty());
        if !has_xsave {
            return 0;
        }
        let len = os::state_len_max().unwrap_or_else(|| std::arch::x86_64::__cpuid_count(0xd, 0).ebx as usize);
        len.next_multiple_of(64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_enough_bytes() {
        let needed = std::arch::x86_64::__cpuid_count(0xd, 0).ebx as usize;
        assert!(len() >= needed && len() <= needed + 8192, "{} for {needed}", len());
    }
}
