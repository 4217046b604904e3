//! What stays, where it goes, and what is kept once.

use crate::image::{BASE, link_all, link_with, relative_places};
use crate::tools::{assemble, clang};
use larder_link::{Exports, LinkOptions};

const ONLY_START: LinkOptions<'static> = LinkOptions {
    exports: Exports::Only(&[b"start"]),
    key: [0; 32],
    module_digest: [0; 32],
    features: larder_format::cpu::CpuFeatures::NONE,
    producer: "",
    triple: "",
    source: None,
    static_tls: false,
    keep_debug: true,
    threads: std::num::NonZeroUsize::MIN,
};

#[test]
fn what_nothing_reaches_is_dropped() {
    let object = assemble(
        ".section .text.start,\"ax\",@progbits
        .globl start
        start: call used
        .section .text.used,\"ax\",@progbits
        used: leaq table(%rip), %rax
        .section .data.table,\"aw\",@progbits
        table: .quad through_data
        .section .text.through_data,\"ax\",@progbits
        through_data: ret
        .section .text.dead,\"ax\",@progbits
        dead: call imported_by_the_dead
        .section .data.kept,\"awR\",@progbits
        .quad kept_import",
    );
    let case = link_with(&[&object], &ONLY_START);
    assert_eq!(case.imports(), ["kept_import"]);
    assert_eq!((case.report.sections_count, case.report.dropped_count), (7, 2), "{:?}", case.report);
}

#[test]
fn what_describes_a_section_or_shares_its_group_lives_with_it() {
    let object = assemble(
        ".section .text.start,\"ax\",@progbits
        .globl start
        start: ret
        .section .text.dead,\"ax\",@progbits
        dead: ret
        .section .meta,\"awo\",@progbits,.text.start
        .quad import_of_a_live_description
        .section .meta,\"awo\",@progbits,.text.dead,unique,1
        .quad import_of_a_dead_description
        .section .text.grouped,\"axG\",@progbits,group
        .globl grouped
        grouped: ret
        .section .data.companion,\"awG\",@progbits,group
        .quad import_of_a_companion",
    );
    assert_eq!(link_with(&[&object], &ONLY_START).imports(), ["import_of_a_live_description"]);
    let exports = Exports::Only(&[b"grouped"]);
    assert_eq!(link_with(&[&object], &LinkOptions { exports, ..ONLY_START }).imports(), ["import_of_a_companion"]);
}

#[test]
fn sections_between_start_and_stop_stay_together() {
    let unit = |name: &str, extra: &str| {
        assemble(&format!(
            ".section mylist,\"aw\",@progbits\n.quad {name}\n.data\n.globl {name}\n{name}: .quad 0\n{extra}"
        ))
    };
    let user = ".globl start\nstart: .quad __start_mylist, __stop_mylist, __start_nothing\n.weak __start_nothing";
    let objects = [unit("a", user), unit("b", ""), unit("c", "")];
    let objects: Vec<&[u8]> = objects.iter().map(Vec::as_slice).collect();
    let case = link_all(&objects);
    let (start, stop) = (case.word(case.address("start")), case.word(case.address("start") + 8));
    assert_eq!(stop - start, 24);
    let names: Vec<u64> = (0..3).map(|index| case.word(start + 8 * index)).collect();
    assert_eq!(names, ["a", "b", "c"].map(|name| case.address(name)));
    assert_eq!(case.imports(), ["__start_nothing"]);
    assert_eq!(case.section_range("mylist").start + BASE, start);
}

#[test]
fn a_measured_list_of_constants_moves_as_a_whole_if_one_of_them_has_an_address() {
    let user = "\n.data\n.globl start\nstart: .quad __start_mylist, __stop_mylist";
    let with_address = assemble(&format!(".section mylist,\"a\",@progbits\n.quad start{user}"));
    let without = assemble(".section mylist,\"a\",@progbits\n.quad 7");
    let case = link_all(&[&with_address, &without]);
    let (start, stop) = (case.word(case.address("start")), case.word(case.address("start") + 8));
    assert_eq!(stop - start, 16);
    assert_eq!((case.word(start), case.word(start + 8)), (case.address("start"), 7));
}

