//! Bent, cut and foreign files: a typed error, and nothing of them left in memory.

use crate::small::*;
use larder_format::image::{
    HEADER_OFFSET, Image, ImageError, ImageHeader, PAGE, THREAD_SLOT_OWN, TLS_GET_ADDR, ThreadSlot, thread_slot_kinds,
};
use larder_format::record::Record;
use larder_runtime::{ImageFile, LoadError, Mapped, Sealed};
use std::path::Path;

/// An image with something in every table of the index.
fn full() -> Small {
    let mut image = sample();
    image.imports.insert(0, (TLS_GET_ADDR, 2));
    image.fixups[0].import = 2;
    let at = image.next_function();
    image.init = vec![image.function("init", &jumping_to_slot(at, 2))];
    image.fini = image.init.clone();
    image.thread_slots = vec![own_pair(DATA + 0x20)];
    image.tls_template = vec![1, 2, 3];
    image.tls_mem_len = 64;
    image
}

fn own_pair(place: u64) -> ThreadSlot {
    ThreadSlot { place, offset: 8, import: THREAD_SLOT_OWN, kind: thread_slot_kinds::PAIR }
}

fn mapped_places(name: &str) -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("Linux has it").matches(&format!("/memfd:{name} ")).count()
}

fn all_steps(name: &str, bytes: &[u8], verify: bool) -> Result<Sealed, LoadError> {
    let expectations = if verify { strictly() } else { trusting() };
    Mapped::map(&file_of(name, bytes), &expectations)?.bind(&host_names())?.seal()
}

#[test]
fn every_changed_byte_is_a_typed_error_and_leaves_nothing() {
    let mut file = full().build();
    all_steps("flipped", &file, true).expect("unchanged, it is right");
    for at in 0..file.len() {
        file[at] ^= 1 << (at % 8);
        match all_steps("flipped", &file, true) {
            Err(LoadError::Image { .. } | LoadError::MissingFeatures { .. } | LoadError::Os { .. }) => {}
            other => panic!("byte {at:#x}: {other:?}"),
        }
        file[at] ^= 1 << (at % 8);
    }
    assert_eq!(mapped_places("flipped"), 0);
}

/// What the loader itself reads must not lead it astray even if nobody compares digests.
#[test]
fn no_changed_bit_of_header_and_index_leads_the_loader_astray() {
    let mut file = full().build();
    let index_len = 0x1000;
    let mut errors = 0;
    for bit in 0..index_len * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        errors += usize::from(all_steps("astray", &file, false).is_err());
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(errors > 500, "{errors} of the changes were noticed");
    assert_eq!(mapped_places("astray"), 0);
}

#[test]
fn every_truncation_is_a_typed_error() {
    let file = full().build();
    for len in (0..file.len()).step_by(37).chain([1, 63, 64, PAGE as usize, file.len() - 1]) {
        for verify in [true, false] {
            let result = all_steps("cut", &file[..len], verify);
            assert!(matches!(result, Err(LoadError::Image { .. })), "{len} bytes: {result:?}");
        }
    }
    assert_eq!(mapped_places("cut"), 0);
}

fn bent(bend: impl FnOnce(&mut ImageHeader)) -> Vec<u8> {
    let mut file = full().build();
    let mut header = *Image::parse(&file, file.len() as u64).expect("it is an image").header();
    bend(&mut header);
    write_header(&mut file, &header);
    file
}

#[test]
fn more_memory_than_there_is_is_an_error_of_the_system() {
    let file = bent(|header| header.mem_len = 1 << 40);
    match all_steps("huge", &file, true) {
        // The system may promise that much; then nothing is wrong as long as nobody uses it.
        Err(LoadError::Os { .. }) | Ok(_) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(mapped_places("huge"), 0);
}

#[test]
fn rows_that_contradict_the_header_are_damage() {
    type Bend = fn(&mut Small);
    let cases: &[(&str, Bend)] = &[
        ("relocation outside of RW", |image| image.relr = vec![CODE]),
        ("relocation behind RW", |image| image.relr = vec![BSS]),
        ("bitmap without a word", |image| image.relr = vec![3]),
        ("fix-up outside of RW", |image| image.fixups[0].place = 0),
        ("fix-up without import", |image| image.fixups[0].import = 3),
        ("initialiser in data", |image| image.init = vec![DATA]),
        ("finaliser nowhere", |image| image.fini = vec![u64::MAX]),
        ("thread-local word outside of RW", |image| image.thread_slots = vec![own_pair(CODE)]),
        ("thread-local word without a block", |image| {
            image.tls_mem_len = 0;
            image.tls_template = Vec::new();
        }),
    ];
    for (name, bend) in cases {
        let mut image = full();
        bend(&mut image);
        match all_steps("rows", &image.build(), true) {
            Err(LoadError::Image { source: ImageError::Damaged { .. }, .. }) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(mapped_places("rows"), 0);
}

#[test]
fn names_that_leave_the_strings_are_damage() {
    let mut file = full().build();
    let header = *Image::parse(&file, file.len() as u64).expect("it is an image").header();
    file[header.imports.offset as usize..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let result = all_steps("names", &file, false);
    assert!(matches!(result, Err(LoadError::Image { source: ImageError::Damaged { .. }, .. })), "{result:?}");
}

fn open(path: &Path) -> Result<ImageFile<'static>, LoadError> {
    // SAFETY: nobody writes to these files.
    unsafe { ImageFile::open(path) }
}

#[test]
fn what_is_no_file_is_told_apart() {
    for path in ["/", "/dev/null"] {
        assert!(matches!(open(path.as_ref()), Err(LoadError::NotAFile { .. })), "{path}");
    }
    assert!(matches!(open("/nowhere/at/all".as_ref()), Err(LoadError::Os { operation: "open", .. })));
    let folder = std::fs::File::open("/").expect("it is there");
    // SAFETY: it is no regular file, which must be an error all the same.
    let folder = unsafe { ImageFile::new(folder.into(), PAGE, "/".into()) };
    assert!(matches!(Mapped::map(&folder, &strictly()), Err(LoadError::Os { .. })));
}

#[test]
fn a_file_that_is_no_image_is_told_so() {
    let program = open(&std::env::current_exe().expect("Linux tells")).expect("it is a file");
    let result = Mapped::map(&program, &strictly());
    assert!(matches!(result, Err(LoadError::Image { source: ImageError::NotAnImage(_), .. })), "{result:?}");
    let empty = all_steps("empty", &[], true);
    assert!(matches!(empty, Err(LoadError::Image { source: ImageError::Truncated { .. }, .. })), "{empty:?}");
}

#[test]
fn the_header_fits_the_page_that_the_tests_bend() {
    assert!(HEADER_OFFSET + ImageHeader::SIZE < PAGE as usize);
}
