//! A small image, made by hand: one page of R, one of code, two of data in the file, one of zeros behind them.

use larder_format::cpu::CpuFeatures;
use larder_format::image::{
    ABI_VERSION, EM_X86_64, ET_DYN, Export, ExportTable, FORMAT_VERSION, Fixup, HEADER_OFFSET, ImageHeader, Import,
    MAGIC, PAGE, Span, Table, Text, ThreadSlot, export_flags, gnu_hash, seal,
};
use larder_format::record::Record;
use larder_runtime::{
    Arguments, Expectations, ImageFile, Integrity, LoadError, Loaded, Mapped, Names, Resolve, Sealed, cpu,
};
use std::io::Write;
use std::os::fd::OwnedFd;

/// Image offset of the code.
pub(crate) const CODE: u64 = PAGE;
/// Image offset of the slots, in relro.
pub(crate) const SLOTS: u64 = 2 * PAGE;
/// Image offset of relocated constants, in relro.
pub(crate) const RELRO: u64 = SLOTS + 0x100;
/// Image offset of the variables.
pub(crate) const DATA: u64 = 3 * PAGE;
/// Bytes of variables that the file holds; `JUNK` follows in the file.
pub(crate) const DATA_LEN: u64 = 0x80;
/// What the file holds behind the image.
pub(crate) const JUNK: u8 = 0xcc;
/// Image offset of a page of zeros.
pub(crate) const BSS: u64 = 4 * PAGE;

/// The parts of an image that tests vary.
#[derive(Clone, Default)]
pub(crate) struct Small {
    pub(crate) code: Vec<u8>,
    pub(crate) exports: Vec<(&'static str, u32, u64)>,
    /// Name and flags, sorted by name.
    pub(crate) imports: Vec<(&'static str, u32)>,
    pub(crate) init: Vec<u64>,
    pub(crate) fini: Vec<u64>,
    pub(crate) relr: Vec<u64>,
    pub(crate) fixups: Vec<Fixup>,
    pub(crate) thread_slots: Vec<ThreadSlot>,
    pub(crate) tls_template: Vec<u8>,
    pub(crate) tls_mem_len: u64,
    /// Words at image offsets, before relocation.
    pub(crate) words: Vec<(u64, u64)>,
    pub(crate) features: CpuFeatures,
    pub(crate) key: [u8; 32],
    pub(crate) dso_handle: u64,
}

struct Writer {
    file: Vec<u8>,
    at: usize,
}

impl Writer {
    fn rows<R: Record>(&mut self, rows: &[R]) -> Table {
        self.at = self.at.next_multiple_of(8);
        let table = Table { offset: self.at as u32, count: rows.len() as u32 };
        let mut bytes = Vec::new();
        rows.iter().for_each(|row| row.encode(&mut bytes));
        self.bytes(&bytes);
        table
    }

    fn bytes(&mut self, bytes: &[u8]) -> Span {
        let span = Span { offset: self.at as u64, len: bytes.len() as u64 };
        self.file[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
        span
    }
}

fn text(strings: &mut Vec<u8>, name: &str) -> Text {
    let offset = strings.len() as u32;
    strings.extend_from_slice(name.as_bytes());
    strings.push(0);
    Text { offset, len: name.len() as u32 }
}

impl Small {
    /// Adds a function and exports it; answers its image offset.
    pub(crate) fn function(&mut self, name: &'static str, code: &[u8]) -> u64 {
        let offset = self.next_function();
        self.code.resize((offset - CODE) as usize, 0xcc);
        self.code.extend_from_slice(code);
        self.exports.push((name, export_flags::FUNCTION, offset));
        offset
    }

    /// Where the next function is going to be.
    pub(crate) fn next_function(&self) -> u64 {
        CODE + self.code.len().next_multiple_of(16) as u64
    }

    /// The file.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut writer = Writer { file: vec![0; BSS as usize], at: HEADER_OFFSET + ImageHeader::SIZE };
        let mut strings = vec![0];
        let imports: Vec<_> = self
            .imports
            .iter()
            .map(|&(name, flags)| Import { name: text(&mut strings, name), hash: gnu_hash(name.as_bytes()), flags })
            .collect();
        let (exports, buckets) = self.exports(&mut strings);
        let mut header = ImageHeader {
            magic: MAGIC,
            format_version: FORMAT_VERSION,
            abi_version: ABI_VERSION,
            key: self.key,
            file_len: BSS,
            mem_len: BSS + PAGE,
            rx: Span { offset: CODE, len: PAGE },
            rw: Span { offset: SLOTS, len: PAGE + DATA_LEN },
            relro_len: PAGE,
            slots_offset: SLOTS,
            align: PAGE,
            features: self.features,
            dso_handle: self.dso_handle,
            tls_mem_len: self.tls_mem_len,
            tls_align: 16,
            ..ImageHeader::default()
        };
        header.imports = writer.rows(&imports);
        header.exports = writer.rows(&exports);
        header.export_buckets = writer.rows(&buckets);
        header.init = writer.rows(&self.init);
        header.fini = writer.rows(&self.fini);
        header.relr = writer.rows(&self.relr);
        header.fixups = writer.rows(&self.fixups);
        header.thread_slots = writer.rows(&self.thread_slots);
        header.tls_template = writer.bytes(&self.tls_template);
        header.strings = writer.bytes(&strings);
        let mut file = writer.file;
        file[CODE as usize..][..self.code.len()].copy_from_slice(&self.code);
        file[(DATA + DATA_LEN) as usize..].fill(JUNK);
        for &(place, word) in &self.words {
            file[place as usize..][..8].copy_from_slice(&word.to_le_bytes());
        }
        file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\x00");
        file[16..18].copy_from_slice(&ET_DYN.to_le_bytes());
        file[18..20].copy_from_slice(&EM_X86_64.to_le_bytes());
        write_header(&mut file, &header);
        file
    }

    fn exports(&self, strings: &mut Vec<u8>) -> (Vec<Export>, Vec<u32>) {
        let mut exports: Vec<_> = self
            .exports
            .iter()
            .map(|&(name, flags, offset)| {
                let hash = gnu_hash(name.as_bytes());
                Export { name: text(strings, name), hash, flags, offset, len: 0 }
            })
            .collect();
        let count = exports.len();
        exports.sort_by_key(|export| ExportTable::bucket_of(export.hash, count));
        let bucket = |export: &Export| ExportTable::bucket_of(export.hash, count);
        let buckets = (0..=ExportTable::bucket_count(count))
            .map(|number| exports.partition_point(|export| bucket(export) < number) as u32)
            .collect();
        (exports, buckets)
    }
}

/// Writes the header, and the digest and checksum that belong to it.
pub(crate) fn write_header(file: &mut [u8], header: &ImageHeader) {
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    file[HEADER_OFFSET..][..bytes.len()].copy_from_slice(&bytes);
    assert!(seal(file), "the file has a header");
}

/// A file in memory, by a name that `/proc/self/maps` shows.
pub(crate) fn file_of(name: &str, bytes: &[u8]) -> ImageFile<'static> {
    let fd: OwnedFd = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    let mut file = std::fs::File::from(fd);
    file.write_all(bytes).expect("memory");
    // SAFETY: nobody else has the file.
    unsafe { ImageFile::new(file.into(), bytes.len() as u64, name.into()) }
}

/// What the host can do, and a check of every byte.
pub(crate) fn strictly() -> Expectations<'static> {
    Expectations { features: cpu::host_features(), key: None, integrity: Integrity::Verify }
}