#[test]
fn a_list_that_nobody_measures_is_dropped_with_what_it_names() {
    let object = assemble(".section mylist,\"aw\",@progbits\n.quad ext\n.data\n.globl start\nstart: .quad 0");
    assert_eq!(link_all(&[&object]).imports(), [""; 0]);
}

#[test]
fn equal_strings_and_constants_are_kept_once() {
    let object = |name: &str, own: &str| {
        assemble(&format!(
            ".section .rodata.str1.1,\"aMS\",@progbits,1
            .LA: .asciz \"shared\"
            .LB: .asciz \"{own}\"
            .section .rodata.str4.4,\"aMS\",@progbits,4
            .balign 4
            .LC: .long 'w', 'i', 'd', 'e', 0
            .section .rodata.cst8,\"aM\",@progbits,8
            .balign 8
            .LD: .quad 0x400921fb54442d18
            .LE: .quad 0x{:016x}
            .data
            .globl {name}
            {name}: .quad .LA, .LB, .LC, .LD, .LE, .rodata.str1.1+7",
            own.len()
        ))
    };
    let (first, second) = (object("a", "one"), object("b", "three"));
    let case = link_all(&[&first, &second]);
    let word = |name: &str, index: u64| case.word(case.address(name) + 8 * index);
    for shared in [0, 2, 3] {
        assert_eq!(word("a", shared), word("b", shared), "piece {shared}");
    }
    for (name, own, number) in [("a", &b"one\0"[..], 3), ("b", b"three\0", 5)] {
        assert_eq!(case.bytes(word(name, 0), 7), b"shared\0");
        assert_eq!(case.bytes(word(name, 1), own.len()), own);
        assert_eq!(case.word(word(name, 3)), 0x4009_21fb_5444_2d18);
        assert_eq!(case.word(word(name, 4)), number);
        assert_eq!(word(name, 5), word(name, 1), "a section and a distance mean the piece there");
    }
    assert_eq!(case.report.merged_len, 7 + 20 + 8);
}

#[test]
fn merged_strings_keep_their_alignment() {
    let object = assemble(
        ".section .rodata.str1.16,\"aMS\",@progbits,1
        .balign 16
        .LA: .asciz \"a\"
        .balign 16
        .LB: .asciz \"b\"
        .data
        .globl start
        start: .quad .LA, .LB",
    );
    let case = link_all(&[&object]);
    for (index, text) in [(0, b"a\0"), (1, b"b\0")] {
        let address = case.word(case.address("start") + 8 * index);
        assert_eq!((address % 16, case.bytes(address, 2)), (0, &text[..]));
    }
}

#[test]
fn a_distance_to_a_merged_section_itself_keeps_it_whole() {
    let object = assemble(
        ".section .rodata.cst8,\"aM\",@progbits,8
        .quad 1, 1, 2
        .text
        .globl start
        start: leaq .rodata.cst8+16(%rip), %rax
        .reloc .-4, R_X86_64_NONE, 0",
    );
    let case = link_all(&[&object]);
    assert_eq!(case.word(case.branch_target(case.address("start") + 3)), 2);
    assert_eq!(case.report.merged_len, 0);
}

