//! Tells debuggers of images, so that they find functions, lines and variables of saved code.
//!
//! GDB and LLDB stop at [`__jit_debug_register_code`] and read the list that [`__jit_debug_descriptor`] begins (GDB manual, "JIT
//! Compilation Interface"). Each entry names an ELF file in memory that says where the code's sections are. Ours holds nothing but
//! section headers with their addresses and the place of the image file, which has all the rest: for the debugger it is a
//! program whose debug information is kept apart (`.gnu_debuglink`; GDB manual, "Separate Debug Files"). So the cost of a
//! load doesn't depend on how much debug information there is, nor on how many functions.
//!
//! Other JITs in the process may have a list of their own or share this one: both names are weak.
//!
//! Not done: images that have no file (compiled without a store) are not described; there would be nothing to point at.

use crate::elf::{self, Bytes, sht};
use larder_format::image::{FILE_CRC, Image, Section};
use std::arch::global_asm;
use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering, compiler_fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

global_asm!(
    ".pushsection .text.__jit_debug_register_code,\"ax\",@progbits",
    ".weak __jit_debug_register_code",
    ".type __jit_debug_register_code,@function",
    "__jit_debug_register_code:",
    "ret",
    ".size __jit_debug_register_code, . - __jit_debug_register_code",
    ".popsection",
    ".pushsection .data.__jit_debug_descriptor,\"aw\",@progbits",
    ".weak __jit_debug_descriptor",
    ".type __jit_debug_descriptor,@object",
    ".balign 8",
    "__jit_debug_descriptor:",
    ".long 1",
    ".zero 20",
    ".size __jit_debug_descriptor, 24",
    ".popsection",
);

/// What has happened to [`Descriptor::relevant`] (`jit_actions_t`).
const NOTHING: u32 = 0;
const REGISTERED: u32 = 1;
const UNREGISTERED: u32 = 2;

/// `struct jit_descriptor`.
#[repr(C)]
struct Descriptor {
    version: u32,
    action: AtomicU32,
    relevant: AtomicPtr<Entry>,
    first: AtomicPtr<Entry>,
}

/// `struct jit_code_entry`.
#[repr(C)]
#[derive(Debug)]
struct Entry {
    next: AtomicPtr<Entry>,
    previous: AtomicPtr<Entry>,
    file: *const u8,
    file_len: u64,
}

const _: () =
    assert!(size_of::<Descriptor>() == 24 && size_of::<Entry>() == 32, "the sizes that debuggers take them to have");

unsafe extern "C" {
    static __jit_debug_descriptor: Descriptor;
    fn __jit_debug_register_code();
}

fn descriptor() -> &'static Descriptor {
    // SAFETY: the assembly above defines it, or another JIT with the same layout; all its words are numbers and pointers.
    unsafe { &__jit_debug_descriptor }
}

static LIST: Mutex<()> = Mutex::new(());

fn list() -> MutexGuard<'static, ()> {
    LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps an image described until dropped.
#[derive(Debug)]
pub(crate) struct Described {
    entry: NonNull<Entry>,
    _file: Vec<u8>,
}

// SAFETY: the entry is changed through the list's lock only; the file is not changed.
unsafe impl Send for Described {}
// SAFETY: the same.
unsafe impl Sync for Described {}

impl Described {
    /// Describes the image that is mapped at `base` from that file. `None` if the file has no place that a debugger could open.
    pub(crate) fn new(image: &Image<'_>, base: usize, path: &Path) -> Option<Described> {
        Some(Described::enter(description(image, base as u64, &place(path)?)))
    }

    fn enter(file: Vec<u8>) -> Described {
        let none = || AtomicPtr::new(ptr::null_mut());
        let entry = Entry { next: none(), previous: none(), file: file.as_ptr(), file_len: file.len() as u64 };
        let entry = NonNull::from(Box::leak(Box::new(entry)));
        let _lock = list();
        insert(entry);
        Described { entry, _file: file }
    }
}

impl Drop for Described {
    fn drop(&mut self) {
        let lock = list();
        remove(self.entry);
        drop(lock);
        // SAFETY: it is the box that `enter` leaked, and no list has it any more.
        drop(unsafe { Box::from_raw(self.entry.as_ptr()) });
    }
}

/// What a link of the list leads to. The list is locked.
fn follow(link: &AtomicPtr<Entry>) -> Option<&Entry> {
    // SAFETY: who locks the list finds nothing in it but entries that exist.
    unsafe { link.load(Ordering::Relaxed).as_ref() }
}

/// The list is locked, the entry in no list.
fn insert(entry: NonNull<Entry>) {
    let Descriptor { first, .. } = descriptor();
    // SAFETY: entries live until `Described` is dropped.
    let new = unsafe { entry.as_ref() };
    if let Some(second) = follow(first) {
        second.previous.store(entry.as_ptr(), Ordering::Relaxed);
    }
    new.next.store(first.load(Ordering::Relaxed), Ordering::Relaxed);
    first.store(entry.as_ptr(), Ordering::Relaxed);
    announce(REGISTERED, entry);
}

