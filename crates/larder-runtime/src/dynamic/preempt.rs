//! A program's definitions in place of those that its libraries would take.
//!
//! A native program stands first in the search order, so a library that calls `operator new` or `malloc` through the dynamic linker calls the
//! program's, if it defines one. Here the libraries were bound before the image came. So their bindings are made anew: every word of a
//! library that the dynamic linker has filled with a symbol's address (gABI "Relocation"; psABI x86-64: `R_X86_64_64`, `GLOB_DAT`,
//! `JUMP_SLOT`) becomes the address of the image's export of that name, if there is one.
//!
//! What a library hands to itself without the dynamic linker (hidden aliases, `-Bsymbolic`) stays, as natively. The host program keeps its
//! own bindings, and so does the dynamic linker. Libraries that are loaded later find the exports by themselves (see [`super::object`]).

use crate::os;
use larder_format::image::PAGE;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::Range;

/// Binds the libraries of this process to the addresses that `find` knows.
///
/// # Safety
/// The addresses stay valid to the end of the process, and what is there is what the libraries take it to be.
pub(crate) unsafe fn preempt(find: &dyn Fn(&CStr) -> Option<usize>) {
    forget_error();
    let mut libraries: Vec<Library> = Vec::new();
    // SAFETY: the function takes a list of that type, and the call ends before the list does.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut libraries).cast()) };
    // The first is the host program.
    for library in libraries.iter().skip(1) {
        library.bind(find);
    }
}

/// Memory that the C library's allocator gave must not reach another's `free`: the last message of the dynamic linker is such memory, and the
/// second question frees it.
fn forget_error() {
    for _ in 0..2 {
        // SAFETY: the message is not looked at.
        unsafe { libc::dlerror() };
    }
}

/// A loaded library, as far as binding is concerned.
#[derive(Debug)]
struct Library {
    base: usize,
    /// Addresses that the dynamic linker has made read-only when it was done: whole pages.
    relro: Range<usize>,
    dynamic: usize,
}

unsafe extern "C" fn note(info: *mut libc::dl_phdr_info, _size: usize, list: *mut c_void) -> c_int {
    // SAFETY: it is the list that `preempt` passes.
    let list = unsafe { &mut *list.cast::<Vec<Library>>() };
    // SAFETY: the dynamic linker passes a description that is valid during the call.
    let info = unsafe { &*info };
    // SAFETY: it says where the program headers are, and how many.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let base = info.dlpi_addr as usize;
    let find = |kind| headers.iter().find(|header| header.p_type == kind);
    let range = |header: &libc::Elf64_Phdr| {
        let start = base.wrapping_add(header.p_vaddr as usize);
        start..start.wrapping_add(header.p_memsz as usize)
    };
    let dynamic = find(libc::PT_DYNAMIC).map_or(0, |header| range(header).start);
    // As the dynamic linker rounds them.
    let pages = |range: Range<usize>| range.start & !(PAGE as usize - 1)..range.end & !(PAGE as usize - 1);
    list.push(Library { base, relro: find(libc::PT_GNU_RELRO).map_or(0..0, |header| pages(range(header))), dynamic });
    0
}

/// `Elf64_Dyn`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Dynamic {
    tag: i64,
    value: usize,
}

/// `Elf64_Rela`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Rela {
    place: usize,
    info: u64,
    addend: isize,
}

/// `Elf64_Sym`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    len: u64,
}

/// Tags of the dynamic section (gABI, "Dynamic Section").
mod dt {
    pub(super) const NULL: i64 = 0;
    pub(super) const PLTRELSZ: i64 = 2;
    pub(super) const STRTAB: i64 = 5;
    pub(super) const SYMTAB: i64 = 6;
    pub(super) const RELA: i64 = 7;
    pub(super) const RELASZ: i64 = 8;
    pub(super) const JMPREL: i64 = 23;
}

