//! Instructions that reach a thread-local variable, rewritten to local exec: the distance from the thread pointer stands in the code.
//!
//! The sequences are those that compilers emit, and what becomes of them, from *ELF Handling For Thread-Local Storage* (section 5, "TLS
//! Relaxations") and the x86-64 psABI ("Thread-Local Storage"). An instruction that is none of these keeps its slot.

use super::{Formula, Ground, Site};

/// A rewrite to local exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalExec {
    /// `data16 lea x@tlsgd(%rip), %rdi` and the call of `__tls_get_addr` → `mov %fs:0, %rax; lea x@tpoff(%rax), %rax`
    General,
    /// `mov x@gottpoff(%rip), %reg` → `mov $x@tpoff, %reg`
    Load,
    /// `add x@gottpoff(%rip), %reg` → `add $x@tpoff, %reg`
    Add,
    /// `lea x@tlsdesc(%rip), %reg` → `mov $x@tpoff, %reg`
    Descriptor,
    /// `call *x@tlscall(%rax)` → `nop`
    DescriptorCall,
}

/// `mov %fs:0, %rax; lea 0(%rax), %rax`
const THREAD_ADDRESS: [u8; 16] = [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x8d, 0x80, 0, 0, 0, 0];
/// What stands in front of the field of the pair, and between it and that of the call.
const GENERAL_START: [u8; 4] = [0x66, 0x48, 0x8d, 0x3d];
/// `data16; data16; rex64 call`, and `data16; rex64 call *` through a slot.
const GENERAL_CALLS: [[u8; 4]; 2] = [[0x66, 0x66, 0x48, 0xe8], [0x66, 0x48, 0xff, 0x15]];
/// Bytes from the pair's field to the call's.
const GENERAL_CALL_DISTANCE: u64 = 8;

impl LocalExec {
    /// What the instruction at the field can become.
    pub(super) fn of(formula: Formula, site: &Site<'_>) -> Option<LocalExec> {
        if site.ground != Ground::Code {
            return None;
        }
        let before = |len| site.offset.checked_sub(len).and_then(|start| site.bytes.get(start..site.offset));
        let behind = |at, len| site.bytes.get(site.offset + at..site.offset + at + len);
        match formula {
            Formula::ThreadPair => {
                let call = GENERAL_CALLS.iter().any(|call| behind(4, 4) == Some(call));
                let whole = before(4) == Some(&GENERAL_START) && call && behind(8, 4).is_some();
                (whole && site.addend == -4).then_some(LocalExec::General)
            }
            Formula::ThreadDistanceSlot if site.addend == -4 => match *before(3)? {
                [0x48 | 0x4c, 0x8b, modrm] if is_rip_relative(modrm) => Some(LocalExec::Load),
                [0x48 | 0x4c, 0x03, modrm] if is_rip_relative(modrm) => Some(LocalExec::Add),
                _ => None,
            },
            Formula::Descriptor if site.addend == -4 => match *before(3)? {
                [0x48 | 0x4c, 0x8d, modrm] if is_rip_relative(modrm) => Some(LocalExec::Descriptor),
                _ => None,
            },
            Formula::DescriptorCall => (behind(0, 2) == Some(&[0xff, 0x10])).then_some(LocalExec::DescriptorCall),
            _ => None,
        }
    }

    /// Offset of another field that the rewrite replaces, for one at `offset`.
    pub(crate) fn swallowed(self, offset: u64) -> Option<u64> {
        (self == LocalExec::General).then(|| offset.saturating_add(GENERAL_CALL_DISTANCE))
    }

    /// Rewrites the instructions around the field at `offset`; `distance` is that of the variable from the thread pointer.
    /// `None` if it does not fit.
    pub(crate) fn apply(self, bytes: &mut [u8], offset: usize, distance: i64) -> Option<()> {
        let field = i32::try_from(distance).ok()?.to_le_bytes();
        match self {
            LocalExec::General => {
                let whole = bytes.get_mut(offset.checked_sub(4)?..offset + 12)?;
                whole.copy_from_slice(&THREAD_ADDRESS);
                whole[12..].copy_from_slice(&field);
            }
            LocalExec::Load | LocalExec::Add | LocalExec::Descriptor => {
                let whole = bytes.get_mut(offset.checked_sub(3)?..offset + 4)?;
                // The register moves from the field `reg` to the field `rm`, and its highest bit from REX.R to REX.B.
                whole[0] = 0x48 | (whole[0] & 4) >> 2;
                whole[1] = if self == LocalExec::Add { 0x81 } else { 0xc7 };
                whole[2] = 0xc0 | whole[2] >> 3 & 7;
                whole[3..].copy_from_slice(&field);
            }
            LocalExec::DescriptorCall => bytes.get_mut(offset..offset + 2)?.copy_from_slice(&[0x66, 0x90]),
        }
        Some(())
    }
}