/// As [`strictly`], for files that were verified before.
pub(crate) fn trusting() -> Expectations<'static> {
    Expectations { integrity: Integrity::AlreadyVerified, ..strictly() }
}

pub(crate) fn sealed(bytes: &[u8], resolver: &dyn Resolve) -> Result<Sealed, LoadError> {
    Mapped::map(&file_of("small", bytes), &strictly())?.bind(resolver)?.seal()
}

pub(crate) fn load(image: &Small, resolver: &dyn Resolve) -> Loaded {
    let sealed = sealed(&image.build(), resolver).expect("the image is right");
    // SAFETY: the tests' own code.
    unsafe { sealed.initialise(&Arguments::none()) }.expect("there is memory")
}

/// Nothing to bind to.
pub(crate) fn nobody() -> Names {
    Names::new()
}

/// `mov eax, value; ret`.
pub(crate) fn returning(value: u32) -> Vec<u8> {
    [&[0xb8][..], &value.to_le_bytes(), &[0xc3]].concat()
}

/// An instruction whose last four bytes reach `target` from the instruction's end.
pub(crate) fn reaching(opcode: &[u8], at: u64, target: u64) -> Vec<u8> {
    let end = at + opcode.len() as u64 + 4;
    let displacement = i32::try_from(target.wrapping_sub(end).cast_signed()).expect("it is near");
    [opcode, &displacement.to_le_bytes()].concat()
}

/// `jmp [slot]`: calls an import in place of itself.
pub(crate) fn jumping_to_slot(at: u64, slot: u64) -> Vec<u8> {
    reaching(&[0xff, 0x25], at, SLOTS + 8 * slot)
}

/// `mov rax, [target]; ret`.
pub(crate) fn reading(at: u64, target: u64) -> Vec<u8> {
    [reaching(&[0x48, 0x8b, 0x05], at, target), vec![0xc3]].concat()
}

/// `lea rax, [target]; ret`.
pub(crate) fn pointing_to(at: u64, target: u64) -> Vec<u8> {
    [reaching(&[0x48, 0x8d, 0x05], at, target), vec![0xc3]].concat()
}

/// An image that returns 42 and uses a little of everything.
pub(crate) fn sample() -> Small {
    let mut image = Small { imports: vec![("absent", 1), ("host", 0)], ..Small::default() };
    image.function("answer", &returning(42));
    let at = image.next_function();
    image.function("call_host", &jumping_to_slot(at, 1));
    for (name, target) in
        [("word", RELRO), ("absent_slot", SLOTS), ("plus", DATA), ("tail", DATA + DATA_LEN), ("zero", BSS)]
    {
        let at = image.next_function();
        image.function(name, &reading(at, target));
    }
    let at = image.next_function();
    image.function("where", &pointing_to(at, DATA));
    image.exports.push(("variable", 0, DATA + 8));
    image.words = vec![(RELRO, DATA), (DATA + 8, 77)];
    image.relr = vec![RELRO];
    image.fixups = vec![Fixup { place: DATA, addend: 5, import: 1, reserved: 0 }];
    image
}

/// Answers the sample's `host`.
pub(crate) fn host_names() -> Names {
    extern "C" fn host() -> u64 {
        4711
    }
    [("host", host as *const ())].into_iter().collect()
}

/// Calls an exported function without parameters.
pub(crate) fn call(image: &Loaded, name: &str) -> u64 {
    // SAFETY: the tests' own code.
    let function = unsafe { image.function::<extern "C" fn() -> u64>(name) };
    function.unwrap_or_else(|| panic!("{name} is exported"))()
}
