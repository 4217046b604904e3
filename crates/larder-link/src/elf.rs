//! The ELF around the image: what readelf, objdump, gdb and perf read, and the loader does not.

use crate::error::LinkError;
use crate::input::sh;
use crate::layout::{Layout, Made, Output, Segment};
use crate::symtab::{SYMBOL_LEN, SymbolTable};
use larder_format::image::{CHECKSUM_LEN, EM_X86_64, ET_DYN, HEADER_OFFSET, ImageHeader, PAGE, Span};

/// The part of the file behind the debug information.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The module, as it was handed in.
    pub(crate) source: Span,
    symbols: Span,
    strings: Span,
    names: Span,
    headers: u64,
    /// Bytes of the whole file.
    pub(crate) file_len: u64,
    name_bytes: Vec<u8>,
    name_offsets: Vec<u32>,
}

const HEADER_LEN: u64 = 64;
const SEGMENT_LEN: usize = 56;
const SECTION_LEN: u64 = 64;
/// Section headers that stand behind those of the output sections; the last only if there is a module.
const TAIL_NAMES: [&[u8]; 4] = [b".symtab", b".strtab", b".shstrtab", b".larder.source"];
/// Numbers from here on are reserved.
const SECTIONS_MAX: u64 = 0xff00;

/// Gives the tables of the file's tail their places.
pub(crate) fn plan_tail(layout: &Layout<'_>, symbols: &SymbolTable, source_len: u64) -> Result<Tail, LinkError> {
    let names_of_tail = if source_len > 0 { &TAIL_NAMES[..] } else { &TAIL_NAMES[..3] };
    let count = 1 + layout.outputs.len() + names_of_tail.len();
    if count as u64 >= SECTIONS_MAX {
        return Err(LinkError::TooLarge { what: "section headers", len: count as u64, max: SECTIONS_MAX - 1 });
    }
    let (name_bytes, name_offsets) = names(layout, names_of_tail);
    let mut end = layout.file_end;
    let mut take = |len: u64| {
        let span = Span { offset: end.next_multiple_of(8), len };
        end = span.offset + len;
        span
    };
    let source = take(source_len);
    let symbol_span = take(symbols.symbols.len() as u64);
    let strings = take(symbols.strings.len() as u64);
    let name_span = take(name_bytes.len() as u64);
    let headers = take(count as u64 * SECTION_LEN);
    let checksum = take(CHECKSUM_LEN as u64);
    let file_len = checksum.offset + checksum.len;
    Ok(Tail {
        source,
        symbols: symbol_span,
        strings,
        names: name_span,
        headers: headers.offset,
        file_len,
        name_bytes,
        name_offsets,
    })
}

/// `.shstrtab`, and the offset of every name in it.
fn names(layout: &Layout<'_>, tail: &[&[u8]]) -> (Vec<u8>, Vec<u32>) {
    let (mut bytes, mut offsets) = (vec![0], Vec::new());
    for name in layout.outputs.iter().map(|output| output.name).chain(tail.iter().copied()) {
        offsets.push(bytes.len() as u32);
        bytes.extend_from_slice(name);
        bytes.push(0);
    }
    (bytes, offsets)
}

/// Writes everything that is ELF and not content.
pub(crate) fn write_elf(
    layout: &Layout<'_>,
    header: &ImageHeader,
    symbols: &SymbolTable,
    tail: &Tail,
    file: &mut [u8],
) {
    let segments = segments(layout, header);
    put(file, 0, &elf_header(layout, tail, segments.len()));
    put(file, HEADER_LEN, &segments.concat());
    put(file, tail.symbols.offset, &symbols.symbols);
    put(file, tail.strings.offset, &symbols.strings);
    put(file, tail.names.offset, &tail.name_bytes);
    let headers: Vec<u8> = section_headers(layout, symbols, tail).iter().flat_map(SectionHeader::bytes).collect();
    put(file, tail.headers, &headers);
}

fn put(file: &mut [u8], at: u64, bytes: &[u8]) {
    file[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
}

/// gABI "ELF Header".
fn elf_header(layout: &Layout<'_>, tail: &Tail, segment_count: usize) -> Vec<u8> {
    let section_count = tail.name_offsets.len() as u16 + 1;
    let names_number = layout.outputs.len() as u16 + 3;
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let halves = |bytes: &mut Vec<u8>, halves: &[u16]| {
        halves.iter().for_each(|half| bytes.extend_from_slice(&half.to_le_bytes()))
    };
    halves(&mut bytes, &[ET_DYN, EM_X86_64]);
    bytes.extend_from_slice(&1u32.to_le_bytes());
    for word in [0, HEADER_LEN, tail.headers] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&0u32.to_le_bytes());
    let sizes = [HEADER_LEN as u16, SEGMENT_LEN as u16, segment_count as u16, SECTION_LEN as u16];
    halves(&mut bytes, &sizes);
    halves(&mut bytes, &[section_count, names_number]);
    bytes
}

mod pt {
    pub(super) const LOAD: u32 = 1;
    pub(super) const NOTE: u32 = 4;
    pub(super) const PHDR: u32 = 6;
    pub(super) const TLS: u32 = 7;
    pub(super) const GNU_EH_FRAME: u32 = 0x6474_e550;
    pub(super) const GNU_STACK: u32 = 0x6474_e551;
    pub(super) const GNU_RELRO: u32 = 0x6474_e552;
    pub(super) const GNU_PROPERTY: u32 = 0x6474_e553;
    pub(super) const X: u32 = 1;
    pub(super) const W: u32 = 2;
    pub(super) const R: u32 = 4;
}

