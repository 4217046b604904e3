//! Checks of an image's header: after them no accessor can leave the image.
//!
//! They are O(1): a table is checked for its place, not for its rows. Rows are compared with the image's limits where they are used,
//! since a hit uses few of them.

use super::{
    ABI_VERSION, CpuModel, Droppable, EM_X86_64, ET_DYN, Export, FORMAT_VERSION, Fixup, Guard, HEADER_OFFSET,
    ImageError, ImageHeader, Import, IndirectFunction, MAGIC, PAGE, STATIC_TLS_ALIGN, STATIC_TLS_DISTANCE,
    STATIC_TLS_LEN, Section, Span, Table, ThreadSlot, Unit, WORD,
};
use crate::record::Record;

/// An image may not claim more address space than this: 1 TiB.
const MEM_LEN_MAX: u64 = 1 << 40;
/// Alignment of a thread-local block at most: 1 GiB.
const TLS_ALIGN_MAX: u64 = 1 << 30;

pub(super) fn header(bytes: &[u8], file_len: u64) -> Result<ImageHeader, ImageError> {
    identification(bytes)?;
    let need = (HEADER_OFFSET + ImageHeader::SIZE) as u64;
    let header = bytes
        .get(HEADER_OFFSET..)
        .and_then(ImageHeader::decode)
        .ok_or(ImageError::Truncated { have: bytes.len() as u64, need })?;
    versions(&header)?;
    segments(&header, file_len)?;
    alignment(&header)?;
    words(&header)?;
    tables(&header)?;
    unwind_and_tls(&header)?;
    Ok(header)
}

/// The ELF identification: class, byte order, system, type, machine (System V gABI, "ELF Header").
fn identification(bytes: &[u8]) -> Result<(), ImageError> {
    let Some(ident) = bytes.first_chunk::<64>() else {
        return Err(ImageError::Truncated { have: bytes.len() as u64, need: 64 });
    };
    if ident[..4] != *b"\x7fELF" {
        return Err(ImageError::NotAnImage("it is no ELF file"));
    }
    let half = |at: usize| u16::from_le_bytes([ident[at], ident[at + 1]]);
    let wrong = |what, expected| Err(ImageError::WrongPlatform { what, found: platform(ident), expected });
    if ident[4] != 2 {
        return wrong("word size", "64 bits");
    }
    if ident[5] != 1 {
        return wrong("byte order", "little-endian");
    }
    if half(18) != EM_X86_64 {
        return wrong("machine", "x86-64");
    }
    if ident[7] != 0 {
        let (found, expected) = (format!("number {}", ident[7]), "System V (Linux)");
        return Err(ImageError::WrongPlatform { what: "operating system ABI", found, expected });
    }
    if half(16) != ET_DYN {
        return Err(ImageError::NotAnImage("it is an ELF file of another type"));
    }
    Ok(())
}

/// Says for what machine an ELF file is, of which these are the first bytes: its name, word size and byte order.
pub(super) fn platform(ident: &[u8; 64]) -> String {
    let pair = [ident[18], ident[19]];
    let (machine, byte_order) = match ident[5] {
        1 => (u16::from_le_bytes(pair), "little-endian"),
        2 => (u16::from_be_bytes(pair), "big-endian"),
        _ => (u16::from_le_bytes(pair), "of unknown byte order"),
    };
    let word_size = match ident[4] {
        1 => "32 bits",
        2 => "64 bits",
        _ => "of unknown word size",
    };
    format!("{}, {word_size}, {byte_order}", machine_name(machine))
}

/// `e_machine` values of the gABI, by the names that people know.
fn machine_name(machine: u16) -> String {
    let name = match machine {
        3 => "i386",
        8 => "mips",
        20 => "powerpc",
        21 => "powerpc64",
        22 => "s390x",
        40 => "arm",
        EM_X86_64 => "x86-64",
        183 => "aarch64",
        243 => "riscv",
        258 => "loongarch",
        other => return format!("machine number {other}"),
    };
    name.to_owned()
}

fn versions(header: &ImageHeader) -> Result<(), ImageError> {
    if header.magic != MAGIC {
        return Err(ImageError::NotAnImage("it is an ELF file without a Larder header"));
    }
    for (what, found, expected) in
        [("format", header.format_version, FORMAT_VERSION), ("ABI", header.abi_version, ABI_VERSION)]
    {
        if found != expected {
            return Err(ImageError::WrongVersion { what, found, expected });
        }
    }
    Ok(())
}

fn segments(header: &ImageHeader, file_len: u64) -> Result<(), ImageError> {
    let offset = HEADER_OFFSET as u64;
    let require = |ok: bool, what| if ok { Ok(()) } else { Err(ImageError::Damaged { what, offset }) };
    if header.file_len != file_len {
        return Err(ImageError::Truncated { have: file_len, need: header.file_len });
    }
    let (rx, rw) = (header.rx, header.rw);
    for (what, number) in [
        ("mem_len is not whole pages", header.mem_len),
        ("rx.offset is not whole pages", rx.offset),
        ("rx.len is not whole pages", rx.len),
        ("rw.offset is not whole pages", rw.offset),
        ("relro_len is not whole pages", header.relro_len),
    ] {
        require(number % PAGE == 0, what)?;
    }
    require(header.mem_len <= MEM_LEN_MAX, "mem_len is beyond 1 TiB")?;
    require(rx.offset >= (HEADER_OFFSET + ImageHeader::SIZE) as u64, "R ends inside the header")?;
    require(rx.offset.checked_add(rx.len) == Some(rw.offset), "RX does not end where RW begins")?;
    let rw_end = rw.offset.checked_add(rw.len);
    require(rw_end.is_some_and(|end| end <= file_len), "RW leaves the file")?;
    require(rw_end.is_some_and(|end| end <= header.mem_len), "RW leaves the memory")?;
    require(header.relro_len <= header.mem_len - rw.offset, "relro leaves RW")?;
    require(header.relro_len <= rw.len.next_multiple_of(PAGE), "relro goes beyond the bytes of the file")?;
    let source_end = header.source.offset.checked_add(header.source.len);
    require(source_end.is_some_and(|end| end <= file_len), "the module leaves the file")
}

