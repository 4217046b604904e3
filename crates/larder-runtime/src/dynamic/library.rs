//! Libraries of this process as the dynamic linker has loaded them: their symbols, and the words that it has bound.
//!
//! Read in place, by what the program headers and the dynamic section say (gABI "Program Header", "Dynamic Section"; the hash table is
//! GNU's). What the dynamic linker trusts is trusted here.

use crate::elf::SHN_UNDEF;
use crate::os::{self, Object, Symbol, dt};
use larder_format::image::PAGE;
use std::ffi::{CStr, c_char};

/// A loaded library.
#[derive(Debug)]
pub(super) struct Library {
    object: Object,
    tables: Option<Tables>,
}

/// `Elf64_Rela`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Rela {
    place: usize,
    info: u64,
    addend: isize,
}

/// `p_flags`: code; data.
const PF_X: u32 = 1;
const PF_W: u32 = 2;

/// Relocations that store a symbol's address (psABI x86-64, "Relocation Types").
const ADDRESS: u32 = 1;
const GLOB_DAT: u32 = 6;
const JUMP_SLOT: u32 = 7;

/// A word that the dynamic linker has bound to a symbol.
pub(super) struct BoundWord {
    pub(super) place: usize,
    pub(super) symbol: usize,
    pub(super) addend: isize,
}

/// All that are loaded, in the order of the search; the first is the host program. They are not unloaded while the answer is used.
pub(super) fn libraries() -> Vec<Library> {
    let library = |object| Library { tables: Tables::of(&object), object };
    os::loaded_objects().into_iter().map(library).collect()
}

impl Library {
    /// What tells it from others that are loaded.
    pub(super) fn base(&self) -> usize {
        self.object.base
    }

    /// Its file; empty for the host program.
    pub(super) fn path(&self) -> &CStr {
        self.object.name()
    }

    /// The name that other libraries know it by.
    pub(super) fn name(&self) -> &CStr {
        self.tables.as_ref().map_or(c"", |tables| if tables.soname == 0 { c"" } else { tables.string(tables.soname) })
    }

    /// Whether the address lies in it.
    pub(super) fn holds(&self, address: usize) -> bool {
        self.object.segment(address).is_some()
    }

    /// What an address in it is aligned to on purpose, as far as one can tell.
    pub(super) fn alignment_of(&self, address: usize) -> usize {
        let page = self.object.segment(address).map_or(1, |segment| segment.p_align.max(1) as usize);
        page.min(1 << address.wrapping_sub(self.base()).trailing_zeros().min(usize::BITS - 1))
    }

    /// Whether the program may write there.
    pub(super) fn is_writable(&self, address: usize) -> bool {
        let data = self.object.segment(address).is_some_and(|segment| segment.p_flags & PF_W != 0);
        data && !self.object.relro().contains(&address)
    }

    /// Symbols that the library defines at an address, by the places of their rows.
    pub(super) fn symbols_at(&self, address: usize) -> Vec<(usize, Symbol)> {
        let Some(tables) = &self.tables else { return Vec::new() };
        let is_there = |(_, symbol): &(usize, Symbol)| {
            symbol.section != SHN_UNDEF && self.base().wrapping_add(symbol.value) == address
        };
        (0..tables.symbol_count()).map(|number| tables.symbol(number)).filter(is_there).collect()
    }

    /// Address of what the library itself defines by that name, in the version that new programs get.
    pub(super) fn find(&self, name: &CStr, hash: u32) -> Option<usize> {
        let (_, symbol) = self.tables.as_ref()?.find(name, hash)?;
        Some(self.base().wrapping_add(symbol.value))
    }

    /// Changes the rows of symbols, so that whoever looks for their names finds `address`. `false` if they lie among code, of which no
    /// page is ever writable.
    pub(super) fn move_symbols(&self, rows: &[(usize, Symbol)], address: usize) -> bool {
        let value = address.wrapping_sub(self.base());
        let rights = |row| self.object.segment(row).map_or(PF_X, |segment| segment.p_flags);
        rows.iter().all(|&(row, _)| rights(row) & PF_X == 0)
            && rows.iter().all(|&(row, symbol)| {
                let rights = rights(row);
                let pages = row & !(PAGE as usize - 1)..(row + size_of::<Symbol>()).next_multiple_of(PAGE as usize);
                if rights & PF_W == 0 && os::set_writable(pages.clone(), true).is_err() {
                    return false;
                }
                // SAFETY: the row is in the library's table, and writable now.
                unsafe { (row as *mut Symbol).write_volatile(Symbol { value, ..symbol }) };
                // A page that stays writable is less protected, and no less right.
                let _ = rights & PF_W != 0 || os::set_writable(pages, false).is_ok();
                true
            })
    }

