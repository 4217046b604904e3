//! ELF files that are made in memory, for debuggers and the dynamic linker.
//!
//! Names, numbers and layouts are those of the System V gABI, for 64 bits and little-endian machines.

use crate::os::{Dynamic, Symbol, dt};
use larder_format::image::{EM_X86_64, ET_DYN, PAGE};

/// Bytes of the file header.
pub(crate) const HEADER_LEN: usize = 64;
/// Bytes of a program header.
const SEGMENT_LEN: usize = 56;
/// Bytes of a section header.
pub(crate) const SECTION_LEN: usize = 64;
const DYNAMIC_LEN: usize = size_of::<Dynamic>();
/// Bytes of a symbol.
pub(crate) const SYMBOL_LEN: usize = size_of::<Symbol>();

/// `sh_type`.
pub(crate) mod sht {
    pub(crate) const PROGBITS: u32 = 1;
    pub(crate) const STRTAB: u32 = 3;
    /// A section without bytes in the file.
    pub(crate) const NOBITS: u32 = 8;
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_GNU_STACK: u32 = 0x6474_e551;
const READ_WRITE: u32 = 6;

/// `st_shndx`: the name is not defined, or a number as it stands.
pub(crate) const SHN_UNDEF: u16 = 0;
pub(crate) const SHN_ABS: u16 = 0xfff1;

/// Bytes of a file that grow.
#[derive(Debug, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    /// A file header. Program headers follow it, section headers follow those; the last section holds their names.
    pub(crate) fn file_header(&mut self, segment_count: u16, section_count: u16) -> &mut Bytes {
        let segments_at = if segment_count > 0 { HEADER_LEN as u64 } else { 0 };
        let sections_at = if section_count > 0 { HEADER_LEN + usize::from(segment_count) * SEGMENT_LEN } else { 0 };
        self.0.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        self.u16(ET_DYN).u16(EM_X86_64).u32(1).u64(0).u64(segments_at).u64(sections_at as u64).u32(0);
        self.u16(HEADER_LEN as u16).u16(SEGMENT_LEN as u16).u16(segment_count);
        self.u16(SECTION_LEN as u16).u16(section_count).u16(section_count.saturating_sub(1))
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Bytes {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// The header of no section, which is the first.
    pub(crate) fn no_section(&mut self) -> &mut Bytes {
        self.0.extend([0; SECTION_LEN]);
        self
    }

    /// A section header; `place` is its address and its offset in the file.
    pub(crate) fn section(&mut self, name: u32, kind: u32, flags: u32, place: (u64, usize), len: u64) -> &mut Bytes {
        self.u32(name).u32(kind).u64(u64::from(flags)).u64(place.0).u64(place.1 as u64).u64(len);
        self.u32(0).u32(0).u64(1).u64(0)
    }

    /// A symbol.
    pub(crate) fn symbol(&mut self, symbol: &Symbol) -> &mut Bytes {
        self.u32(symbol.name).0.extend([symbol.info, symbol.other]);
        self.u16(symbol.section).u64(symbol.value as u64).u64(symbol.len)
    }

    fn segment(&mut self, kind: u32, start: usize, len: usize, align: u64) -> &mut Bytes {
        let (start, len) = (start as u64, len as u64);
        self.u32(kind).u32(READ_WRITE).u64(start).u64(start).u64(start).u64(len).u64(len).u64(align)
    }
}

/// A shared object without code. It has one segment, writable because dynamic linkers of old write into the dynamic section.
#[derive(Debug, Default)]
pub(crate) struct SharedObject {
    /// Symbols, from the second on in the order of the buckets of `hash`; the first is empty.
    pub(crate) symbols: Vec<u8>,
    /// `DT_GNU_HASH`.
    pub(crate) hash: Vec<u8>,
    /// Names, each with a NUL behind it.
    pub(crate) strings: Vec<u8>,
    /// Offsets in `strings` of the libraries that it needs.
    pub(crate) needed: Vec<usize>,
    /// Address of a function that is called before any initialiser of what is loaded with it (`DF_1_INITFIRST`).
    pub(crate) first: Option<usize>,
}

/// `DT_FLAGS_1`: the object's initialisers run before all others.
const DF_1_INITFIRST: usize = 0x20;

impl SharedObject {
    /// The file.
    pub(crate) fn file(&self) -> Vec<u8> {
        const SEGMENT_COUNT: usize = 3;
        let first = self.first.map_or(Vec::new(), |first| first.to_le_bytes().to_vec());
        let dynamic_at = HEADER_LEN + SEGMENT_COUNT * SEGMENT_LEN;
        let entry_count = 6 + self.needed.len() + if first.is_empty() { 0 } else { 3 };
        let first_at = dynamic_at + entry_count * DYNAMIC_LEN;
        let symbols_at = first_at + first.len();
        let hash_at = symbols_at + self.symbols.len();
        let strings_at = hash_at + self.hash.len();
        let len = strings_at + self.strings.len();
        let mut entries: Vec<(i64, usize)> = self.needed.iter().map(|&name| (dt::NEEDED, name)).collect();
        if !first.is_empty() {
            entries.extend([
                (dt::INIT_ARRAY, first_at),
                (dt::INIT_ARRAYSZ, first.len()),
                (dt::FLAGS_1, DF_1_INITFIRST),
            ]);
        }
        entries.extend([
            (dt::GNU_HASH, hash_at),
            (dt::STRTAB, strings_at),
            (dt::SYMTAB, symbols_at),
            (dt::STRSZ, self.strings.len()),
            (dt::SYMENT, SYMBOL_LEN),
            (dt::NULL, 0),
        ]);
        let mut file = Bytes::default();
        file.file_header(SEGMENT_COUNT as u16, 0);
        file.segment(PT_LOAD, 0, len, PAGE);
        file.segment(PT_DYNAMIC, dynamic_at, entry_count * DYNAMIC_LEN, 8);
        file.segment(PT_GNU_STACK, 0, 0, 16);
        for (tag, value) in entries {
            file.u64(tag.cast_unsigned()).u64(value as u64);
        }
        file.0.extend([&first[..], &self.symbols, &self.hash, &self.strings].concat());
        file.0
    }
}