#[test]
fn only_writable_pages_have_words_for_the_loader() {
    let source = "
        extern int ext(void), value;
        int own(void) { return 1; }
        int (*const constant[])(void) = { own, ext };
        int (*variable[])(void) = { ext, own };
        static const char *const names[] = { \"a\", \"b\" };
        const char *const *const list = names;
        const int numbers[] = { 1, 2, 3 };
        char zeros[9000];
        struct __attribute__((packed)) { char c[2]; int *p; } packed = { \"x\", &value }, inner = { \"y\", (int *)&packed };
        int run(int i) { switch (i) { case 0: return ext(); case 1: return value; case 2: return own(); case 3: return 9; case 4: return 2; }
            return constant[i]() + variable[i]() + numbers[i] + zeros[i] + names[i][0]; }
    ";
    for flags in [&["-O2", "-fPIC"][..], &["-O0", "-fPIC", "-fno-plt"], &["-O2", "-fPIC", "-mcmodel=medium"]] {
        for object in [clang("a.c", source, flags), crate::tools::gcc("a.c", source, flags)] {
            let case = link_all(&[&object]);
            let header = *case.image().header();
            let relro = header.rw.offset..header.rw.offset + header.relro_len;
            assert!(relro.contains(&case.export("constant").offset), "constants with addresses become read-only");
            assert!(relro.contains(&case.export("list").offset));
            assert!(relro.end <= case.export("variable").offset);
            assert!(case.export("numbers").offset < header.rx.offset, "constants without stay in R");
            assert!(case.export("zeros").offset + 9000 <= header.mem_len);
            assert!(header.rw.len < 3 * 4096, "zeros take no room in the file");
            assert_eq!(case.word(case.address("constant")), case.address("own"));
            assert_eq!(case.word(case.address("constant") + 8), case.import_address("ext"));
            assert_eq!(case.word(case.address("inner") + 2), case.address("packed"), "words need not be aligned");
            assert!(relative_places(&case.image()).iter().all(|place| *place >= header.rw.offset));
        }
    }
}

#[test]
fn hot_code_comes_first_and_cold_code_last() {
    let function =
        |section: &str, name: &str| format!(".section {section},\"ax\",@progbits\n.globl {name}\n{name}: ret\n");
    let sections = [
        (".text.unlikely.a", "cold"),
        (".text.a", "plain"),
        (".text.startup.a", "once"),
        (".text.hot.a", "hot"),
        (".text.hotel", "hotel"),
    ];
    let source: String = sections.iter().map(|(section, name)| function(section, name)).collect();
    let case = link_all(&[&assemble(&source)]);
    let mut names: Vec<_> = sections.map(|(_, name)| (case.export(name).offset, name)).to_vec();
    names.sort_unstable();
    let names: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["hot", "plain", "hotel", "once", "cold"]);
}

#[test]
fn gaps_in_code_are_traps() {
    let case = link_all(&[&assemble(
        ".section .text.a,\"ax\",@progbits\n.globl a\na: ret\n.section .text.b,\"ax\",@progbits\n.balign 64\n.globl b\nb: ret",
    )]);
    let gap = case.address("a") + 1..case.address("b");
    assert_eq!(gap.end - gap.start, 63);
    assert!(case.bytes(gap.start, 63).iter().all(|byte| *byte == 0xcc));
    let end = case.address("b") + 1;
    let rest = case.image().header().rw.offset + BASE - end;
    assert!(case.bytes(end, rest as usize).iter().all(|byte| *byte == 0xcc), "to the end of the page");
}

#[test]
fn large_sections_are_part_of_the_image() {
    let object = assemble(
        ".section .lbss,\"awl\",@nobits\n.globl zeros\nzeros: .skip 100
        .section .ldata,\"awl\",@progbits\n.globl data\ndata: .quad zeros
        .section .lrodata,\"al\",@progbits\n.globl constant\nconstant: .quad 7",
    );
    let case = link_all(&[&object]);
    assert_eq!(case.word(case.address("data")), case.address("zeros"));
    assert_eq!(case.word(case.address("constant")), 7);
    assert!(case.has_section(".ldata") && case.has_section(".lbss") && case.has_section(".lrodata"));
}

#[test]
fn no_objects_make_an_image_of_nothing() {
    let case = link_all(&[]);
    assert_eq!((case.exports(), case.imports()), (vec![], vec![]));
    assert_eq!((case.image().header().rx.len, case.image().header().rw.len), (0, 0));
}