/// Whether the operand in memory is `field(%rip)`.
fn is_rip_relative(modrm: u8) -> bool {
    modrm & 0xc7 == 0x05
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(bytes: &[u8], offset: usize, addend: i64) -> Site<'_> {
        Site { ground: Ground::Code, bytes, offset, addend, relax: true, static_block: true }
    }

    /// Formula, instructions with the field filled with 9, offset of the field, and what becomes of them at distance -16.
    type Row = (Formula, &'static [u8], usize, Option<&'static [u8]>);

    #[test]
    fn sequences_of_compilers_become_local_exec_and_others_stay() {
        let general: &[u8] = &[0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x8d, 0x80, 0xf0, 0xff, 0xff, 0xff];
        let slot = Formula::ThreadDistanceSlot;
        let rows: &[Row] = &[
            (
                Formula::ThreadPair,
                &[0x66, 0x48, 0x8d, 0x3d, 9, 9, 9, 9, 0x66, 0x66, 0x48, 0xe8, 9, 9, 9, 9],
                4,
                Some(general),
            ),
            (
                Formula::ThreadPair,
                &[0x66, 0x48, 0x8d, 0x3d, 9, 9, 9, 9, 0x66, 0x48, 0xff, 0x15, 9, 9, 9, 9],
                4,
                Some(general),
            ),
            // Without its prefix, as in the large code model; another call; cut off.
            (Formula::ThreadPair, &[0x90, 0x48, 0x8d, 0x3d, 9, 9, 9, 9, 0x66, 0x66, 0x48, 0xe8, 9, 9, 9, 9], 4, None),
            (Formula::ThreadPair, &[0x66, 0x48, 0x8d, 0x3d, 9, 9, 9, 9, 0x90, 0x90, 0x90, 0xe8, 9, 9, 9, 9], 4, None),
            (Formula::ThreadPair, &[0x66, 0x48, 0x8d, 0x3d, 9, 9, 9, 9, 0x66, 0x66, 0x48, 0xe8, 9], 4, None),
            // mov to %rax, %r12; add to %rsp, %r8.
            (slot, &[0x48, 0x8b, 0x05, 9, 9, 9, 9], 3, Some(&[0x48, 0xc7, 0xc0, 0xf0, 0xff, 0xff, 0xff])),
            (slot, &[0x4c, 0x8b, 0x25, 9, 9, 9, 9], 3, Some(&[0x49, 0xc7, 0xc4, 0xf0, 0xff, 0xff, 0xff])),
            (slot, &[0x48, 0x03, 0x25, 9, 9, 9, 9], 3, Some(&[0x48, 0x81, 0xc4, 0xf0, 0xff, 0xff, 0xff])),
            (slot, &[0x4c, 0x03, 0x05, 9, 9, 9, 9], 3, Some(&[0x49, 0x81, 0xc0, 0xf0, 0xff, 0xff, 0xff])),
            // A 32-bit register, another operand, another instruction.
            (slot, &[0x90, 0x8b, 0x05, 9, 9, 9, 9], 3, None),
            (slot, &[0x48, 0x8b, 0x80, 9, 9, 9, 9], 3, None),
            (slot, &[0x48, 0x3b, 0x05, 9, 9, 9, 9], 3, None),
            (
                Formula::Descriptor,
                &[0x48, 0x8d, 0x05, 9, 9, 9, 9],
                3,
                Some(&[0x48, 0xc7, 0xc0, 0xf0, 0xff, 0xff, 0xff]),
            ),
            (Formula::Descriptor, &[0x48, 0x8b, 0x05, 9, 9, 9, 9], 3, None),
            (Formula::DescriptorCall, &[0xff, 0x10], 0, Some(&[0x66, 0x90])),
            (Formula::DescriptorCall, &[0xff, 0x11], 0, None),
            (Formula::ThreadDistance, &[9, 9, 9, 9], 0, None),
        ];
        for &(formula, before, offset, after) in rows {
            let found = LocalExec::of(formula, &site(before, offset, -4));
            assert_eq!(found.is_some(), after.is_some(), "{formula:?} {before:x?}");
            let Some((found, after)) = found.zip(after) else { continue };
            let mut bytes = before.to_vec();
            assert_eq!(found.apply(&mut bytes, offset, -16), Some(()));
            assert_eq!(bytes, after, "{before:x?}");
            assert_eq!(found.apply(&mut bytes, offset, i64::from(i32::MIN) - 1), None);
            assert_eq!(LocalExec::of(formula, &Site { ground: Ground::Data, ..site(before, offset, -4) }), None);
            let other_addend = LocalExec::of(formula, &site(before, offset, 4));
            assert_eq!(other_addend.is_some(), formula == Formula::DescriptorCall, "{before:x?}");
        }
    }
}
