//! A small image made by hand, and what happens when it is bent.

use super::*;

const NAMES: &[u8] = b"\0main\0puts\0clang\0x86_64-pc-linux-gnu\0larder.object$any$heap\0";

/// The smallest image with one export, one unit and two imports, of which one is an object that the unit counts on: R, RX and RW of a
/// page each.
pub(crate) fn tiny() -> Vec<u8> {
    let mut file = vec![0; 3 * PAGE as usize];
    file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\x00");
    file[16..18].copy_from_slice(&ET_DYN.to_le_bytes());
    file[18..20].copy_from_slice(&EM_X86_64.to_le_bytes());
    let mut at = HEADER_OFFSET + ImageHeader::SIZE;
    let mut put = |bytes: Vec<u8>, rows: u32| {
        let table = Table { offset: at as u32, count: rows };
        file[at..at + bytes.len()].copy_from_slice(&bytes);
        at += bytes.len();
        table
    };
    let row = |record: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        record(&mut bytes);
        bytes
    };
    let main = Text { offset: 1, len: 4 };
    let import = Import { name: Text { offset: 6, len: 4 }, hash: gnu_hash(b"puts"), flags: import_flags::FUNCTION };
    let object = Import {
        name: Text { offset: 37, len: 22 },
        hash: gnu_hash(b"larder.object$any$heap"),
        flags: import_flags::OBJECT,
    };
    let guard = Guard { kind: guard_kinds::OBJECT, name: Text { offset: 55, len: 4 }, ..Guard::default() };
    let droppable = Droppable { fallback: DROPPABLE_NO_FALLBACK, guards_count: 1, ..Droppable::default() };
    let export = Export { name: main, hash: gnu_hash(b"main"), flags: export_flags::FUNCTION, offset: PAGE, len: 1 };
    let unit = Unit { name: main, offset: PAGE, len: 1, imports_count: 1, ..Unit::default() };
    let imports = put([row(&|out| object.encode(out)), row(&|out| import.encode(out))].concat(), 2);
    let exports = put(row(&|out| export.encode(out)), 1);
    let export_buckets = put([0u32.to_le_bytes(), 1u32.to_le_bytes()].concat(), 2);
    let units = put(row(&|out| unit.encode(out)), 1);
    let unit_imports = put(1u32.to_le_bytes().to_vec(), 1);
    let guards = put(row(&|out| guard.encode(out)), 1);
    let unit_guards = put(0u32.to_le_bytes().to_vec(), 1);
    let droppable = put(row(&|out| droppable.encode(out)), 1);
    let strings = put(NAMES.to_vec(), 0);
    let header = ImageHeader {
        magic: MAGIC,
        format_version: FORMAT_VERSION,
        abi_version: ABI_VERSION,
        file_len: 3 * PAGE,
        mem_len: 3 * PAGE,
        rx: Span { offset: PAGE, len: PAGE },
        rw: Span { offset: 2 * PAGE, len: PAGE },
        relro_len: PAGE,
        slots_offset: 2 * PAGE,
        align: PAGE,
        imports,
        exports,
        export_buckets,
        units,
        unit_imports,
        guards,
        unit_guards,
        droppable,
        strings: Span { offset: strings.offset.into(), len: NAMES.len() as u64 },
        producer: Text { offset: 11, len: 5 },
        triple: Text { offset: 17, len: 19 },
        ..ImageHeader::default()
    };
    write_header(&mut file, &header);
    file
}

fn write_header(file: &mut [u8], header: &ImageHeader) {
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    file[HEADER_OFFSET..HEADER_OFFSET + bytes.len()].copy_from_slice(&bytes);
    assert!(seal(file), "the file has a header");
}

fn bent(bend: impl FnOnce(&mut ImageHeader)) -> Result<(), ImageError> {
    let mut file = tiny();
    let mut header = *parse(&file).expect("it is an image").header();
    bend(&mut header);
    write_header(&mut file, &header);
    parse(&file).map(drop)
}

fn parse(file: &[u8]) -> Result<Image<'_>, ImageError> {
    Image::parse(file, file.len() as u64)
}

