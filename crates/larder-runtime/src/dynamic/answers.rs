//! The functions that images get in place of the dynamic linker's.
//!
//! They have the contracts of glibc's (`dlsym(3)`, `dladdr(3)`, `dl_iterate_phdr(3)`). A call that is passed on comes from the host program, so that
//! `RTLD_NEXT` means what it means in a native program: whatever stands behind the program.

use super::{offered, prepare_for_libraries, symbol};
use crate::load::Shared;
use crate::registry::{self, Entry};
use crate::resolve::Address;
use crate::unwind;
use larder_format::image::{Export, export_flags};
use libc::{Dl_info, dl_phdr_info};
use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::Arc;

unsafe extern "C-unwind" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlmopen(namespace: c_long, name: *const c_char, flags: c_int) -> *mut c_void;
    fn dladdr1(address: *const c_void, info: *mut Dl_info, extra: *mut *mut c_void, flags: c_int) -> c_int;
    fn dl_iterate_phdr(visit: Visit, data: *mut c_void) -> c_int;
}

/// Flag of `dladdr1` (`<dlfcn.h>`): the link map is asked for.
const RTLD_DL_LINKMAP: c_int = 2;

/// Answers names that must not be the dynamic linker's.
pub(crate) fn override_of(name: &CStr) -> Option<Address> {
    match name.to_bytes() {
        b"dlopen" => Some(open as *const ()),
        b"dlmopen" => Some(open_apart as *const ()),
        b"dlsym" => Some(look_up as *const ()),
        b"dlvsym" => Some(look_up_version as *const ()),
        b"dladdr" => Some(describe as *const ()),
        b"dladdr1" => Some(describe_more as *const ()),
        b"dl_iterate_phdr" => Some(iterate as *const ()),
        _ => None,
    }
}

unsafe extern "C-unwind" fn open(name: *const c_char, flags: c_int) -> *mut c_void {
    if !name.is_null() {
        prepare_for_libraries();
    }
    // SAFETY: `dlopen`'s contract.
    black_box(unsafe { dlopen(name, flags) })
}

unsafe extern "C-unwind" fn open_apart(namespace: c_long, name: *const c_char, flags: c_int) -> *mut c_void {
    prepare_for_libraries();
    // SAFETY: `dlmopen`'s contract.
    black_box(unsafe { dlmopen(namespace, name, flags) })
}

/// The answer for a handle that stands for the program and all its libraries, if the program has that name itself.
///
/// # Safety
/// `name` is a C string.
unsafe fn own_symbol(handle: *mut c_void, name: *const c_char) -> Option<*mut c_void> {
    // SAFETY: no file is named; the handle of the program is always valid.
    let program = unsafe { libc::dlopen(null(), libc::RTLD_LAZY) };
    if handle != libc::RTLD_DEFAULT && handle != program {
        return None;
    }
    // SAFETY: the caller's promise.
    let address = symbol(unsafe { CStr::from_ptr(name) })?;
    // SAFETY: success leaves no error behind.
    unsafe { libc::dlerror() };
    Some(address.cast_mut().cast())
}

unsafe extern "C" fn look_up(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: `dlsym`'s contract.
    if let Some(own) = unsafe { own_symbol(handle, name) } {
        return own;
    }
    // The dynamic linker must find its caller here and not in the image, so this is no jump.
    // SAFETY: the same.
    black_box(unsafe { libc::dlsym(handle, name) })
}

