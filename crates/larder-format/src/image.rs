//! The image: one ELF file that the loader maps, and the index that tells it how.
//!
//! The ELF headers are there for readelf, objdump, gdb and perf. The loader reads none of them but the identification:
//! everything it needs stands in [`ImageHeader`], at [`HEADER_OFFSET`], and in the tables that the header names. Both are part of the
//! first segment and are read where they lie.
//!
//! Loaded bytes have the same offset in the file as in memory, so one number ([image offset](ImageHeader)) names both:
//!
//! ```text
//! 0            rx_offset        rw_offset               file end of RW          mem_len
//! | R           | RX             | slots, relro | data   | bss (memory only) ... |
//! | ELF, index, | code, stubs    |              |        | not loaded: module, symbols, DWARF, section headers (file only)
//! | rodata, eh  |                |              |        |
//! ```
//!
//! Nothing in R or RX depends on where the image is mapped or on what it is bound to.
//! All numbers are little-endian, whatever the machine the code is for.
//!
//! To change a byte: raise [`FORMAT_VERSION`], bring `docs/format.md` along, and add a fixture of the old version.

use crate::cpu::CpuFeatures;
use crate::record::{Record, Rows, record};
use thiserror::Error;

mod check;
mod guards;
mod lookup;

pub use guards::{
    DROP_LEN, DROPPABLE_NO_FALLBACK, Droppable, DroppableUnit, ENDBR64, GUARD_NO_IMPORT, Guard, GuardQuestion,
    guard_flags, guard_kinds,
};
pub use lookup::{ExportTable, gnu_hash};

/// First bytes of an [`ImageHeader`].
pub const MAGIC: [u8; 8] = *b"LARDER\r\n";
/// Version of everything this module describes. Another number is a miss.
pub const FORMAT_VERSION: u32 = 5;
/// Version of the contract between generated code and the runtime (built-in imports, TLS, initialisers).
pub const ABI_VERSION: u32 = 2;
/// Where the [`ImageHeader`] stands in every image, behind the ELF header and room for eleven program headers.
pub const HEADER_OFFSET: usize = 0x2c0;
/// Segments begin at multiples of this, on every architecture that images exist for so far.
pub const PAGE: u64 = 0x1000;
/// `e_machine` of x86-64 (psABI x86-64, "Machine Information").
pub const EM_X86_64: u16 = 62;
/// `e_type` of an image: a shared object.
pub const ET_DYN: u16 = 3;
/// Size of an import slot, and of every word the loader relocates.
pub const WORD: u64 = 8;
/// Built-in import: what `__tls_get_addr` is in a shared library, for thread-local variables of images and of the process.
pub const TLS_GET_ADDR: &str = "__larder_tls_get_addr";
/// Bytes between the end of the static thread-local block and the thread pointer: they belong to the host.
pub const STATIC_TLS_DISTANCE: u64 = 0x1000;
/// Bytes that the runtime reserves there for one image, in front of the host's.
pub const STATIC_TLS_LEN: u64 = 0x1000;
/// Alignment that a static block can have: the thread pointer is a multiple of it.
pub const STATIC_TLS_ALIGN: u64 = 0x400;

/// Bytes that an image has for each copied variable, aligned to [`PAGE`]: how large it is shows when its library is loaded.
pub const COPY_LEN_MAX: u64 = 0x1_0000;

/// Imports of programs that look for names while they run, perhaps for their own: such an image offers all that it can, whatever it was
/// asked to offer.
pub const LOOKING_UP: [&str; 6] = ["dlopen", "dlmopen", "dlsym", "dlvsym", "dladdr", "dladdr1"];

record! {
    /// A run of bytes: in the image where nothing else is said.
    pub struct Span {
        /// First byte.
        pub offset: u64,
        /// Number of bytes.
        pub len: u64,
    }
}

record! {
    /// A table of the index.
    pub struct Table {
        /// Image offset of the first row.
        pub offset: u32,
        /// Number of rows.
        pub count: u32,
    }
}

record! {
    /// A string of the index: UTF-8 is not promised (symbol names are bytes), a NUL follows it, none is in it.
    pub struct Text {
        /// Offset from the start of the strings.
        pub offset: u32,
        /// Bytes, without the NUL.
        pub len: u32,
    }
}

record! {
    /// A name the image needs. Import `i` is bound by writing its address to slot `i`.
    pub struct Import {
        /// The symbol's name. Imports are sorted by name and each name stands once.
        pub name: Text,
        /// [`gnu_hash`] of the name.
        pub hash: u32,
        /// [`import_flags`].
        pub flags: u32,
    }
}

