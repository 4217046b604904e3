//! What the objects hold, in flat tables that all passes index.
//!
//! A section or symbol has one number for the whole link, not one per object: `first of the object + index in the object`. The first
//! entry of each object's tables is ELF's null entry, so the numbers need no further mapping. Names and contents stay in the objects'
//! bytes; nothing is copied.
//!
//! Passes that make up sections and symbols (common symbols, `__dso_handle`) append to the tables.

use larder_format::cpu::CpuFeatures;
use object::LittleEndian;
use object::elf::Rela64;
use std::borrow::Cow;

mod property;
mod read;

pub(crate) use property::GNU_PROPERTY_X86_FEATURE_1_AND;
pub use read::read_mentions;
pub(crate) use read::read_objects;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $letter:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) u32);

        impl $name {
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of a table's entry; tables hold fewer than 2³² entries, which reading the objects makes sure of.
            pub(crate) fn from_index(index: usize) -> Self {
                $name(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}
pub(crate) use id;

id!(
    /// Index of an object, in the order they were given.
    ObjectId, "o"
);
id!(
    /// Index in [`Inputs::sections`].
    SectionId, "s"
);
impl SectionId {
    /// The null section of the first object, which is the place of nothing.
    pub(crate) const NULL: SectionId = SectionId(0);
}

id!(
    /// Index in [`Inputs::symbols`].
    SymbolId, "y"
);
id!(
    /// Index in [`Inputs::groups`].
    GroupId, "g"
);

/// A relocation as it stands in an object.
pub(crate) type Rela = Rela64<LittleEndian>;

/// All objects of a link.
#[derive(Debug, Default)]
pub(crate) struct Inputs<'a> {
    pub(crate) objects: Vec<ObjectFile<'a>>,
    pub(crate) sections: Vec<Section<'a>>,
    pub(crate) symbols: Vec<Symbol<'a>>,
    pub(crate) groups: Vec<Group<'a>>,
    /// Sections of compressed debug information, which were left out.
    pub(crate) compressed_debug_count: usize,
    /// What objects say that they need.
    pub(crate) features: CpuFeatures,
}

/// One object.
#[derive(Debug)]
pub(crate) struct ObjectFile<'a> {
    /// For error messages.
    pub(crate) name: &'a str,
    /// Number of the input that it was made from.
    pub(crate) module: u32,
    /// [`promise`] bits.
    pub(crate) promises: u32,
}

/// What all code of an object promises (`GNU_PROPERTY_X86_FEATURE_1_AND`).
pub(crate) mod promise {
    /// Indirect branches lead to `endbr64` only.
    pub(crate) const IBT: u32 = 1;
    /// Calls and returns match.
    pub(crate) const SHSTK: u32 = 2;
}

/// What becomes of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Tables of the object file itself, and sections that only static linkers read.
    Nothing,
    /// Part of the running image.
    Loaded,
    /// `.eh_frame`: taken apart into records.
    Unwind,
    /// DWARF and `.comment`: kept in the file, not loaded.
    Debug,
    /// `.larder.uses` and `.larder.fallbacks`: what this linker is told of guards.
    Guards,
}

/// `sh_type` and `sh_flags` values that passes ask for (gABI "Sections", psABI x86-64 "Sections").
pub(crate) mod sh {
    pub(crate) const PROGBITS: u32 = 1;
    pub(crate) const SYMTAB: u32 = 2;
    pub(crate) const STRTAB: u32 = 3;
    pub(crate) const RELA: u32 = 4;
    pub(crate) const NOTE: u32 = 7;
    pub(crate) const NOBITS: u32 = 8;
    pub(crate) const REL: u32 = 9;
    pub(crate) const INIT_ARRAY: u32 = 14;
    pub(crate) const FINI_ARRAY: u32 = 15;
    pub(crate) const PREINIT_ARRAY: u32 = 16;
    pub(crate) const GROUP: u32 = 17;
    pub(crate) const CREL: u32 = 0x4000_0014;
    pub(crate) const X86_64_UNWIND: u32 = 0x7000_0001;

