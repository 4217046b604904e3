//! Indirect functions, and what the linker defines for their resolvers.

use crate::image::{BASE, Case, link_all, try_link};
use crate::tools::{assemble, clang, gcc};
use larder_format::image::{IndirectFunction, export_flags};
use larder_link::LinkOptions;

fn rows(case: &Case) -> Vec<IndirectFunction> {
    case.image().indirect_functions().iter().collect()
}

/// Where a stub finds what it jumps to.
fn slot_of(case: &Case, stub: u64) -> u64 {
    assert_eq!(case.bytes(stub, 2), [0xff, 0x25], "a stub is an indirect jump");
    case.branch_target(stub + 2)
}

const FUNCTION: &str = "
    .text
    .globl f, also_f
    .type f, @gnu_indirect_function
    f: lea chosen(%rip), %rax
    ret
    .set also_f, f
    chosen: ret
    .section .data.rel.ro,\"aw\",@progbits
";

#[test]
fn the_address_is_the_stub_wherever_it_is_taken() {
    let case = link_all(&[
        &assemble(&format!("{FUNCTION}.globl word\nword: .quad f, also_f")),
        &assemble(
            ".text
            .globl uses
            uses: call f@PLT
            call *f@GOTPCREL(%rip)
            lea f(%rip), %rax
            mov f@GOTPCREL(%rip), %rax
            cmp f@GOTPCREL(%rip), %rax
            ret",
        ),
    ]);
    let stub = case.address("f");
    let [row] = rows(&case)[..] else { panic!("one function, however often and by whatever name it is used") };
    assert_eq!(slot_of(&case, stub), BASE + row.slot);
    assert_eq!(case.address("also_f"), stub, "another name for it");
    assert_eq!(case.export("f").flags & export_flags::FUNCTION, export_flags::FUNCTION);
    assert_eq!((case.word(case.address("word")), case.word(case.address("word") + 8)), (stub, stub));
    let uses = case.address("uses");
    assert_eq!(case.branch_target(uses + 1), stub, "a call");
    assert_eq!(case.branch_target(uses + 7), BASE + row.slot, "an indirect call");
    assert_eq!(case.branch_target(uses + 14), stub, "its address");
    assert_eq!(case.bytes(uses + 19, 1), [0x8d], "its address, by an instruction that needs no slot");
    assert_eq!(case.branch_target(uses + 21), stub);
    assert_eq!(case.word(case.branch_target(uses + 28)), stub, "a slot that is compared with");
    let header = *case.image().header();
    assert!((header.rw.offset..header.rw.offset + header.relro_len).contains(&row.slot));
    assert_eq!(case.word(BASE + row.slot), 0, "the loader fills it");
    let resolver = case.bytes(BASE + row.resolver, 3);
    assert_eq!(resolver, [0x48, 0x8d, 0x05], "the resolver is what the symbol labels");
}

#[test]
fn debuggers_see_the_stub() {
    let case = link_all(&[&assemble(FUNCTION)]);
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = folder.path().join("case.image");
    std::fs::write(&path, &case.file).expect("the folder is new");
    let (symbols, errors) = crate::tools::read_image(&case.file, "readelf".as_ref(), &["-sW"]);
    let line = symbols.lines().find(|line| line.ends_with(" f")).expect("f is a symbol");
    assert!(line.contains("FUNC") && !line.contains("IFUNC"), "{line}");
    assert!(line.contains(&format!("{:016x}", case.export("f").offset)), "{line}");
    assert_eq!(errors, "");
}

#[test]
fn nothing_is_left_of_what_nobody_uses() {
    let object = assemble(&format!("{FUNCTION}.hidden f, also_f\n.text\n.globl other\nother: ret"));
    let case = link_all(&[&object]);
    assert_eq!(rows(&case), []);
}

#[test]
fn a_resolver_that_is_data_is_damage() {
    let object = assemble(".data\n.globl f\n.type f, @gnu_indirect_function\nf: .quad 0");
    let error = try_link(&[&object], &LinkOptions::default()).err().expect("it is refused");
    assert_eq!(error.to_string(), "0.o: the object is damaged: the resolver of f is no code");
}

#[test]
fn every_image_has_a_cpu_model_of_its_own_if_it_asks_for_one() {
    let source = "int f(void) { __builtin_cpu_init(); return __builtin_cpu_supports(\"avx2\") + __builtin_cpu_supports(\"gfni\"); }";
    for object in [clang("a.c", source, &["-O1", "-fPIC"]), gcc("a.c", source, &["-O1", "-fPIC"])] {
        let case = link_all(&[&object]);
        let header = *case.image().header();
        assert!((header.rw.offset..header.rw.offset + header.relro_len).contains(&header.cpu_model));
        assert_eq!(case.imports(), ["__cpu_indicator_init"]);
    }
    assert_eq!(link_all(&[&assemble(".globl f\nf: ret")]).image().header().cpu_model, 0);
}