#[test]
fn an_image_tells_its_names() {
    let file = tiny();
    let image = parse(&file).expect("it is an image");
    verify_digest(&file).expect("its digest is right");
    let import = image.imports().get(1).expect("there are two imports");
    assert_eq!(image.text(import.name), Some(&b"puts"[..]));
    assert_eq!(image.exports().find(b"main").map(|e| e.offset), Some(PAGE));
    assert_eq!(image.exports().find(b"mainx"), None);
    assert_eq!(image.triple(), "x86_64-pc-linux-gnu");
    assert_eq!(image.producer(), "clang");
}

#[test]
fn every_changed_byte_changes_the_digest() {
    let mut file = tiny();
    for at in (0..file.len()).step_by(7).chain(content_digest_span()) {
        file[at] ^= 0x10;
        assert_eq!(verify_digest(&file), Err(ImageError::WrongDigest), "byte {at}");
        file[at] ^= 0x10;
    }
}

#[test]
fn every_truncation_is_an_error() {
    let file = tiny();
    for len in (0..2048).chain([4095, 4096, 8191, file.len() - 1]) {
        assert!(parse(&file[..len]).is_err(), "{len} bytes");
        assert!(verify_digest(&file[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn other_platforms_are_named() {
    // Class, data, machine: as the gABI numbers them.
    for (ident, what, name) in [
        ([1, 1, 3, 0], "word size", "i386, 32 bits, little-endian"),
        ([1, 1, 62, 0], "word size", "x86-64, 32 bits, little-endian"),
        ([2, 2, 0, 22], "byte order", "s390x, 64 bits, big-endian"),
        ([2, 1, 183, 0], "machine", "aarch64, 64 bits, little-endian"),
        ([2, 1, 0x34, 0x12], "machine", "machine number 4660, 64 bits, little-endian"),
        ([0, 1, 62, 0], "word size", "x86-64, of unknown word size, little-endian"),
        ([2, 0, 62, 0], "byte order", "x86-64, 64 bits, of unknown byte order"),
    ] {
        let mut file = tiny();
        (file[4], file[5], file[18], file[19]) = ident.into();
        match parse(&file) {
            Err(ImageError::WrongPlatform { what: said, found, .. }) => {
                assert_eq!((said, found.as_str()), (what, name))
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut file = tiny();
    file[7] = 9;
    assert!(matches!(parse(&file), Err(ImageError::WrongPlatform { what: "operating system ABI", .. })));
}

#[test]
fn numbers_that_contradict_each_other_are_damage() {
    type Bend = fn(&mut ImageHeader);
    let bends: &[(&str, Bend)] = &[
        ("rx leaves", |h| h.rx.len = u64::MAX - 4095),
        ("rx past rw", |h| h.rx.len += PAGE),
        ("rw leaves file", |h| h.rw.len += 1),
        ("rw overflow", |h| h.rw.len = u64::MAX),
        ("mem too small", |h| h.mem_len = PAGE),
        ("mem too large", |h| h.mem_len = 1 << 50),
        ("odd mem", |h| h.mem_len += 1),
        ("relro", |h| h.relro_len = 2 * PAGE),
        ("slots before rw", |h| h.slots_offset = 0),
        ("slots behind rw", |h| h.slots_offset = 3 * PAGE),
        ("slots odd", |h| h.slots_offset += 1),
        ("many imports", |h| h.imports.count = u32::MAX),
        ("imports place", |h| h.imports.offset = u32::MAX),
        ("exports", |h| h.exports.count = 1000),
        ("buckets", |h| h.export_buckets.count = u32::MAX),
        ("units", |h| h.units.offset = PAGE as u32),
        ("unit imports", |h| h.unit_imports.count = u32::MAX),
        ("init", |h| h.init = Table { offset: 4095, count: 1 }),
        ("fini", |h| h.fini = Table { offset: 4095, count: 1 }),
        ("relr", |h| h.relr = Table { offset: 4095, count: 1 }),
        ("fixups", |h| h.fixups = Table { offset: 4090, count: 1 }),
        ("tls slots", |h| h.thread_slots = Table { offset: 4095, count: 1 }),
        ("guards", |h| h.guards = Table { offset: 4090, count: 1 }),
        ("unit guards", |h| h.unit_guards.count = u32::MAX),
        ("droppable units", |h| h.droppable = Table { offset: 4090, count: 1 }),
        ("strings", |h| h.strings.len = u64::MAX),
        ("unwind table", |h| h.eh_frame_hdr.len = 4097),
        ("unwind", |h| h.eh_frame.offset = u64::MAX),
        ("tls template", |h| h.tls_template.len = 1),
        ("tls align", |h| h.tls_mem_len = 8),
        ("no alignment", |h| h.align = 0),
        ("less than a page", |h| h.align = PAGE / 2),
        ("odd alignment", |h| h.align = 3 * PAGE),
        ("huge alignment", |h| h.align = 1 << 41),
        ("aligned place", |h| h.align_at = 1),
        ("aligned place outside", |h| h.align_at = 4 * PAGE),
        ("indirect functions", |h| h.indirect_functions = Table { offset: 4090, count: 1 }),
        ("CPU model before RW", |h| h.cpu_model = PAGE),
        ("CPU model behind RW", |h| h.cpu_model = 3 * PAGE - 16),
        ("CPU model nowhere", |h| h.cpu_model = u64::MAX),
        ("static tls without a block", |h| h.tls_distance = 0x1010),
        ("static tls too near", |h| static_block(h, 0x1010, 17, 16)),
        ("static tls too far", |h| static_block(h, 0x2010, 16, 16)),
        ("static tls at an odd place", |h| static_block(h, 0x1018, 8, 16)),
        ("static tls over-aligned", |h| static_block(h, 0x1800, 8, 0x800)),
        ("dso handle", |h| h.dso_handle = PAGE),
        ("source", |h| h.source = Span { offset: u64::MAX, len: 2 }),
    ];
    assert_eq!(bent(|_| ()), Ok(()));
    assert_eq!(bent(|h| static_block(h, 0x2000, 0x1000, 0x400)), Ok(()));
    for (name, bend) in bends {
        assert!(matches!(bent(bend), Err(ImageError::Damaged { .. })), "{name}: {:?}", bent(bend));
    }
    assert!(matches!(bent(|h| h.format_version = 1), Err(ImageError::WrongVersion { found: 1, .. })));
    assert!(matches!(bent(|h| h.format_version += 1), Err(ImageError::WrongVersion { .. })));
    assert!(matches!(bent(|h| h.abi_version = 0), Err(ImageError::WrongVersion { .. })));
    assert!(matches!(bent(|h| h.magic[0] = 0), Err(ImageError::NotAnImage(_))));
    assert!(matches!(bent(|h| h.file_len = 1), Err(ImageError::Truncated { .. })));
}

#[test]
fn guards_are_read_with_what_they_speak_of() {
    let file = tiny();
    let image = parse(&file).expect("it is an image");
    let guard = image.guards().get(0).expect("there is a guard");
    let question = GuardQuestion::Object { name: b"heap", expected: None, import: 0 };
    assert_eq!(image.guard_question(&guard), Ok(question));
    let expecting = Guard { flags: guard_flags::EXPECTED, expected: 7, ..guard };
    let question = GuardQuestion::Object { name: b"heap", expected: Some(7), import: 0 };
    assert_eq!(image.guard_question(&expecting), Ok(question));
    let name = Text { offset: 1, len: 4 };
    let predicate =
        Guard { kind: guard_kinds::PREDICATE, arguments: name, import: GUARD_NO_IMPORT, expected: 3, ..guard };
    let question = GuardQuestion::Predicate { name: b"heap", arguments: b"main", expected: 3 };
    assert_eq!(image.guard_question(&predicate), Ok(question));

    let row = image.droppable().get(0).expect("a unit is droppable");
    let unit = image.droppable_unit(&row).expect("it is one");
    assert_eq!((unit.index, unit.unit.offset, unit.fallback), (0, PAGE, None));
    assert_eq!(unit.guards.iter().collect::<Vec<_>>(), [0]);
    let unit = image.droppable_unit(&Droppable { fallback: 0, ..row }).expect("it is one");
    assert_eq!(unit.fallback, Some(0));
}

#[test]
fn units_are_found_by_their_guards() {
    const FREE: usize = 3000;
    let mut file = tiny();
    let mut header = *parse(&file).expect("it is an image").header();
    // Runs of guards: 0 and 1, 2, and 1 alone.
    let runs: [u32; 4] = [0, 1, 2, 1];
    let rows = [(4, 0, 2), (9, 0, 2), (1, 2, 1), (2, 3, 1), (7, 3, 1)];
    let row =
        |(unit, guards_first, guards_count)| Droppable { unit, guards_first, guards_count, ..Droppable::default() };
    let mut bytes = Vec::new();
    rows.into_iter().for_each(|fields| row(fields).encode(&mut bytes));
    header.droppable = Table { offset: FREE as u32, count: rows.len() as u32 };
    header.unit_guards = Table { offset: (FREE + bytes.len()) as u32, count: runs.len() as u32 };
    runs.iter().for_each(|guard| bytes.extend_from_slice(&guard.to_le_bytes()));
    file[FREE..FREE + bytes.len()].copy_from_slice(&bytes);
    write_header(&mut file, &header);
    let image = parse(&file).expect("it is an image");
    let units =
        |failed: &[u32]| image.droppable_by(|guard| failed.contains(&guard)).map(|row| row.unit).collect::<Vec<_>>();
    for (failed, expected) in [
        (&[][..], &[][..]),
        (&[0], &[4, 9]),
        (&[1], &[4, 9, 2, 7]),
        (&[2], &[1]),
        (&[0, 1], &[4, 9, 2, 7]),
        (&[0, 1, 2], &[4, 9, 1, 2, 7]),
        (&[3], &[]),
    ] {
        assert_eq!(units(failed), expected, "{failed:?}");
    }
}

#[test]
fn guards_that_speak_of_nothing_are_damage() {
    let file = tiny();
    let image = parse(&file).expect("it is an image");
    let guard = image.guards().get(0).expect("there is a guard");
    for bad in [
        Guard { kind: 0, ..guard },
        Guard { kind: 3, ..guard },
        Guard { import: 1, ..guard },
        Guard { import: GUARD_NO_IMPORT, ..guard },
        Guard { name: Text { offset: u32::MAX, len: u32::MAX }, ..guard },
        Guard { arguments: Text { offset: 1, len: 3 }, ..guard },
    ] {
        assert!(matches!(image.guard_question(&bad), Err(ImageError::Damaged { .. })), "{bad:?}");
    }
    let row = image.droppable().get(0).expect("a unit is droppable");
    for bad in [
        Droppable { unit: 1, ..row },
        Droppable { fallback: 1, ..row },
        Droppable { guards_first: 1, ..row },
        Droppable { guards_count: 2, ..row },
        Droppable { guards_first: u32::MAX, guards_count: u32::MAX, ..row },
    ] {
        assert!(matches!(image.droppable_unit(&bad), Err(ImageError::Damaged { .. })), "{bad:?}");
    }
    let mut header = *image.header();
    header.guards.count = 0;
    let mut file = tiny();
    write_header(&mut file, &header);
    let image = parse(&file).expect("it is an image");
    assert!(image.droppable_unit(&row).is_err(), "the guard is gone");
}

fn static_block(header: &mut ImageHeader, distance: u64, len: u64, align: u64) {
    (header.tls_distance, header.tls_mem_len, header.tls_align) = (distance, len, align);
}

#[test]
fn a_text_that_leaves_the_strings_is_none() {
    let file = tiny();
    let image = parse(&file).expect("it is an image");
    for (offset, len) in [(0, 1000), (u32::MAX, u32::MAX), (1, 3), (1, 5), (1, 9)] {
        assert_eq!(image.text(Text { offset, len }), None, "{offset}+{len}");
    }
    assert_eq!(image.text(Text { offset: 0, len: 0 }), Some(&b""[..]));
}
