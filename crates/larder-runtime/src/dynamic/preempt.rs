//! A program's definitions in place of those that its libraries would take.
//!
//! A native program stands first in the search order, so a library that calls `operator new` or `malloc` through the dynamic linker calls the
//! program's, if it defines one. Here the libraries were bound before the image came. So their bindings are made anew: every word of a
//! library that the dynamic linker has filled with a symbol's address (gABI "Relocation"; psABI x86-64: `R_X86_64_64`, `GLOB_DAT`,
//! `JUMP_SLOT`) becomes the address of the image's export of that name, if there is one.
//!
//! What a library hands to itself without the dynamic linker (hidden aliases, `-Bsymbolic`) stays, as natively. The host program keeps its
//! own bindings, and so does the dynamic linker. Libraries that are loaded later find the exports by themselves (see [`super::object`]).

use crate::os::{self, Object, Symbol, dt};
use std::ffi::{CStr, c_char};

/// Binds the libraries of this process to the addresses that `find` knows.
///
/// # Safety
/// The addresses stay valid to the end of the process, and what is there is what the libraries take it to be.
pub(crate) unsafe fn preempt(find: &dyn Fn(&CStr) -> Option<usize>) {
    forget_error();
    // The first is the host program.
    for library in os::loaded_objects().iter().skip(1) {
        bind(library, find);
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

/// `Elf64_Rela`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Rela {
    place: usize,
    info: u64,
    addend: isize,
}

/// Relocations that store a symbol's address (psABI x86-64, "Relocation Types").
const ADDRESS: u32 = 1;
const GLOB_DAT: u32 = 6;
const JUMP_SLOT: u32 = 7;

fn bind(library: &Object, find: &dyn Fn(&CStr) -> Option<usize>) {
    let Some(tables) = Tables::of(library) else { return };
    let words = tables.relocations().filter_map(|relocation| word(library, &tables, relocation, find));
    let relro = library.relro();
    let (sealed, open): (Vec<_>, Vec<_>) = words.partition(|(place, _)| relro.contains(place));
    open.iter().for_each(|&word| write(word));
    if !sealed.is_empty() && os::set_writable(relro.clone(), true).is_ok() {
        sealed.iter().for_each(|&word| write(word));
        // Pages that stay writable are less protected, and no less right.
        let _ = os::set_writable(relro, false);
    }
}

/// Place and new value of a relocated word, if it changes.
fn word(
    library: &Object,
    tables: &Tables,
    relocation: Rela,
    find: &dyn Fn(&CStr) -> Option<usize>,
) -> Option<(usize, usize)> {
    let addend = match relocation.info as u32 {
        ADDRESS => relocation.addend,
        GLOB_DAT | JUMP_SLOT => 0,
        _ => return None,
    };
    let address = find(tables.name((relocation.info >> 32) as usize))?;
    Some((library.base.wrapping_add(relocation.place), address.wrapping_add_signed(addend)))
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
    /// `None` if the library has no symbols.
    fn of(library: &Object) -> Option<Tables> {
        let mut tables = Tables::default();
        for row in library.dynamic() {
            match row.tag {
                dt::STRTAB => tables.strings = library.address(row),
                dt::SYMTAB => tables.symbols = library.address(row),
                dt::RELA => tables.data.0 = library.address(row),
                dt::RELASZ => tables.data.1 = row.value,
                dt::JMPREL => tables.calls.0 = library.address(row),
                dt::PLTRELSZ => tables.calls.1 = row.value,
                _ => {}
            }
        }
        (tables.strings != 0 && tables.symbols != 0).then_some(tables)
    }

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