/// Bits of [`Import::flags`].
pub mod import_flags {
    /// Binding it to nothing is allowed: the slot is then null.
    pub const WEAK: u32 = 1;
    /// It is called, at least once.
    pub const FUNCTION: u32 = 2;
    /// A thread-local variable, which code reaches through a [`ThreadSlot`](super::ThreadSlot); the import's own slot stays null.
    pub const TLS: u32 = 4;
    /// A heap object of the host, which a [`Guard`](super::Guard) tells of. Its name is that of the symbol ([`crate::guard`]).
    pub const OBJECT: u32 = 8;
    /// A variable of a library that has its place in the image, so that code reaches it by its distance: the export of the same name.
    /// The loader copies its initial value there, and everybody else is bound to the copy (ELF's `R_X86_64_COPY`).
    pub const COPIED: u32 = 16;
}

record! {
    /// A name the image offers.
    pub struct Export {
        /// The symbol's name.
        pub name: Text,
        /// [`gnu_hash`] of the name.
        pub hash: u32,
        /// [`export_flags`].
        pub flags: u32,
        /// Image offset of the first byte (offset in the TLS template for a thread-local one).
        pub offset: u64,
        /// Size in bytes, 0 if unknown.
        pub len: u64,
    }
}

/// Bits of [`Export::flags`].
pub mod export_flags {
    /// Code: its address may be called.
    pub const FUNCTION: u32 = 1;
    /// A weak definition: a strong one of another image may replace it.
    pub const WEAK: u32 = 2;
    /// A thread-local variable.
    pub const TLS: u32 = 4;
}

record! {
    /// One function, which can be dropped by itself.
    pub struct Unit {
        /// The function's name.
        pub name: Text,
        /// Image offset of its first byte.
        pub offset: u64,
        /// Bytes of code.
        pub len: u32,
        /// [`unit_flags`].
        pub flags: u32,
        /// First of its rows in the table of unit imports.
        pub imports_first: u32,
        /// Number of those rows: each is the index of an import this function uses itself.
        pub imports_count: u32,
    }
}

/// Bits of [`Unit::flags`].
pub mod unit_flags {
    /// The name is offered outside of the image.
    pub const EXPORTED: u32 = 1;
}

record! {
    /// A word in RW that becomes an import's address plus an addend.
    ///
    /// The packed table can't name odd places; a word there whose address lies in the image itself stands here too.
    pub struct Fixup {
        /// Image offset of the word, a multiple of [`WORD`] not being promised.
        pub place: u64,
        /// What is added to the address.
        pub addend: i64,
        /// Index of the import, or [`FIXUP_IMAGE`].
        pub import: u32,
        /// Zero.
        pub reserved: u32,
    }
}

/// In place of an import's index: the image itself, so that the addend is an image offset.
pub const FIXUP_IMAGE: u32 = u32::MAX;

record! {
    /// A function that is chosen when the image is loaded (ELF's `STT_GNU_IFUNC`): its resolver answers the address.
    pub struct IndirectFunction {
        /// Image offset of the word in relro that becomes the address.
        pub slot: u64,
        /// Image offset of the resolver.
        pub resolver: u64,
    }
}

record! {
    /// What `__builtin_cpu_supports` and its like read: `__cpu_model` and, behind it, `__cpu_features2` of libgcc and compiler-rt.
    pub struct CpuModel {
        /// The maker.
        pub vendor: u32,
        /// Its line of processors.
        pub processor: u32,
        /// The processor in that line.
        pub subprocessor: u32,
        /// Features 0 to 31 of that enumeration.
        pub features: u32,
        /// `__cpu_features2`: features 32 to 159.
        pub features2: [u8; 16],
    }
}

record! {
    /// Words in RW through which code reaches a thread-local variable.
    pub struct ThreadSlot {
        /// Image offset of the first word, a multiple of [`WORD`].
        pub place: u64,
        /// What is added: an offset in the image's own block, or from the import.
        pub offset: u64,
        /// Index of the import, or [`THREAD_SLOT_OWN`].
        pub import: u32,
        /// [`thread_slot_kinds`].
        pub kind: u32,
    }
}

/// In place of an import's index: the image's own thread-local block.
pub const THREAD_SLOT_OWN: u32 = u32::MAX;

/// Values of [`ThreadSlot::kind`].
pub mod thread_slot_kinds {
    /// Two words, which code passes to [`TLS_GET_ADDR`](super::TLS_GET_ADDR): module number and offset in that module's block.
    pub const PAIR: u32 = 1;
    /// One word: the signed distance from the thread pointer to the variable, the same in every thread.
    pub const DISTANCE: u32 = 2;
    /// Two words, a TLS descriptor: a function and what it needs; and two more for the pair that this may be.
    pub const DESCRIPTOR: u32 = 3;
}