fn alignment(header: &ImageHeader) -> Result<(), ImageError> {
    let damaged = |what| Err(ImageError::Damaged { what, offset: HEADER_OFFSET as u64 });
    match (header.align, header.align_at) {
        (align, _) if !(align.is_power_of_two() && (PAGE..=MEM_LEN_MAX).contains(&align)) => {
            damaged("the alignment is no power of two from a page to 1 TiB")
        }
        (_, at) if !at.is_multiple_of(PAGE) || at > header.mem_len => {
            damaged("the aligned place is no page of the image")
        }
        _ => Ok(()),
    }
}

/// Places in RW that the header names.
fn words(header: &ImageHeader) -> Result<(), ImageError> {
    let rw = header.rw;
    let require =
        |ok: bool, what| if ok { Ok(()) } else { Err(ImageError::Damaged { what, offset: HEADER_OFFSET as u64 }) };
    let slots = u64::from(header.imports.count) * WORD;
    let slots_end = header.slots_offset.checked_add(slots);
    require(
        header.slots_offset >= rw.offset && header.slots_offset.is_multiple_of(WORD),
        "the slots begin outside of RW",
    )?;
    require(slots_end.is_some_and(|end| end <= rw.offset + rw.len), "the slots leave RW")?;
    let dso_handle = header.dso_handle;
    require(dso_handle == 0 || (rw.offset..header.mem_len).contains(&dso_handle), "__dso_handle lies outside of RW")?;
    let (model, model_len) = (header.cpu_model, CpuModel::SIZE as u64);
    let inside = model >= rw.offset && model.checked_add(model_len).is_some_and(|end| end <= rw.offset + rw.len);
    require(model == 0 || inside, "the CPU model lies outside of RW")
}

fn tables(header: &ImageHeader) -> Result<(), ImageError> {
    let table = |table: Table, row: usize, what| {
        let len = u64::from(table.count) * row as u64;
        inside_r(header, Span { offset: table.offset.into(), len }, what)
    };
    table(header.imports, Import::SIZE, "the imports leave R")?;
    table(header.exports, Export::SIZE, "the exports leave R")?;
    table(header.export_buckets, u32::SIZE, "the export buckets leave R")?;
    table(header.units, Unit::SIZE, "the units leave R")?;
    table(header.unit_imports, u32::SIZE, "the unit imports leave R")?;
    table(header.init, u64::SIZE, "the initialisers leave R")?;
    table(header.fini, u64::SIZE, "the finalisers leave R")?;
    table(header.relr, u64::SIZE, "the relocations leave R")?;
    table(header.fixups, Fixup::SIZE, "the fix-ups leave R")?;
    table(header.indirect_functions, IndirectFunction::SIZE, "the indirect functions leave R")?;
    table(header.thread_slots, ThreadSlot::SIZE, "the TLS slots leave R")?;
    table(header.sections, Section::SIZE, "the sections leave R")?;
    table(header.guards, Guard::SIZE, "the guards leave R")?;
    table(header.unit_guards, u32::SIZE, "the unit guards leave R")?;
    table(header.droppable, Droppable::SIZE, "the droppable units leave R")?;
    inside_r(header, header.strings, "the strings leave R")
}

fn unwind_and_tls(header: &ImageHeader) -> Result<(), ImageError> {
    inside_r(header, header.eh_frame_hdr, "the unwind table leaves R")?;
    inside_r(header, header.eh_frame, "the unwind records leave R")?;
    let template_end = header.tls_template.offset.checked_add(header.tls_template.len);
    if template_end.is_none_or(|end| end > header.loaded_len()) {
        return Err(ImageError::Damaged {
            what: "the TLS template leaves the image",
            offset: header.tls_template.offset,
        });
    }
    let offset = header.tls_template.offset;
    if header.tls_mem_len > MEM_LEN_MAX || header.tls_template.len > header.tls_mem_len {
        return Err(ImageError::Damaged { what: "the TLS template is larger than the block", offset });
    }
    let align = header.tls_align;
    if header.tls_mem_len > 0 && !(align.is_power_of_two() && align <= TLS_ALIGN_MAX) {
        return Err(ImageError::Damaged { what: "the TLS alignment is no power of two up to 1 GiB", offset });
    }
    if header.tls_distance == 0 || is_static_block(header) {
        return Ok(());
    }
    Err(ImageError::Damaged { what: "the TLS block is not where static ones are", offset })
}

/// Whether the block fills some of the bytes that the runtime reserves, at an aligned place.
fn is_static_block(header: &ImageHeader) -> bool {
    let (distance, len, align) = (header.tls_distance, header.tls_mem_len, header.tls_align);
    let end = distance.checked_sub(len);
    distance <= STATIC_TLS_DISTANCE + STATIC_TLS_LEN
        && end.is_some_and(|end| end >= STATIC_TLS_DISTANCE)
        && len > 0
        && align <= STATIC_TLS_ALIGN
        && distance.is_multiple_of(align)
}

fn inside_r(header: &ImageHeader, span: Span, what: &'static str) -> Result<(), ImageError> {
    match span.offset.checked_add(span.len) {
        Some(end) if end <= header.r_len() => Ok(()),
        _ => Err(ImageError::Damaged { what, offset: span.offset }),
    }
}