    pub(crate) const WRITE: u64 = 1;
    pub(crate) const ALLOC: u64 = 2;
    pub(crate) const EXECINSTR: u64 = 4;
    pub(crate) const MERGE: u64 = 0x10;
    pub(crate) const STRINGS: u64 = 0x20;
    pub(crate) const LINK_ORDER: u64 = 0x80;
    pub(crate) const TLS: u64 = 0x400;
    pub(crate) const COMPRESSED: u64 = 0x800;
    pub(crate) const GNU_RETAIN: u64 = 0x20_0000;
    pub(crate) const LARGE: u64 = 0x1000_0000;
    pub(crate) const EXCLUDE: u64 = 0x8000_0000;
}

/// A section of an object, or one that a pass made up.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) object: ObjectId,
    pub(crate) name: &'a [u8],
    pub(crate) role: Role,
    /// `sh_type`.
    pub(crate) kind: u32,
    /// `sh_flags`.
    pub(crate) flags: u64,
    /// A power of two.
    pub(crate) align: u64,
    pub(crate) entry_len: u64,
    pub(crate) len: u64,
    /// `len` bytes, or none of a section that holds only zeros.
    pub(crate) data: &'a [u8],
    /// Sorted by offset; every symbol exists.
    pub(crate) relocs: Cow<'a, [Rela]>,
    /// Added to a relocation's symbol index.
    pub(crate) symbols_first: u32,
    /// The section that this one describes (`SHF_LINK_ORDER`).
    pub(crate) described: Option<SectionId>,
    pub(crate) group: Option<GroupId>,
}

impl Section<'_> {
    pub(crate) fn is(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Whether it may be farther from the code than 32 bits can tell.
    pub(crate) fn is_far(&self) -> bool {
        self.is(sh::LARGE) && !self.is(sh::EXECINSTR)
    }

    pub(crate) fn is_zeros(&self) -> bool {
        self.kind == sh::NOBITS
    }

    /// Its relocations, sorted by offset.
    pub(crate) fn relocs(&self) -> impl ExactSizeIterator<Item = Reloc> + '_ {
        self.relocs_in(0..self.relocs.len())
    }

    /// Those of its relocations that have these numbers.
    pub(crate) fn relocs_in(&self, range: std::ops::Range<usize>) -> impl ExactSizeIterator<Item = Reloc> + '_ {
        let first = self.symbols_first;
        self.relocs.get(range).unwrap_or_default().iter().map(move |rela| Reloc::of(rela, first))
    }

    /// Numbers of the relocations with `start <= offset < end`.
    pub(crate) fn reloc_range(&self, start: u64, end: u64) -> std::ops::Range<usize> {
        let before = |limit: u64| self.relocs.partition_point(|rela| rela.r_offset.get(LittleEndian) < limit);
        let first = before(start);
        first..before(end).max(first)
    }
}

/// A relocation, decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reloc {
    pub(crate) offset: u64,
    /// `R_X86_64_*`.
    pub(crate) kind: u32,
    pub(crate) symbol: SymbolId,
    pub(crate) addend: i64,
}

impl Reloc {
    #[inline]
    fn of(rela: &Rela, symbols_first: u32) -> Reloc {
        Reloc {
            offset: rela.r_offset.get(LittleEndian),
            kind: rela.r_type(LittleEndian, false).0,
            symbol: SymbolId(symbols_first.wrapping_add(rela.r_sym(LittleEndian, false))),
            addend: rela.r_addend.get(LittleEndian),
        }
    }
}

/// Where a symbol is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere in this object.
    Undefined,
    /// A number, not an address.
    Absolute,
    /// Wherever the linker finds room: far from the code, if it says so (`SHN_X86_64_LCOMMON`).
    Common { large: bool },
    /// At `value` in that section.
    Section(SectionId),
    /// At a place that the layout knows.
    Linker(LinkerSymbol),
    /// A weak name that only this image could have defined: null.
    Null,
}