record! {
    /// A loaded section, for debuggers: they ask for each by its name.
    pub struct Section {
        /// Its name.
        pub name: Text,
        /// Image offset of its first byte.
        pub offset: u64,
        /// Bytes in memory.
        pub len: u64,
        /// `sh_type` of ELF.
        pub kind: u32,
        /// `sh_flags` of ELF, of which these have none beyond 32 bits.
        pub flags: u32,
    }
}

record! {
    /// What the loader must know, in one row.
    pub struct ImageHeader {
        /// [`MAGIC`].
        pub magic: [u8; 8],
        /// [`FORMAT_VERSION`].
        pub format_version: u32,
        /// [`ABI_VERSION`].
        pub abi_version: u32,
        /// BLAKE3 of the whole file but its checksum, with these 32 bytes as zeros.
        pub content_digest: [u8; 32],
        /// The key it was made for; zeros if it was built for none.
        pub key: [u8; 32],
        /// BLAKE3 of the module it was made from; zeros if that has no bytes (objects).
        pub module_digest: [u8; 32],
        /// Bytes of the whole file.
        pub file_len: u64,
        /// Bytes of address space, bss included: a multiple of [`PAGE`].
        pub mem_len: u64,
        /// Code; the offset is where R ends. Both are multiples of [`PAGE`].
        pub rx: Span,
        /// Writable bytes that the file holds; the offset is where RX ends, a multiple of [`PAGE`]. The rest up to `mem_len` is zero.
        pub rw: Span,
        /// Bytes from `rw.offset` on that become read-only once bound: a multiple of [`PAGE`].
        pub relro_len: u64,
        /// Image offset of the import slots, [`WORD`] bytes for each import, inside relro.
        pub slots_offset: u64,
        /// CPU features that the code needs ([`CpuFeatures`]).
        pub features: CpuFeatures,
        /// Rows of [`Import`].
        pub imports: Table,
        /// Rows of [`Export`], in the order of the buckets.
        pub exports: Table,
        /// Rows of `u32`: bucket `b` is the exports from row `b` to row `b + 1`. One row more than there are buckets.
        pub export_buckets: Table,
        /// Rows of [`Unit`], sorted by offset.
        pub units: Table,
        /// Rows of `u32`: indices of imports.
        pub unit_imports: Table,
        /// Rows of `u64`: image offsets of the initialisers, in the order they are called.
        pub init: Table,
        /// Rows of `u64`: image offsets of the finalisers, in the order they are called.
        pub fini: Table,
        /// Rows of `u64` in the encoding of ELF's `SHT_RELR`: words in RW to which the image's address is added.
        pub relr: Table,
        /// Rows of [`Fixup`].
        pub fixups: Table,
        /// Rows of [`ThreadSlot`].
        pub thread_slots: Table,
        /// Rows of [`Section`].
        pub sections: Table,
        /// Rows of [`Guard`], in the order they are asked.
        pub guards: Table,
        /// Rows of `u32`: indices of guards.
        pub unit_guards: Table,
        /// Rows of [`Droppable`], sorted by their guards and then by unit: each unit that has a guard.
        pub droppable: Table,
        /// Names.
        pub strings: Span,
        /// `.eh_frame_hdr` with its search table; empty if there is none.
        pub eh_frame_hdr: Span,
        /// `.eh_frame`, with its terminating zero.
        pub eh_frame: Span,
        /// Initial bytes of the thread-local block: in R, or in relro if there are addresses among them.
        pub tls_template: Span,
        /// Bytes of a thread's block: the template, then zeros.
        pub tls_mem_len: u64,
        /// Alignment of a thread's block.
        pub tls_align: u64,
        /// Distance from a thread's block up to the thread pointer, if code counts on it: the block then lies in the
        /// [`STATIC_TLS_LEN`] bytes in front of the last [`STATIC_TLS_DISTANCE`]. 0 if the block may lie anywhere.
        pub tls_distance: u64,
        /// Alignment of the image in memory: a power of two, at least [`PAGE`].
        pub align: u64,
        /// Image offset, a multiple of [`PAGE`], whose address is a multiple of `align`.
        pub align_at: u64,
        /// Rows of [`IndirectFunction`].
        pub indirect_functions: Table,
        /// Image offset of a [`CpuModel`] in RW that the loader fills; 0 if nothing asks for it.
        pub cpu_model: u64,
        /// Image offset of `__dso_handle`, the word whose address names this image to `__cxa_atexit`; 0 if nothing uses it.
        pub dso_handle: u64,
        /// The module, compressed with zstd, in the file only: `offset` is a file offset. Empty if it was left out.
        pub source: Span,
        /// Bytes of the module before it was compressed.
        pub source_len: u64,
        /// The program that generated the code, in words.
        pub producer: Text,
        /// LLVM's name of the target.
        pub triple: Text,
    }
}