/// The list is locked, the entry in it.
fn remove(entry: NonNull<Entry>) {
    // SAFETY: entries live until `Described` is dropped.
    let old = unsafe { entry.as_ref() };
    let (next, previous) = (old.next.load(Ordering::Relaxed), old.previous.load(Ordering::Relaxed));
    if let Some(next) = follow(&old.next) {
        next.previous.store(previous, Ordering::Relaxed);
    }
    follow(&old.previous).map_or(&descriptor().first, |previous| &previous.next).store(next, Ordering::Relaxed);
    announce(UNREGISTERED, entry);
}

fn announce(action: u32, entry: NonNull<Entry>) {
    let descriptor = descriptor();
    descriptor.relevant.store(entry.as_ptr(), Ordering::Relaxed);
    descriptor.action.store(action, Ordering::Relaxed);
    // A debugger's breakpoint is there, and it sees what is stored.
    compiler_fence(Ordering::SeqCst);
    // SAFETY: the function does nothing.
    unsafe { __jit_debug_register_code() };
    compiler_fence(Ordering::SeqCst);
    descriptor.action.store(NOTHING, Ordering::Relaxed);
    descriptor.relevant.store(ptr::null_mut(), Ordering::Relaxed);
}

/// Where the debugger finds the file, whatever its own directory. What memory holds goes by a name that is no path.
fn place(path: &Path) -> Option<Cow<'_, Path>> {
    if path.is_absolute() {
        return Some(path.into());
    }
    std::path::absolute(path).ok().filter(|place| place.exists()).map(Cow::Owned)
}

const LINK: &[u8] = b".gnu_debuglink";
const NAMES: &[u8] = b".shstrtab";

/// The ELF file that stands for the image (System V gABI, "ELF Header", "Sections"): headers, `.gnu_debuglink`, names.
fn description(image: &Image<'_>, base: u64, place: &Path) -> Vec<u8> {
    let sections = image.sections();
    let name_of = |section: &Section| image.text(section.name).unwrap_or_default();
    let names = || sections.iter().map(|section| name_of(&section)).chain([LINK, NAMES]);
    // The first section is none, and its name is empty.
    let count = 1 + sections.len() + 2;
    let names_len = names().fold(1, |len, name| len + name.len() + 1);
    let link_at = elf::HEADER_LEN + count * elf::SECTION_LEN;
    let link_len = (place.as_os_str().len() + 1).next_multiple_of(4) + size_of_val(&FILE_CRC);
    let mut file = Bytes(Vec::with_capacity(link_at + link_len + names_len));
    file.file_header(0, count as u16).no_section();
    let mut name = 1;
    let mut add = |name_len: usize, kind, flags, place, len| {
        file.section(name, kind, flags, place, len);
        name += name_len as u32 + 1;
    };
    for section in sections.iter() {
        let name_len = name_of(&section).len();
        let Section { offset, len, flags, name: _, kind: _ } = section;
        add(name_len, sht::NOBITS, flags, (base.wrapping_add(offset), 0), len);
    }
    add(LINK.len(), sht::PROGBITS, 0, (0, link_at), link_len as u64);
    add(NAMES.len(), sht::STRTAB, 0, (0, link_at + link_len), names_len as u64);
    let mut file = file.0;
    add_debug_link(&mut file, place, link_at + link_len);
    file.push(0);
    for name in names() {
        file.extend_from_slice(name);
        file.push(0);
    }
    file
}

/// File name, padding, CRC-32 of the file, up to `end`.
fn add_debug_link(file: &mut Vec<u8>, place: &Path, end: usize) {
    file.extend_from_slice(place.as_os_str().as_bytes());
    file.resize(end - size_of_val(&FILE_CRC), 0);
    file.extend_from_slice(&FILE_CRC.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter::successors;

    /// The entries' addresses, from both ends of the list.
    fn walk() -> (Vec<*const Entry>, Vec<*const Entry>) {
        let _lock = list();
        let forward = successors(follow(&descriptor().first), |entry| follow(&entry.next));
        let forward: Vec<_> = forward.map(ptr::from_ref).collect();
        let last = successors(follow(&descriptor().first), |entry| follow(&entry.next)).last();
        (forward, successors(last, |entry| follow(&entry.previous)).map(ptr::from_ref).collect())
    }

    #[test]
    fn the_list_has_what_is_described_and_nothing_else() {
        let mut all: Vec<Described> = (0..5).map(|_| Described::enter(Vec::new())).collect();
        for removed in [2, 0, 2, 0, 0] {
            let (forward, mut backward) = walk();
            backward.reverse();
            assert_eq!(forward, backward, "both directions agree");
            let expected: Vec<_> = all.iter().rev().map(|described| described.entry.as_ptr().cast_const()).collect();
            assert_eq!(forward, expected, "the newest is the first");
            drop(all.remove(removed));
        }
        assert!(walk().0.is_empty());
    }

    #[test]
    fn the_descriptor_is_of_the_version_that_debuggers_read() {
        assert_eq!(descriptor().version, 1);
    }
}