/// Names that programs use without defining them, since linkers always have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkerSymbol {
    /// First byte of the image.
    ImageStart,
    /// Just behind the code.
    TextEnd,
    /// Just behind the initialised data.
    DataEnd,
    /// First byte of the zeros.
    BssStart,
    /// Just behind everything.
    ImageEnd,
    /// `_GLOBAL_OFFSET_TABLE_`: the import slots.
    Got,
    /// First byte of `.eh_frame_hdr`.
    UnwindTable,
    /// First byte of `.eh_frame`.
    UnwindStart,
    /// An empty list: the loader runs initialisers, a program that runs them itself finds none.
    EmptyList,
    /// First byte of the thread's block, from which TLS descriptors of local variables count.
    ThreadBlock,
    /// First byte of the sections that have the same name as this one.
    Start(SectionId),
    /// Just behind them.
    Stop(SectionId),
}

/// Symbol bindings, weakest first is not implied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    Local,
    Global,
    /// Weak, or unique to the process (`STB_GNU_UNIQUE`), which here gives way in the same manner.
    Weak,
}

/// Symbol visibilities; a greater one hides more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Visibility {
    Default,
    Protected,
    Hidden,
}

/// Symbol types that matter to passes (`STT_*`).
pub(crate) mod stt {
    pub(crate) const OBJECT: u8 = 1;
    pub(crate) const FUNC: u8 = 2;
    pub(crate) const SECTION: u8 = 3;
    pub(crate) const FILE: u8 = 4;
    pub(crate) const TLS: u8 = 6;
    pub(crate) const GNU_IFUNC: u8 = 10;
}

/// A symbol of an object.
#[derive(Debug, Clone)]
pub(crate) struct Symbol<'a> {
    pub(crate) object: ObjectId,
    pub(crate) name: &'a [u8],
    pub(crate) place: Place,
    /// Offset in the section, number, or alignment of a common symbol.
    pub(crate) value: u64,
    pub(crate) len: u64,
    /// `STT_*`.
    pub(crate) kind: u8,
    pub(crate) binding: Binding,
    pub(crate) visibility: Visibility,
}

impl Symbol<'_> {
    pub(crate) fn is_thread_local(&self) -> bool {
        self.kind == stt::TLS
    }

    /// Whether it means what the code at its place answers when the image is loaded.
    pub(crate) fn is_indirect(&self) -> bool {
        self.kind == stt::GNU_IFUNC
    }
}

/// Sections that live or die together; of several with the same signature, one is kept.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) signature: &'a [u8],
    /// Whether only the first group of this signature is kept.
    pub(crate) comdat: bool,
    pub(crate) members: Vec<SectionId>,
}

impl<'a> Inputs<'a> {
    pub(crate) fn section(&self, id: SectionId) -> &Section<'a> {
        &self.sections[id.index()]
    }

    pub(crate) fn symbol(&self, id: SymbolId) -> &Symbol<'a> {
        &self.symbols[id.index()]
    }

    /// The [`promise`] bits that all objects have.
    pub(crate) fn promises(&self) -> u32 {
        let all = self.objects.iter().map(|object| object.promises).reduce(|all, promises| all & promises);
        all.unwrap_or_default()
    }

    /// Appends a section that a pass made up.
    pub(crate) fn add_section(&mut self, section: Section<'a>) -> SectionId {
        self.sections.push(section);
        SectionId::from_index(self.sections.len() - 1)
    }

    pub(crate) fn object_name(&self, id: ObjectId) -> &'a str {
        self.objects.get(id.index()).map_or("the linker", |object| object.name)
    }

    /// All sections with their numbers.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (SectionId, &Section<'a>)> {
        self.sections.iter().enumerate().map(|(index, section)| (SectionId::from_index(index), section))
    }

    /// A name for error messages: a section symbol has that of its section.
    pub(crate) fn symbol_name(&self, id: SymbolId) -> String {
        let symbol = self.symbol(id);
        match symbol.place {
            _ if !symbol.name.is_empty() => crate::error::text(symbol.name),
            Place::Section(section) => crate::error::text(self.section(section).name),
            _ => "no symbol".into(),
        }
    }
}