/// Why bytes are not an image that may be used. Everything here is a miss, never a fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file is shorter than its header says, or than a header.
    #[error("the image ends at byte {have}, {need} are needed")]
    Truncated {
        /// Bytes there are.
        have: u64,
        /// Bytes there should be.
        need: u64,
    },
    /// No ELF file, or none of ours.
    #[error("not a Larder image: {0}")]
    NotAnImage(&'static str),
    /// Made for other hardware or another system.
    #[error("the image has another {what} ({found}) than this program loads ({expected})")]
    WrongPlatform {
        /// What differs: machine, word size, byte order, operating system ABI.
        what: &'static str,
        /// What the image says, of the whole machine.
        found: String,
        /// What it would have to say.
        expected: &'static str,
    },
    /// Another version of Larder made it.
    #[error("the image has {what} version {found}, this program reads version {expected}")]
    WrongVersion {
        /// `format` or `ABI`.
        what: &'static str,
        /// Version found.
        found: u32,
        /// Version understood.
        expected: u32,
    },
    /// A number in it contradicts another.
    #[error("the image is damaged: {what} (at {offset:#x})")]
    Damaged {
        /// What is wrong.
        what: &'static str,
        /// Image offset of the thing.
        offset: u64,
    },
    /// Its bytes are not those it was published with.
    #[error("the image's bytes have changed: its digest does not match")]
    WrongDigest,
}

/// For what machine an ELF file is, of which these are the first bytes: its name, word size and byte order, for people.
pub fn elf_platform(first_bytes: &[u8; 64]) -> String {
    check::platform(first_bytes)
}

impl ImageHeader {
    /// Reads the header from the file's first bytes and checks all that [`Image::parse`] checks, without needing the rest of R:
    /// so a loader knows how to map a file before it maps it.
    pub fn read(first_bytes: &[u8], file_len: u64) -> Result<ImageHeader, ImageError> {
        check::header(first_bytes, file_len)
    }

    /// Image offset just behind the last byte that the file provides to memory.
    pub fn loaded_len(&self) -> u64 {
        self.rw.offset + self.rw.len
    }

    /// Bytes of the R segment.
    pub fn r_len(&self) -> u64 {
        self.rx.offset
    }
}

/// An image's R segment, checked as far as can be done without reading all of it.
///
/// Every number that an accessor hands out has been compared with the image's limits, either here or by the accessor.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    header: ImageHeader,
    r: &'a [u8],
}

impl<'a> Image<'a> {
    /// Reads the header and checks identification, versions, segments and the place of every table: O(1).
    ///
    /// `bytes` begins at the file's first byte and holds at least the R segment; `file_len` is the length of the file.
    pub fn parse(bytes: &'a [u8], file_len: u64) -> Result<Self, ImageError> {
        let header = check::header(bytes, file_len)?;
        let r_len = usize::try_from(header.r_len()).unwrap_or(usize::MAX);
        let r = bytes.get(..r_len).ok_or(ImageError::Truncated { have: bytes.len() as u64, need: header.r_len() })?;
        Ok(Image { header, r })
    }

    /// The header.
    pub fn header(&self) -> &ImageHeader {
        &self.header
    }