    /// The words that were bound to symbols.
    pub(super) fn bound_words(&self) -> impl Iterator<Item = BoundWord> + '_ {
        let word = |relocation: Rela| {
            let addend = match relocation.info as u32 {
                ADDRESS => relocation.addend,
                GLOB_DAT | JUMP_SLOT => 0,
                _ => return None,
            };
            let (place, symbol) = (self.base().wrapping_add(relocation.place), (relocation.info >> 32) as usize);
            Some(BoundWord { place, symbol, addend })
        };
        self.tables.iter().flat_map(Tables::relocations).filter_map(word)
    }

    /// Name of the symbol of that number; empty for none.
    pub(super) fn symbol_name(&self, symbol: usize) -> &CStr {
        match &self.tables {
            Some(tables) if symbol != 0 => tables.string(tables.symbol(symbol).1.name as usize),
            _ => c"",
        }
    }

    /// Writes words, by their places and new values.
    pub(super) fn bind(&self, words: impl Iterator<Item = (usize, usize)>) {
        let relro = self.object.relro();
        let (sealed, open): (Vec<_>, Vec<_>) = words.partition(|(place, _)| relro.contains(place));
        open.iter().for_each(|&word| write(word));
        if !sealed.is_empty() && os::set_writable(relro.clone(), true).is_ok() {
            sealed.iter().for_each(|&word| write(word));
            // Pages that stay writable are less protected, and no less right.
            let _ = os::set_writable(relro, false);
        }
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
    hash: usize,
    versions: usize,
    /// Offset in the strings.
    soname: usize,
    /// Address and bytes.
    data: (usize, usize),
    calls: (usize, usize),
}

/// Bit of a symbol's version: only programs that ask for it get it (GNU "Symbol Versioning").
const HIDDEN_VERSION: u16 = 0x8000;

/// `DT_GNU_HASH`, as far as it is walked.
struct HashTable {
    first_symbol: u32,
    bucket_count: u32,
    buckets: usize,
    chains: usize,
}

impl Tables {
    /// `None` if the library has no symbols.
    fn of(object: &Object) -> Option<Tables> {
        let mut tables = Tables::default();
        for row in object.dynamic() {
            let address = object.address(row);
            match row.tag {
                dt::STRTAB => tables.strings = address,
                dt::SYMTAB => tables.symbols = address,
                dt::GNU_HASH => tables.hash = address,
                dt::VERSYM => tables.versions = address,
                dt::SONAME => tables.soname = row.value,
                dt::RELA => tables.data.0 = address,
                dt::RELASZ => tables.data.1 = row.value,
                dt::JMPREL => tables.calls.0 = address,
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

    /// A symbol with the place of its row.
    fn symbol(&self, number: usize) -> (usize, Symbol) {
        let place = self.symbols + number * size_of::<Symbol>();
        // SAFETY: numbers come from the library's relocations and its hash table, which name symbols of its table.
        (place, unsafe { (place as *const Symbol).read() })
    }

    fn string(&self, offset: usize) -> &CStr {
        // SAFETY: offsets come from the library's tables and lead to strings of its own.
        unsafe { CStr::from_ptr((self.strings + offset) as *const c_char) }
    }

    fn hash_table(&self) -> Option<HashTable> {
        if self.hash == 0 {
            return None;
        }
        // SAFETY: the table begins with four numbers.
        let [bucket_count, first_symbol, filter_count, _] = unsafe { (self.hash as *const [u32; 4]).read() };
        let buckets = self.hash + 16 + filter_count as usize * 8;
        let chains = buckets + bucket_count as usize * 4;
        Some(HashTable { first_symbol, bucket_count, buckets, chains })
    }

    fn find(&self, name: &CStr, hash: u32) -> Option<(usize, Symbol)> {
        let table = self.hash_table().filter(|table| table.bucket_count > 0)?;
        let mut number = table.bucket(hash % table.bucket_count);
        while number >= table.first_symbol && number != 0 {
            let entry = table.chain(number);
            let (place, symbol) = self.symbol(number as usize);
            let same = (entry ^ hash) >> 1 == 0 && symbol.section != SHN_UNDEF && self.is_current(number as usize);
            if same && self.string(symbol.name as usize) == name {
                return Some((place, symbol));
            }
            number = if entry & 1 == 1 { 0 } else { number + 1 };
        }
        None
    }

    fn is_current(&self, number: usize) -> bool {
        // SAFETY: the table of versions has as many rows as that of symbols.
        self.versions == 0 || unsafe { ((self.versions + number * 2) as *const u16).read() } & HIDDEN_VERSION == 0
    }

    /// One more than the number of the last symbol that the library defines.
    fn symbol_count(&self) -> usize {
        let Some(table) = self.hash_table() else { return 0 };
        let Some(mut last) = (0..table.bucket_count).map(|bucket| table.bucket(bucket)).max() else { return 0 };
        if last < table.first_symbol {
            return 0;
        }
        while table.chain(last) & 1 == 0 {
            last += 1;
        }
        last as usize + 1
    }
}

impl HashTable {
    /// First symbol of a bucket, 0 for none.
    fn bucket(&self, bucket: u32) -> u32 {
        // SAFETY: the table has that many buckets.
        unsafe { ((self.buckets + bucket as usize * 4) as *const u32).read() }
    }

    /// Hash of a symbol, whose lowest bit says that it is the last of its bucket.
    fn chain(&self, symbol: u32) -> u32 {
        // SAFETY: there is a row for each symbol from the first on.
        unsafe { ((self.chains + (symbol - self.first_symbol) as usize * 4) as *const u32).read() }
    }
}
