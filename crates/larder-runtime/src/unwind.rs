//! Lets exceptions and panics cross the frames of images.
//!
//! An unwinder has to find the unwind table of the object that an address belongs to. libgcc (from gcc 12 on, with glibc 2.35 or later)
//! asks `_dl_find_object`; this crate [defines that function](find_object), knows its own images and passes all other questions on
//! to glibc. So telling the unwinder of an image is one entry in [`crate::registry`], whatever the number of its functions.
//!
//! That works where the dynamic linker prefers our definition: in programs, and in libraries that stand before libc in the search order.
//! It is found out once per process, by [what libgcc was linked against](libgcc) or by [asking the unwinder](probe) for a frame that only
//! we know. Where it doesn't work (another unwinder, an
//! older libgcc, a library loaded late), [frames] are registered in the unwinder's own list, which costs time with each of them.

use crate::load::Shared;
use crate::registry::{self, Entry};
use larder_format::image::ImageHeader;
use std::ffi::{CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Weak;

mod find_object;
mod frames;
mod libgcc;
mod probe;

/// Whether the unwinder of this process asks us for frames: then loading costs the same for any number of functions.
pub fn unwinds_in_constant_time() -> bool {
    find_object::is_asked()
}

/// What names the shared library at that address to the dynamic linker; `None` if none is there.
pub(crate) fn library_at(address: *mut c_void) -> Option<usize> {
    find_object::library_at(address).map(|map| map as usize)
}

/// The file that a link map of ours names.
///
/// # Safety
/// The address is that of the link map of an image that is loaded as long as the name is used.
pub(crate) unsafe fn name_of(link_map: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { (*(link_map as *const LinkMap)).name }
}

/// What a link map tells to those who read it (`<link.h>`; the members that are public).
#[repr(C)]
#[derive(Debug)]
struct LinkMap {
    addr: usize,
    name: *const c_char,
    dynamic: *const c_void,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// Keeps an image known to the unwinder until dropped. The order of the fields is the order of the undoing.
#[derive(Debug)]
pub(crate) struct Known {
    _frames: Option<frames::Frames>,
    _registration: registry::Registration,
    _link_map: Box<LinkMap>,
    _shared: Weak<Shared>,
    _name: CString,
}

// SAFETY: the link map's pointers are to memory that `Known` owns and nobody changes.
unsafe impl Send for Known {}
// SAFETY: the same.
unsafe impl Sync for Known {}

/// Makes an image known: which addresses it has, and how they are unwound.
///
/// # Safety
/// From `base`, an image of that header is mapped, and stays so until the answer is dropped.
pub(crate) unsafe fn make_known(
    base: usize,
    header: &ImageHeader,
    path: &Path,
    owner: usize,
    shared: Weak<Shared>,
) -> Known {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    let none = std::ptr::null();
    let link_map =
        Box::new(LinkMap { addr: base, name: name.as_ptr(), dynamic: none, next: none.cast(), previous: none.cast() });
    let addresses = registry::addresses(base, header.mem_len);
    let has_table = header.eh_frame_hdr.len > 0;
    let registration = registry::Registration::new(Entry {
        start: addresses.start,
        end: addresses.end,
        eh_frame_hdr: if has_table { base + header.eh_frame_hdr.offset as usize } else { 0 },
        link_map: std::ptr::from_ref(&*link_map) as usize,
        owner,
        shared: shared.as_ptr() as usize,
    });
    let needs_frames = header.eh_frame.len > 0 && !(has_table && find_object::is_asked());
    let eh_frame = base + header.eh_frame.offset as usize;
    // SAFETY: the records are part of the image, which outlives them by the caller's promise.
    let frames = if needs_frames { unsafe { frames::Frames::register(eh_frame) } } else { None };
    Known { _frames: frames, _registration: registration, _link_map: link_map, _shared: shared, _name: name }
}
