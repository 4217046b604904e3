//! A made-up frame that only the registry knows: whether the unwinder finds it tells whether it asks us.
//!
//! The bytes are an `.eh_frame_hdr` with a table of one row, an `.eh_frame` with one CIE and one FDE, and sixteen bytes that stand for
//! code and are never run (Linux Standard Base 5.0, core, "Exception Frames").

use crate::os;
use crate::registry::{Entry, Registration};
use std::ffi::c_void;

const CIE: usize = 20;
const FDE: usize = CIE + 4 + CIE_LEN;
const CIE_LEN: usize = 20;
const FDE_LEN: usize = 20;
const END: usize = FDE + 4 + FDE_LEN;
const CODE: usize = END + 4;
const CODE_LEN: usize = 16;

/// pc-relative, signed, 4 bytes.
const PCREL_SDATA4: u8 = 0x1b;
/// Unsigned, 4 bytes.
const UDATA4: u8 = 0x03;
/// Relative to the table's start, signed, 4 bytes.
const DATAREL_SDATA4: u8 = 0x3b;

static PROBE: [u8; CODE + CODE_LEN] = probe();

const fn put(mut bytes: [u8; CODE + CODE_LEN], at: usize, number: i32) -> [u8; CODE + CODE_LEN] {
    let number = number.to_le_bytes();
    let mut index = 0;
    while index < number.len() {
        bytes[at + index] = number[index];
        index += 1;
    }
    bytes
}

const fn probe() -> [u8; CODE + CODE_LEN] {
    let mut bytes = put([0; _], 0, i32::from_le_bytes([1, PCREL_SDATA4, UDATA4, DATAREL_SDATA4]));
    bytes = put(bytes, 4, (CIE - 4) as i32);
    bytes = put(bytes, 8, 1);
    bytes = put(bytes, 12, CODE as i32);
    bytes = put(bytes, 16, FDE as i32);
    bytes = put(bytes, CIE, CIE_LEN as i32);
    // Version 1, augmentation "zR", code alignment 1, data alignment -8, return address in column 16, addresses as PCREL_SDATA4.
    let augmented = [1, b'z', b'R', 0, 1, 0x78, 16, 1, PCREL_SDATA4];
    let mut index = 0;
    while index < augmented.len() {
        bytes[CIE + 8 + index] = augmented[index];
        index += 1;
    }
    bytes = put(bytes, FDE, FDE_LEN as i32);
    bytes = put(bytes, FDE + 4, (FDE + 4 - CIE) as i32);
    bytes = put(bytes, FDE + 8, CODE as i32 - (FDE as i32 + 8));
    put(bytes, FDE + 12, CODE_LEN as i32)
}

/// `struct dwarf_eh_bases` of libgcc's `unwind-dw2-fde.h`.
#[repr(C)]
struct Bases {
    text: *mut c_void,
    data: *mut c_void,
    function: *mut c_void,
}

/// Asks the unwinder for the code's FDE.
fn unwinder_finds_frame() -> Option<bool> {
    let find = os::process_symbol(c"_Unwind_Find_FDE")?;
    // SAFETY: this is the type that libgcc and LLVM's libunwind give this function.
    let find = unsafe {
        std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void, *mut Bases) -> *const c_void>(
            find.as_ptr(),
        )
    };
    let null = std::ptr::null_mut();
    let mut bases = Bases { text: null, data: null, function: null };
    // SAFETY: any address may be asked for, and there is room for the answer.
    let fde = unsafe { find(PROBE.as_ptr().wrapping_add(CODE).cast_mut().cast(), &raw mut bases) };
    Some(std::ptr::eq(fde.cast(), &raw const PROBE[FDE]))
}

/// Whether an entry of the registry reaches the unwinder; `None` if the process has no unwinder (yet).
pub(super) fn unwinder_finds_registered_frame() -> Option<bool> {
    let hdr = PROBE.as_ptr() as usize;
    let code = hdr + CODE;
    let entry = Entry { start: code, end: code + CODE_LEN, eh_frame_hdr: hdr, ..Entry::default() };
    let _registered = Registration::new(entry);
    unwinder_finds_frame()
}

#[cfg(test)]
mod tests {
    use super::super::frames::Frames;
    use super::*;

    /// In one test, since the frame must be unknown between the steps.
    #[test]
    fn the_frame_is_found_while_it_is_registered() {
        assert_eq!(unwinder_finds_frame(), Some(false));
        assert_eq!(unwinder_finds_registered_frame(), Some(true));
        assert!(super::super::find_object::is_asked());
        assert_eq!(unwinder_finds_frame(), Some(false));
        // SAFETY: the records are static.
        let frames = unsafe { Frames::register(PROBE.as_ptr() as usize + CIE) };
        assert_eq!(unwinder_finds_frame(), Some(true));
        drop(frames);
        assert_eq!(unwinder_finds_frame(), Some(false));
    }
}
