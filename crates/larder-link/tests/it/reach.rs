//! Data that is aligned beyond a page, or farther from the code than 32 bits can tell.

use crate::tools::{assemble, clang, gcc};
use larder_format::image::{Image, ImageHeader};
use larder_link::{LinkError, LinkOptions, Object, link};

/// Links without laying the image out in memory: such images are large.
fn try_link(objects: &[&[u8]]) -> Result<Vec<u8>, LinkError> {
    let names: Vec<String> = (0..objects.len()).map(|number| format!("{number}.o")).collect();
    let objects: Vec<_> =
        names.iter().zip(objects).map(|(name, bytes)| Object { name, bytes, ..Object::default() }).collect();
    link(&objects, &LinkOptions::default()).map(|linked| linked.bytes)
}

fn image(file: &[u8]) -> Image<'_> {
    Image::parse(file, file.len() as u64).expect("it is an image")
}

fn offset(file: &[u8], name: &str) -> u64 {
    image(file).exports().find(name.as_bytes()).unwrap_or_else(|| panic!("{name} is exported")).offset
}

/// Whether the loader puts that byte at a multiple of `align`.
fn is_aligned(header: &ImageHeader, offset: u64, align: u64) -> bool {
    header.align >= align && offset.wrapping_sub(header.align_at).is_multiple_of(align)
}

/// Gives sections that are aligned to `from` another alignment. Assemblers align the sections of the object file itself, so that
/// objects would be as large as this.
fn realigned(mut object: Vec<u8>, alignments: &[(u64, u64)]) -> Vec<u8> {
    let number = |object: &[u8], at: usize, len: usize| {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(&object[at..at + len]);
        u64::from_le_bytes(bytes)
    };
    let (headers, count) = (number(&object, 0x28, 8) as usize, number(&object, 0x3c, 2) as usize);
    for place in (0..count).map(|index| headers + 64 * index + 48) {
        let old = number(&object, place, 8);
        if let Some((_, new)) = alignments.iter().find(|(from, _)| *from == old) {
            object[place..place + 8].copy_from_slice(&new.to_le_bytes());
        }
    }
    object
}

#[test]
fn addresses_are_aligned_and_the_file_has_no_gap() {
    let sources = [
        // Behind relro, and with zeros that are stricter than what the file holds.
        ".data\n.quad 1\n.section .data.a,\"aw\"\n.globl a\n.balign 8192\na: .quad a\n.bss\n.globl b\n.balign 16384\nb: .skip 8",
        ".section .lbss,\"awl\",@nobits\n.globl a\n.balign 8192\na: .skip 8\n.comm b, 8, 4194304",
    ];
    let (first, second) = (1 << 30, 1 << 31);
    let aligns = [(first, second), (first, 1 << 22)];
    for (source, (a, b)) in sources.iter().zip(aligns) {
        let object = realigned(assemble(source), &[(8192, first), (16384, second)]);
        let file = try_link(&[&object]).expect("it is linked");
        let header = *image(&file).header();
        assert!(is_aligned(&header, offset(&file, "a"), a) && is_aligned(&header, offset(&file, "b"), b), "{source}");
        assert!(file.len() < 1 << 20, "{source}: {} bytes", file.len());
    }
}

#[test]
fn an_alignment_that_no_address_space_has_is_refused() {
    let object = realigned(assemble(".data\n.balign 8192\n.quad 1"), &[(8192, 1 << 33)]);
    let error = try_link(&[&object]).expect_err("it is refused");
    assert_eq!(
        error.to_string(),
        "the image would have 8589934592 bytes of alignment, at most 4294967296 are possible"
    );
}

#[test]
fn code_and_constants_beyond_a_page_are_aligned_with_data() {
    let file = try_link(&[&assemble(
        ".text\n.globl f, c, d\n.balign 65536\nf: lea d(%rip), %rax\nret
        .section .rodata\n.balign 16384\nc: .quad 1
        .data\n.balign 2097152\nd: .quad f",
    )])
    .expect("it is linked");
    let header = *image(&file).header();
    for (name, align) in [("f", 1 << 16), ("c", 1 << 14), ("d", 1 << 21)] {
        assert!(is_aligned(&header, offset(&file, name), align), "{name}");
    }
    let field = offset(&file, "f") as usize + 3;
    let distance = i32::from_le_bytes(file[field..field + 4].try_into().expect("4 bytes"));
    assert_eq!((field as u64 + 4).wrapping_add_signed(distance.into()), offset(&file, "d"));
    assert!(file.len() < 1 << 18, "{} bytes", file.len());
}

#[test]
fn small_data_stays_near_the_code_whatever_stands_behind_it() {
    let source =
        "char zeros[3ul << 30]; int numbers[1 << 20] = {1}; static int small; const char constants[1 << 17] = {2};
        int f(unsigned long i) { return zeros[i] + numbers[i] + small++ + constants[i]; }
        char *g(void) { return &zeros[1ul << 31]; }";
    for compile in [clang, gcc] {
        for flags in [&["-O1", "-fPIC", "-mcmodel=medium"][..], &["-O0", "-fPIC", "-mcmodel=large", "-fdata-sections"]]
        {
            let file = try_link(&[&compile("a.c", source, flags)]).expect("it is linked");
            let header = *image(&file).header();
            assert!(header.mem_len > 3 << 30);
            assert!(file.len() < 8 << 20, "{flags:?}: {} bytes", file.len());
            assert!(header.rw.len > 4 << 20, "{flags:?}: what the file holds ends behind the large data");
        }
    }
}

#[test]
fn a_large_common_symbol_is_behind_small_zeros() {
    let source = "char far[3ul << 30]; int near;
        #ifndef SMALL
        char *f(void) { near++; return &far[near]; }
        #else
        char big[3ul << 30];
        #endif
    ";
    let medium = gcc("a.c", source, &["-O1", "-fPIC", "-fcommon", "-mcmodel=medium"]);
    let small = gcc("a.c", source, &["-O1", "-fPIC", "-fcommon", "-DSMALL"]);
    let file = try_link(&[&small, &medium]).expect("it is linked");
    assert!(offset(&file, "near") < offset(&file, "far") && offset(&file, "near") < offset(&file, "big"));
}

#[test]
fn a_distance_that_does_not_fit_names_symbol_and_remedy() {
    let object = assemble(".globl f\nf: mov behind(%rip), %eax\nret\n.bss\n.skip 3221225472\nbehind: .quad 0");
    let error = try_link(&[&object]).expect_err("it is refused").to_string();
    assert_eq!(
        error,
        "0.o: .text+0x2: R_X86_64_PC32 against .bss: the distance does not fit the field: compile what uses large data with \
         -mcmodel=medium or -mcmodel=large"
    );
}