unsafe extern "C" fn look_up_version(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void {
    // A program's own names have no versions, and are asked for with one in vain.
    // SAFETY: `dlvsym`'s contract.
    black_box(unsafe { libc::dlvsym(handle, name, version) })
}

unsafe extern "C" fn describe(address: *const c_void, info: *mut Dl_info) -> c_int {
    match registry::find(address as usize) {
        // SAFETY: `dladdr`'s contract.
        Some(entry) => unsafe { describe_image(&entry, address, info) },
        // SAFETY: the same.
        None => unsafe { libc::dladdr(address, info) },
    }
}

unsafe extern "C" fn describe_more(
    address: *const c_void,
    info: *mut Dl_info,
    extra: *mut *mut c_void,
    flags: c_int,
) -> c_int {
    let Some(entry) = registry::find(address as usize) else {
        // SAFETY: `dladdr1`'s contract.
        return unsafe { dladdr1(address, info, extra, flags) };
    };
    // An image has a link map, and no symbol table of ELF's in memory.
    let more = if flags == RTLD_DL_LINKMAP { entry.link_map as *mut c_void } else { null_mut() };
    // SAFETY: `dladdr1`'s contract.
    unsafe { extra.write(more) };
    // SAFETY: the same.
    unsafe { describe_image(&entry, address, info) }
}

/// # Safety
/// `info` may be written.
unsafe fn describe_image(entry: &Entry, address: *const c_void, info: *mut Dl_info) -> c_int {
    // SAFETY: the entry is that of an image whose code is calling or known to the caller.
    let Some(image) = (unsafe { Shared::another(entry.shared) }) else { return 0 };
    let offset = (address as usize - entry.start) as u64;
    let name = offered().into_iter().find(|offered| offered.image.base() == entry.start).map(|offered| offered.name);
    let found = export_at(&image, offset);
    let export_name = found.and_then(|export| image.image().c_text(export.name)).map_or(null(), CStr::as_ptr);
    // SAFETY: the image is loaded, and with it its link map.
    let link_map_name = unsafe { unwind::name_of(entry.link_map) };
    let answer = Dl_info {
        dli_fname: name.map_or(link_map_name, |name| name.as_ptr()),
        dli_fbase: entry.start as *mut c_void,
        dli_sname: export_name,
        dli_saddr: found.map_or(null_mut(), |export| (entry.start + export.offset as usize) as *mut c_void),
    };
    // SAFETY: the caller's promise.
    unsafe { info.write(answer) };
    1
}

/// The export that an offset lies in: of several, the one that begins last.
fn export_at(image: &Arc<Shared>, offset: u64) -> Option<Export> {
    let holds = |export: &Export| {
        let inside = offset.checked_sub(export.offset).is_some_and(|distance| distance < export.len.max(1));
        inside && export.flags & export_flags::TLS == 0
    };
    image.image().exports().rows().iter().filter(holds).max_by_key(|export| export.offset)
}

type Visit = unsafe extern "C-unwind" fn(*mut dl_phdr_info, usize, *mut c_void) -> c_int;

/// A caller of `dl_iterate_phdr`.
struct Visitor {
    visit: Visit,
    data: *mut c_void,
}

/// Shows images as the program, and the host as one of the libraries behind it.
unsafe extern "C-unwind" fn iterate(visit: Visit, data: *mut c_void) -> c_int {
    let visitor = Visitor { visit, data };
    // SAFETY: the visitor lives during the call; the rest is `dl_iterate_phdr`'s contract.
    unsafe { dl_iterate_phdr(pass_on, (&raw const visitor).cast_mut().cast()) }
}

unsafe extern "C-unwind" fn pass_on(info: *mut dl_phdr_info, len: usize, visitor: *mut c_void) -> c_int {
    // SAFETY: `iterate` passes it.
    let visitor = unsafe { &*visitor.cast::<Visitor>() };
    // SAFETY: glibc passes a valid description.
    let mut shown = unsafe { info.read() };
    // SAFETY: its name is a C string.
    let is_host = unsafe { *shown.dlpi_name } == 0;
    for offered in offered().iter().filter(|_| is_host) {
        let mut own = shown;
        offered.image.describe_segments(&mut own);
        own.dlpi_name = c"".as_ptr();
        // SAFETY: the caller of `dl_iterate_phdr` gave it for this.
        let answer = unsafe { (visitor.visit)(&raw mut own, len, visitor.data) };
        if answer != 0 {
            return answer;
        }
        shown.dlpi_name = c"/proc/self/exe".as_ptr();
    }
    let mut shown = MaybeUninit::new(shown);
    // SAFETY: the same.
    unsafe { (visitor.visit)(shown.as_mut_ptr(), len, visitor.data) }
}