    /// The names the image needs.
    pub fn imports(&self) -> Rows<'a, Import> {
        self.rows(self.header.imports)
    }

    /// The names the image offers, with hashed lookup.
    pub fn exports(&self) -> ExportTable<'a> {
        ExportTable::new(self.rows(self.header.exports), self.rows(self.header.export_buckets), self.strings())
    }

    /// The functions, sorted by offset.
    pub fn units(&self) -> Rows<'a, Unit> {
        self.rows(self.header.units)
    }

    /// Indices of imports, in runs that [`Unit::imports_first`] begins.
    pub fn unit_imports(&self) -> Rows<'a, u32> {
        self.rows(self.header.unit_imports)
    }

    /// Image offsets of the initialisers, in calling order.
    pub fn init(&self) -> Rows<'a, u64> {
        self.rows(self.header.init)
    }

    /// Image offsets of the finalisers, in calling order.
    pub fn fini(&self) -> Rows<'a, u64> {
        self.rows(self.header.fini)
    }

    /// Packed relative relocations.
    pub fn relr(&self) -> Rows<'a, u64> {
        self.rows(self.header.relr)
    }

    /// Words in RW that become an import's address plus an addend.
    pub fn fixups(&self) -> Rows<'a, Fixup> {
        self.rows(self.header.fixups)
    }

    /// Functions that are chosen when the image is loaded.
    pub fn indirect_functions(&self) -> Rows<'a, IndirectFunction> {
        self.rows(self.header.indirect_functions)
    }

    /// Words in RW through which code reaches thread-local variables.
    pub fn thread_slots(&self) -> Rows<'a, ThreadSlot> {
        self.rows(self.header.thread_slots)
    }

    /// The loaded sections, in the order of the file.
    pub fn sections(&self) -> Rows<'a, Section> {
        self.rows(self.header.sections)
    }

    /// The string, or `None` if it does not lie in the strings, contains a NUL or is not followed by one.
    #[inline]
    pub fn text(&self, text: Text) -> Option<&'a [u8]> {
        self.c_text(text).map(std::ffi::CStr::to_bytes)
    }

    /// The string as C has it; `None` as for [`Image::text`].
    #[inline]
    pub fn c_text(&self, text: Text) -> Option<&'a std::ffi::CStr> {
        lookup::c_text(self.strings(), text)
    }

    /// The program that generated the code.
    pub fn producer(&self) -> String {
        self.lossy(self.header.producer)
    }

    /// LLVM's name of the target.
    pub fn triple(&self) -> String {
        self.lossy(self.header.triple)
    }

    fn lossy(&self, text: Text) -> String {
        String::from_utf8_lossy(self.text(text).unwrap_or_default()).into_owned()
    }

    fn rows<R: Record>(&self, table: Table) -> Rows<'a, R> {
        let start = table.offset as usize;
        let len = table.count as usize * R::SIZE;
        Rows::new(self.r.get(start..start + len).unwrap_or_default())
    }

    fn strings(&self) -> &'a [u8] {
        let span = self.header.strings;
        self.r.get(span.offset as usize..(span.offset + span.len) as usize).unwrap_or_default()
    }
}

/// CRC-32 of every image: its last four bytes are the CRC-32 of all before them, and the CRC of data with its own CRC behind it is this
/// residue. A debugger compares it before it takes debug information from the file (GDB manual, "Separate Debug Files"), and the
/// loader can tell it without having read the file.
pub const FILE_CRC: u32 = 0x2144_df1c;
/// Bytes of the checksum at the end.
pub const CHECKSUM_LEN: usize = size_of::<u32>();

/// Completes an image: writes its digest, then the checksum behind everything. `false` if the bytes are too few for an image.
pub fn seal(file: &mut [u8]) -> bool {
    let Some(digest) = content_digest(file) else { return false };
    file[content_digest_span()].copy_from_slice(&digest);
    let end = file.len() - CHECKSUM_LEN;
    let checksum = crc32fast::hash(&file[..end]);
    file[end..].copy_from_slice(&checksum.to_le_bytes());
    true
}

/// Digest of a whole image but its checksum, with the digest field read as zeros. `None` if the bytes are too few for an image.
pub fn content_digest(file: &[u8]) -> Option<[u8; 32]> {
    let field = content_digest_span();
    let end = file.len().checked_sub(CHECKSUM_LEN)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(file.get(..field.start)?);
    hasher.update(&[0; 32]);
    hasher.update(file.get(field.end..end)?);
    Some(*hasher.finalize().as_bytes())
}

fn content_digest_span() -> std::ops::Range<usize> {
    let field = &ImageHeader::FIELDS[3];
    debug_assert_eq!(field.name, "content_digest");
    HEADER_OFFSET + field.offset..HEADER_OFFSET + field.offset + field.size
}

/// Compares every byte of the file with the digest in its header, and the last with the checksum: O(n), to be paid once per change of the
/// file.
pub fn verify_digest(file: &[u8]) -> Result<(), ImageError> {
    let have = file.len() as u64;
    let span = content_digest_span();
    let need = (span.end + CHECKSUM_LEN) as u64;
    let digest = content_digest(file).ok_or(ImageError::Truncated { have, need })?;
    let right = file[span] == digest && crc32fast::hash(file) == FILE_CRC;
    if right { Ok(()) } else { Err(ImageError::WrongDigest) }
}

#[cfg(test)]
pub(crate) mod tests;
