//! Whether libgcc was linked against `_dl_find_object`, as its own headers tell.
//!
//! Asking the unwinder for a frame would tell as well ([`super::probe`]), but it runs code that the process has not used yet: three
//! page faults, a fifth of the time that a first load takes. The list of versions that libgcc needs has been read by the
//! dynamic linker when the process started. `_dl_find_object` came with version `GLIBC_2.35`, and libgcc uses nothing else of that
//! version: so it uses the function if it needs the version.

use super::{LinkMap, find_object};
use crate::os;

/// `Elf64_Dyn` (System V gABI, "Dynamic Section").
#[repr(C)]
struct Dynamic {
    tag: u64,
    value: u64,
}

/// `Elf64_Verneed` and `Elf64_Vernaux` (Linux Standard Base 5.0, core, "Symbol Versioning"). Offsets are from the record itself.
#[repr(C)]
struct Needed {
    version: u16,
    versions_count: u16,
    file: u32,
    versions: u32,
    next: u32,
}

#[repr(C)]
struct NeededVersion {
    hash: u32,
    flags: u16,
    index: u16,
    name: u32,
    next: u32,
}

const DT_NULL: u64 = 0;
const DT_VERNEED: u64 = 0x6fff_fffe;

/// `None` if there is no unwinder (yet); `false` also if it can't be told.
pub(super) fn is_linked_against_find_object() -> Option<bool> {
    let unwinder = os::process_symbol(c"_Unwind_Find_FDE")?;
    let library = find_object::library_at(unwinder.as_ptr());
    // SAFETY: it is the dynamic linker's map of the library that holds the function.
    Some(library.is_some_and(|library| unsafe { needs_version(library, elf_hash(b"GLIBC_2.35")) }))
}

/// The hash of version names (System V gABI, "Hash Table").
fn elf_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, &byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        (hash ^ (hash & 0xf000_0000) >> 24) & 0x0fff_ffff
    })
}

/// # Safety
/// The map is the dynamic linker's, of a library that stays loaded meanwhile.
unsafe fn needs_version(library: *const LinkMap, hash: u32) -> bool {
    // SAFETY: the caller's promise.
    let library = unsafe { &*library };
    // SAFETY: a loaded library's dynamic section ends with DT_NULL.
    let Some(needed) = (unsafe { dynamic_value(library.dynamic.cast(), DT_VERNEED) }) else { return false };
    let mut record = (library.addr as u64).wrapping_add(needed) as *const Needed;
    loop {
        // SAFETY: the list's records lie in the library, each at the offset that the one before tells.
        let needed = unsafe { &*record };
        // SAFETY: the same.
        if unsafe { lists_version(record, needed, hash) } {
            return true;
        }
        if needed.next == 0 {
            return false;
        }
        record = record.wrapping_byte_add(needed.next as usize);
    }
}

unsafe fn lists_version(record: *const Needed, needed: &Needed, hash: u32) -> bool {
    let mut version = record.wrapping_byte_add(needed.versions as usize).cast::<NeededVersion>();
    (0..needed.versions_count).any(|_| {
        // SAFETY: so many versions stand there, each at the offset that the one before tells.
        let this = unsafe { &*version };
        version = version.wrapping_byte_add(this.next as usize);
        this.hash == hash
    })
}

unsafe fn dynamic_value(mut dynamic: *const Dynamic, tag: u64) -> Option<u64> {
    if dynamic.is_null() {
        return None;
    }
    loop {
        // SAFETY: DT_NULL has not been passed.
        let entry = unsafe { &*dynamic };
        if entry.tag == tag {
            return Some(entry.value);
        }
        if entry.tag == DT_NULL {
            return None;
        }
        dynamic = dynamic.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_hashed_as_the_linker_does() {
        // From `readelf -V` of a library and its `.gnu.version_r`.
        for (name, hash) in
            [(&b"GLIBC_2.2.5"[..], 0x0969_1a75), (b"GLIBC_2.35", 0x0696_91b5), (b"GCC_3.0", 0x0b79_2650)]
        {
            assert_eq!(elf_hash(name), hash, "{name:?}");
        }
    }

    #[test]
    fn needed_versions_are_found_in_a_library() {
        let libgcc = os::process_symbol(c"_Unwind_Find_FDE").expect("Rust programs have libgcc");
        let library = find_object::library_at(libgcc.as_ptr()).expect("glibc knows it");
        for (name, expected) in [(&b"GLIBC_2.2.5"[..], true), (b"GLIBC_2.35", true), (b"GLIBC_1.0", false)] {
            // SAFETY: libgcc is never unloaded.
            assert_eq!(unsafe { needs_version(library, elf_hash(name)) }, expected, "{name:?}");
        }
    }
}