/// Room in front of the image header.
const SEGMENTS_MAX: usize = 11;
const _: () = assert!(HEADER_LEN as usize + SEGMENTS_MAX * SEGMENT_LEN <= HEADER_OFFSET);

/// Program headers, at most [`SEGMENTS_MAX`].
fn segments(layout: &Layout<'_>, header: &ImageHeader) -> Vec<Vec<u8>> {
    let (rx, rw) = (layout.rx, layout.rw);
    let mut segments = vec![segment(pt::LOAD, pt::R, Span { offset: 0, len: rx.offset }, rx.offset, PAGE)];
    if rx.len > 0 {
        segments.push(segment(pt::LOAD, pt::R | pt::X, rx, rx.len, PAGE));
    }
    let memory = layout.end.max(rw.offset + rw.len) - rw.offset;
    if memory > 0 {
        segments.push(segment(pt::LOAD, pt::R | pt::W, rw, memory, PAGE));
    }
    if layout.tls_mem_len > 0 {
        segments.push(segment(pt::TLS, pt::R, layout.tls_template, layout.tls_mem_len, layout.tls_align));
    }
    if header.eh_frame_hdr.len > 0 {
        segments.push(segment(pt::GNU_EH_FRAME, pt::R, header.eh_frame_hdr, header.eh_frame_hdr.len, 4));
    }
    if layout.relro_len > 0 {
        let relro = Span { offset: rw.offset, len: layout.relro_len };
        segments.push(segment(pt::GNU_RELRO, pt::R, relro, relro.len, 1));
    }
    if let Some(note) = layout.made(Made::BuildId) {
        segments.push(segment(pt::NOTE, pt::R, Span { offset: note.offset, len: note.len }, note.len, 4));
    }
    if let Some(note) = layout.made(Made::Property) {
        let kinds = [pt::NOTE, pt::GNU_PROPERTY];
        let span = Span { offset: note.offset, len: note.len };
        segments.extend(kinds.map(|kind| segment(kind, pt::R, span, note.len, 8)));
    }
    segments.push(segment(pt::GNU_STACK, pt::R | pt::W, Span::default(), 0, 16));
    // Programs that read their own headers learn from the first one where they are mapped: profiles hold the build id, found so.
    let own = Span { offset: HEADER_LEN, len: ((segments.len() + 1) * SEGMENT_LEN) as u64 };
    segments.insert(0, segment(pt::PHDR, pt::R, own, own.len, 8));
    debug_assert!(segments.len() <= SEGMENTS_MAX);
    segments
}

/// gABI "Program Header"; loaded bytes have the same offset in the file and in memory.
fn segment(kind: u32, flags: u32, file: Span, mem_len: u64, align: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SEGMENT_LEN);
    [kind, flags].iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    let words = [file.offset, file.offset, file.offset, file.len, mem_len, align];
    words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    bytes
}

/// gABI "Section Header Table".
#[derive(Debug, Default)]
struct SectionHeader {
    name: u32,
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    len: u64,
    link: u32,
    info: u32,
    align: u64,
    entry_len: u64,
}

impl SectionHeader {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SECTION_LEN as usize);
        bytes.extend_from_slice(&self.name.to_le_bytes());
        bytes.extend_from_slice(&self.kind.to_le_bytes());
        for word in [self.flags, self.address, self.offset, self.len] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.link.to_le_bytes());
        bytes.extend_from_slice(&self.info.to_le_bytes());
        bytes.extend_from_slice(&self.align.to_le_bytes());
        bytes.extend_from_slice(&self.entry_len.to_le_bytes());
        bytes
    }
}

fn section_headers(layout: &Layout<'_>, symbols: &SymbolTable, tail: &Tail) -> Vec<SectionHeader> {
    let mut names = tail.name_offsets.iter().copied();
    let mut headers = vec![SectionHeader::default()];
    for (output, name) in layout.outputs.iter().zip(&mut names) {
        headers.push(output_header(output, name));
    }
    let first = headers.len() as u32;
    let tables = [
        (
            sh::SYMTAB,
            tail.symbols,
            SectionHeader { link: first + 1, info: symbols.local_count, entry_len: SYMBOL_LEN, ..Default::default() },
        ),
        (sh::STRTAB, tail.strings, SectionHeader::default()),
        (sh::STRTAB, tail.names, SectionHeader::default()),
        (sh::PROGBITS, tail.source, SectionHeader::default()),
    ];
    for ((kind, span, header), name) in tables.into_iter().zip(names) {
        let align = if kind == sh::SYMTAB { 8 } else { 1 };
        headers.push(SectionHeader { name, kind, offset: span.offset, len: span.len, align, ..header });
    }
    headers
}

fn output_header(output: &Output<'_>, name: u32) -> SectionHeader {
    // The index's section begins with the header that leads to it.
    let address = if output.segment == Segment::Tail { 0 } else { output.offset };
    SectionHeader {
        name,
        kind: output.kind,
        flags: output.flags,
        address,
        offset: output.offset,
        len: output.len,
        // Where it is aligned beyond a page, its address is, which is not known yet.
        align: if output.offset.is_multiple_of(output.align) { output.align } else { PAGE },
        entry_len: output.entry_len,
        ..SectionHeader::default()
    }
}
