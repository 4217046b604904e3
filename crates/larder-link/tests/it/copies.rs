//! Variables of others that code reaches by their distance, as objects for executables do.

use crate::image::{Case, link_all, try_link};
use crate::tools::{assemble, gcc};
use larder_format::image::{COPY_LEN_MAX, PAGE, import_flags};
use larder_link::{Exports, LinkOptions};

fn flags(case: &Case, name: &str) -> u32 {
    let index = case.imports().iter().position(|import| import == name).expect("it is imported");
    case.image().imports().get(index).expect("it has a row").flags
}

#[test]
fn an_address_alone_is_loaded_from_the_slot() {
    let object = assemble(
        ".globl code
        code: leaq ext(%rip), %r9
        leaq weak(%rip), %rax
        .weak weak",
    );
    let case = link_all(&[&object]);
    assert_eq!((flags(&case, "ext"), flags(&case, "weak")), (0, import_flags::WEAK));
    assert_eq!(case.exports(), ["code"]);
    let code = case.address("code");
    assert_eq!(case.bytes(code, 3), [0x4c, 0x8b, 0x0d]);
    assert_eq!(case.bytes(code + 7, 3), [0x48, 0x8b, 0x05]);
    assert_eq!(case.word(case.branch_target(code + 3)), case.import_address("ext"));
    assert_eq!(case.word(case.branch_target(code + 10)), case.import_address("weak"));
}

#[test]
fn whatever_else_code_does_with_a_variable_needs_it_in_the_image() {
    for use_of_it in [
        "movq ext(%rip), %rax",
        "cmpq $0, ext(%rip)",
        "leaq ext+8(%rip), %rax",
        "leal ext(%rip), %eax",
        // Its opcode is that of `lea`, behind a byte that looks like its prefix.
        "vpermb ext(%rip), %zmm0, %zmm1",
        "vpermb ext(%rip), %zmm0, %zmm1{%k1}",
    ] {
        let object = assemble(&format!(
            ".globl code, table
            code: leaq ext(%rip), %rcx
            {use_of_it}
            movq ext@GOTPCREL(%rip), %rdx
            pushq ext@GOTPCREL(%rip)
            .data
            table: .quad ext+8"
        ));
        let options = LinkOptions { exports: Exports::Only(&[b"code", b"table"]), ..LinkOptions::default() };
        let case = try_link(&[&object], &options).expect("it can be linked");
        assert_eq!(case.imports(), ["ext"], "{use_of_it}");
        assert_eq!(flags(&case, "ext"), import_flags::COPIED, "{use_of_it}");
        assert_eq!(case.exports(), ["code", "ext", "table"], "{use_of_it}");
        let copy = case.export("ext");
        assert_eq!((copy.len, copy.flags), (COPY_LEN_MAX, 0), "{use_of_it}");
        assert!(copy.offset.is_multiple_of(PAGE) && copy.offset + copy.len <= case.image().header().mem_len);
        let code = case.address("code");
        assert_eq!(case.bytes(code, 3), [0x48, 0x8d, 0x0d], "{use_of_it}: the address is no slot's");
        assert_eq!(case.branch_target(code + 3), case.address("ext"), "{use_of_it}");
        assert_eq!(case.word(case.address("table")), case.address("ext") + 8, "{use_of_it}");
    }
}

#[test]
fn copies_of_several_objects_have_one_room_for_each_name() {
    let source = "extern int a, b; int f(void) { return a + b; }";
    let other = "extern int b; int f(void); int g(void) { return b + f(); }";
    let objects = [source, other].map(|source| gcc("a.c", source, &["-O1", "-fPIE"]));
    let case = link_all(&[&objects[0], &objects[1]]);
    assert_eq!(case.imports(), ["a", "b"]);
    let distance = case.address("a").abs_diff(case.address("b"));
    assert!(distance >= COPY_LEN_MAX, "{distance}");
    let defined = gcc("a.c", "int a = 7, b = 8;", &["-O1", "-fPIE"]);
    let case = link_all(&[&objects[0], &objects[1], &defined]);
    assert!(case.imports().is_empty(), "nothing of others is needed");
}

#[test]
fn a_weak_variable_may_be_nowhere_and_has_no_copy() {
    let object = assemble(".globl s\ns: movq ext(%rip), %rax\n.weak ext");
    let error = try_link(&[&object], &LinkOptions::default()).err().expect("it is refused").to_string();
    assert_eq!(
        error,
        "0.o: .text+0x3: R_X86_64_PC32 against ext: the distance to an external is unknown until it is bound: compile with -fPIC"
    );
}