/// Relocations that store a symbol's address (psABI x86-64, "Relocation Types").
const ADDRESS: u32 = 1;
const GLOB_DAT: u32 = 6;
const JUMP_SLOT: u32 = 7;

impl Library {
    fn bind(&self, find: &dyn Fn(&CStr) -> Option<usize>) {
        let Some(tables) = self.tables() else { return };
        let words = tables.relocations().filter_map(|relocation| self.word(&tables, relocation, find));
        let (sealed, open): (Vec<_>, Vec<_>) = words.partition(|(place, _)| self.relro.contains(place));
        open.iter().for_each(|&word| write(word));
        if !sealed.is_empty() && os::set_writable(self.relro.clone(), true).is_ok() {
            sealed.iter().for_each(|&word| write(word));
            // Pages that stay writable are less protected, and no less right.
            let _ = os::set_writable(self.relro.clone(), false);
        }
    }

    /// Place and new value of a relocated word, if it changes.
    fn word(&self, tables: &Tables, relocation: Rela, find: &dyn Fn(&CStr) -> Option<usize>) -> Option<(usize, usize)> {
        let addend = match relocation.info as u32 {
            ADDRESS => relocation.addend,
            GLOB_DAT | JUMP_SLOT => 0,
            _ => return None,
        };
        let address = find(tables.name((relocation.info >> 32) as usize))?;
        Some((self.base.wrapping_add(relocation.place), address.wrapping_add_signed(addend)))
    }

    fn tables(&self) -> Option<Tables> {
        let (mut tables, mut at) = (Tables::default(), self.dynamic);
        if at == 0 {
            return None;
        }
        loop {
            // SAFETY: the section ends with a row of tag NULL, and is read no further.
            let row = unsafe { (at as *const Dynamic).read() };
            // The dynamic linker has replaced offsets by addresses, except where the section is read-only (the system's own object).
            let address = if row.value < self.base { self.base + row.value } else { row.value };
            match row.tag {
                dt::NULL => break,
                dt::STRTAB => tables.strings = address,
                dt::SYMTAB => tables.symbols = address,
                dt::RELA => tables.data.0 = address,
                dt::RELASZ => tables.data.1 = row.value,
                dt::JMPREL => tables.calls.0 = address,
                dt::PLTRELSZ => tables.calls.1 = row.value,
                _ => {}
            }
            at += size_of::<Dynamic>();
        }
        (tables.strings != 0 && tables.symbols != 0).then_some(tables)
    }
}

fn write((place, value): (usize, usize)) {
    // SAFETY: the dynamic linker has written an address there, and whoever called it has made the page writable.
    unsafe { (place as *mut usize).write_volatile(value) };
}

/// Addresses of what a library's dynamic section names.
#[derive(Debug, Default)]
struct Tables {
    strings: usize,
    symbols: usize,
    /// Address and bytes.
    data: (usize, usize),
    calls: (usize, usize),
}

impl Tables {
    fn relocations(&self) -> impl Iterator<Item = Rela> + use<> {
        let rows =
            |(start, len): (usize, usize)| (0..len / size_of::<Rela>()).map(move |row| start + row * size_of::<Rela>());
        let places = rows(self.data).chain(rows(self.calls));
        // SAFETY: the library is loaded, and its dynamic section says that the tables are there.
        places.map(|place| unsafe { (place as *const Rela).read() })
    }

    /// Name of the symbol of that number; empty for none.
    fn name(&self, symbol: usize) -> &'static CStr {
        if symbol == 0 {
            return c"";
        }
        let place = self.symbols + symbol * size_of::<Symbol>();
        // SAFETY: relocations name symbols of the library's table.
        let row = unsafe { (place as *const Symbol).read() };
        let name = (self.strings + row.name as usize) as *const c_char;
        // SAFETY: names are strings of the library's table. Libraries can be unloaded, but not while they are being bound here: see `preempt`'s
        // callers, which run before the program does.
        unsafe { CStr::from_ptr(name) }
    }
}
