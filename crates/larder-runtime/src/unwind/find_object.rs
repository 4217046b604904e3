//! The question every unwinder asks: which object is at this address?
//!
//! `_dl_find_object` is glibc's (`<dlfcn.h>`, since 2.35), made for libgcc. A definition in the program comes first in the dynamic
//! linker's order. A static linker exports ours without being asked if it sees libgcc_s, which refers to the name.
//! Like glibc's, this one takes no lock and may be called from a signal handler.

use super::{LinkMap, libgcc, probe};
use crate::{os, registry};
use std::ffi::{c_int, c_ulonglong, c_void};
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `struct dl_find_object` for architectures without `DLFO_STRUCT_HAS_EH_DBASE` (all 64-bit ones that images exist for).
#[repr(C)]
pub(super) struct Found {
    flags: c_ulonglong,
    map_start: *mut c_void,
    map_end: *mut c_void,
    link_map: *const LinkMap,
    eh_frame_hdr: *mut c_void,
    reserved: [c_ulonglong; 7],
}

const _: () = assert!(size_of::<Found>() == 96, "the size that glibc's ABI gives it");

type FindObject = unsafe extern "C" fn(*mut c_void, *mut Found) -> c_int;

const FOUND: c_int = 0;
const NOT_FOUND: c_int = -1;

/// Tells the object at an address: one of our images, or whatever glibc knows.
///
/// # Safety
/// `found` may be written.
#[cfg_attr(all(target_env = "gnu", not(target_feature = "crt-static")), unsafe(no_mangle))]
pub(super) unsafe extern "C" fn _dl_find_object(address: *mut c_void, found: *mut Found) -> c_int {
    match registry::find(address as usize) {
        // SAFETY: the caller's promise.
        Some(entry) => unsafe { answer(&entry, found) },
        // SAFETY: glibc's function has the same contract.
        None => glibc().map_or(NOT_FOUND, |find| unsafe { find(address, found) }),
    }
}

unsafe fn answer(entry: &registry::Entry, found: *mut Found) -> c_int {
    if entry.eh_frame_hdr == 0 {
        return NOT_FOUND;
    }
    let answer = Found {
        flags: 0,
        map_start: entry.start as *mut c_void,
        map_end: entry.end as *mut c_void,
        link_map: entry.link_map as *const LinkMap,
        eh_frame_hdr: entry.eh_frame_hdr as *mut c_void,
        reserved: [0; 7],
    };
    // SAFETY: the caller's promise.
    unsafe { found.write(answer) };
    FOUND
}

/// glibc's own function. It is looked up before any image is registered, so that signal handlers find it there.
fn glibc() -> Option<FindObject> {
    const UNKNOWN: usize = 0;
    const NONE: usize = 1;
    static ADDRESS: AtomicUsize = AtomicUsize::new(UNKNOWN);
    let mut address = ADDRESS.load(Ordering::Relaxed);
    if address == UNKNOWN {
        address = os::next_symbol(c"_dl_find_object").map_or(NONE, |found| found.as_ptr() as usize);
        ADDRESS.store(address, Ordering::Relaxed);
    }
    // SAFETY: it is glibc's function of that name, whose type its header gives.
    (address != NONE).then(|| unsafe { std::mem::transmute::<usize, FindObject>(address) })
}

/// glibc's link map of the shared library at that address.
pub(super) fn library_at(address: *mut c_void) -> Option<*const LinkMap> {
    let find = glibc()?;
    let mut found = MaybeUninit::uninit();
    // SAFETY: any address may be asked for, and there is room for the answer.
    if unsafe { find(address, found.as_mut_ptr()) } != FOUND {
        return None;
    }
    // SAFETY: glibc has written the answer.
    let found: Found = unsafe { found.assume_init() };
    (!found.link_map.is_null()).then_some(found.link_map)
}

/// Whether the process's unwinder asks us. Found out once.
pub(super) fn is_asked() -> bool {
    static ASKED: OnceLock<bool> = OnceLock::new();
    *ASKED.get_or_init(|| {
        let there_is_one = glibc().is_some();
        let ours = _dl_find_object as *const () as usize;
        let preferred = os::process_symbol(c"_dl_find_object").is_some_and(|found| found.as_ptr() as usize == ours);
        let unwinder_asks = || match libgcc::is_linked_against_find_object() {
            Some(linked) => linked || probe::unwinder_finds_registered_frame() != Some(false),
            // One that comes later is the system's own, made for its glibc.
            None => there_is_one,
        };
        preferred && unwinder_asks()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_objects_are_glibcs() {
        let mut found = MaybeUninit::uninit();
        let here = other_objects_are_glibcs as fn() as *mut c_void;
        // SAFETY: there is room for the answer.
        assert_eq!(unsafe { _dl_find_object(here, found.as_mut_ptr()) }, FOUND);
        // SAFETY: it has been written.
        let found = unsafe { found.assume_init() };
        assert!(found.map_start <= here && here < found.map_end);
        let mut nothing = MaybeUninit::uninit();
        // SAFETY: there is room for the answer.
        assert_eq!(unsafe { _dl_find_object(std::ptr::null_mut(), nothing.as_mut_ptr()) }, NOT_FOUND);
    }
}
