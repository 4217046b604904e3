//! Every relocation that compilers write into position-independent code, one by one.

use crate::image::{BASE, Case, link_all};
use crate::tools::assemble;

/// What a field must come out as. Names are labels of the case or imports.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// A 32-bit distance from the end of the field.
    Near(&'static str),
    /// The same, behind which another `n` bytes of the instruction follow.
    NearBefore(&'static str, i64),
    /// A 32-bit distance from the end of the field to a slot that holds the address.
    Slot(&'static str),
    /// A 32-bit distance from the end of the field to a stub that jumps to the import.
    Stub(&'static str),
    /// A 64-bit distance from the field.
    Far(&'static str, i64),
    /// A 64-bit distance from the field to a slot that holds the address.
    FarSlot(&'static str),
    /// An address, in 64 bits.
    Address(&'static str, i64),
    /// Bytes.
    Bytes(&'static [u8]),
}
use Expect::*;

const TARGETS: &str = "
    .section .text.t,\"ax\",@progbits
    .globl f, g
    f: ret
    g: nop; ret
    .data
    .globl d
    .balign 8
    .quad 0
    d: .quad 0x1122334455667788
    .size d, 8
    .type d, @object
    .set number, 0x1234
    .globl number
    .text
";

/// Name of the relocation, assembly, and label → what stands there.
type Row = (&'static str, &'static str, &'static [(&'static str, Expect)]);

const ROWS: &[Row] = &[
    (
        "R_X86_64_64 data",
        ".data\n.balign 8\np: .quad f\nq: .quad d+24",
        &[("p", Address("f", 0)), ("q", Address("d", 24))],
    ),
    ("R_X86_64_64 import", ".data\n.byte 0\np: .quad ext+3", &[("p", Address("ext", 3))]),
    (
        "R_X86_64_64 odd places",
        ".data\n.byte 0\np: .quad f+1, ext+2\n.byte 0\nq: .quad q",
        &[("p", Address("f", 1)), ("q", Address("q", 0))],
    ),
    ("R_X86_64_64 constants move", ".section .rodata\n.balign 8\np: .quad f", &[("p", Address("f", 0))]),
    (
        "R_X86_64_64 constants move for imports",
        ".section .rodata\n.balign 8\np: .quad ext",
        &[("p", Address("ext", 0))],
    ),
    (
        "R_X86_64_64 number",
        ".section .rodata\n.balign 8\np: .quad number+1",
        &[("p", Bytes(&[0x35, 0x12, 0, 0, 0, 0, 0, 0]))],
    ),
    ("R_X86_64_32 number", "movl $number, %eax\n.set p, .-4", &[("p", Bytes(&[0x34, 0x12, 0, 0]))]),
    ("R_X86_64_16 number", ".data\np: .short number", &[("p", Bytes(&[0x34, 0x12]))]),
    ("R_X86_64_8 number", ".data\n.set n, 0x7f\n.globl n\np: .byte n", &[("p", Bytes(&[0x7f]))]),
    ("R_X86_64_PC32 code", "leaq f(%rip), %rax\n.set p, .-4", &[("p", Near("f"))]),
    ("R_X86_64_PC32 data", "leaq d+8(%rip), %rax\n.set p, .-4", &[("p", NearBefore("d", 8))]),
    ("R_X86_64_PC32 immediate behind", "movl $7, d(%rip)\n.set p, .-8", &[("p", NearBefore("d", -4))]),
    ("R_X86_64_PC32 call", ".byte 0xe8\np: .reloc ., R_X86_64_PC32, ext-4\n.long 0", &[("p", Stub("ext"))]),
    ("R_X86_64_PC32 jcc", ".byte 0x0f, 0x84\np: .reloc ., R_X86_64_PC32, ext-4\n.long 0", &[("p", Stub("ext"))]),
    ("R_X86_64_PC64", ".section .rodata\np: .quad f-p", &[("p", Far("f", 0))]),
    (
        "R_X86_64_PC16 and PC8",
        ".section .text.t,\"ax\",@progbits\np: .reloc ., R_X86_64_PC16, g\n.short 0\nq: .reloc ., R_X86_64_PC8, g\n.byte 0",
        &[("p", Bytes(&[0xfe, 0xff])), ("q", Bytes(&[0xfc]))],
    ),
    ("R_X86_64_PLT32 own", "call f\n.set p, .-4\njmp g\n.set q, .-4", &[("p", Near("f")), ("q", Near("g"))]),
    (
        "R_X86_64_PLT32 import",
        "call ext@PLT\n.set p, .-4\njne ext@PLT\n.set q, .-4",
        &[("p", Stub("ext")), ("q", Stub("ext"))],
    ),
    ("R_X86_64_PLT32 table", ".section .rodata\np: .long ext@PLT - . - 4\n.long f@PLT - .", &[("p", Stub("ext"))]),
    (
        "R_X86_64_GOTPCREL",
        "pushq ext@GOTPCREL(%rip)\n.set p, .-4\n.byte 0xff, 0x35\nq: .reloc ., R_X86_64_GOTPCREL, d-4\n.long 0",
        &[("p", Slot("ext")), ("q", Slot("d"))],
    ),
    (
        "R_X86_64_GOTPCRELX import",
        "call *ext@GOTPCREL(%rip)\n.set p, .-4\njmp *ext@GOTPCREL(%rip)\n.set q, .-4\nmovq ext@GOTPCREL(%rip), %rbx\n.set r, .-4",
        &[("p", Slot("ext")), ("q", Slot("ext")), ("r", Slot("ext"))],
    ),
    (
        "R_X86_64_GOTPCRELX call",
        "i: call *f@GOTPCREL(%rip)\n.set p, .-4",
        &[("i", Bytes(&[0x67, 0xe8])), ("p", Near("f"))],
    ),
    ("R_X86_64_GOTPCRELX jmp", "i: jmp *f@GOTPCREL(%rip)\n.set p, .-5", &[("i", Bytes(&[0xe9])), ("p", Near("f"))]),
    (
        "R_X86_64_GOTPCRELX mov",
        "i: movl d@GOTPCREL(%rip), %ecx\n.set p, .-4",
        &[("i", Bytes(&[0x8d, 0x0d])), ("p", Near("d"))],
    ),
    (
        "R_X86_64_REX_GOTPCRELX mov",
        "i: movq d@GOTPCREL(%rip), %r12\n.set p, .-4",
        &[("i", Bytes(&[0x4c, 0x8d, 0x25])), ("p", Near("d"))],
    ),
    (
        "R_X86_64_REX_GOTPCRELX others",
        "i: addq d@GOTPCREL(%rip), %rcx\n.set p, .-4\ntestq %rdx, d@GOTPCREL(%rip)\n.set q, .-4\ncmpq number@GOTPCREL(%rip), %rax",
        &[("i", Bytes(&[0x48, 0x03, 0x0d])), ("p", Slot("d")), ("q", Slot("d"))],
    ),
    (
        "R_X86_64_CODE_4_GOTPCRELX",
        "i: movq d@GOTPCREL(%rip), %r17\n.set p, .-4\naddq d@GOTPCREL(%rip), %r17\n.set q, .-4",
        &[("i", Bytes(&[0xd5, 0x48, 0x8d, 0x0d])), ("p", Near("d")), ("q", Slot("d"))],
    ),
    (
        "R_X86_64_GOTPCREL64",
        "p: .reloc ., R_X86_64_GOTPCREL64, ext\n.quad 0\nq: .reloc ., R_X86_64_GOTPCREL64, d\n.quad 0",
        &[("p", FarSlot("ext")), ("q", FarSlot("d"))],
    ),
    ("weak import", ".weak maybe\n.data\n.balign 8\np: .quad maybe", &[("p", Address("maybe", 0))]),
    (
        "weak hidden is null",
        ".weak maybe\n.hidden maybe\n.data\n.balign 8\np: .quad maybe\n.text\nmovq maybe@GOTPCREL(%rip), %rax\ncall maybe",
        &[("p", Bytes(&[0; 8]))],
    ),
    (
        "R_X86_64_SIZE64",
        ".data\np: .quad d@SIZE\nq: .long d@SIZE+1",
        &[("p", Bytes(&[8, 0, 0, 0, 0, 0, 0, 0])), ("q", Bytes(&[9, 0, 0, 0]))],
    ),
    ("R_X86_64_NONE", ".reloc ., R_X86_64_NONE, ext\np: nop", &[("p", Bytes(&[0x90]))]),
];

fn check(case: &Case, label: &str, expect: Expect) -> Result<(), String> {
    let place = case.address(label);
    let place_of = |name: &str| match case.image().exports().find(name.as_bytes()) {
        Some(export) => BASE + export.offset,
        None => case.import_address(name),
    };
    let (found, wanted) = match expect {
        Near(name) => (case.branch_target(place), place_of(name)),
        NearBefore(name, addend) => (case.branch_target(place), place_of(name).wrapping_add_signed(addend)),
        Slot(name) => (case.word(case.branch_target(place)), place_of(name)),
        Stub(name) => (case.through_stub(case.branch_target(place)), place_of(name)),
        Far(name, addend) => (place.wrapping_add(case.word(place)), place_of(name).wrapping_add_signed(addend)),
        FarSlot(name) => (case.word(place.wrapping_add(case.word(place))), place_of(name)),
        Address(name, addend) => (case.word(place), place_of(name).wrapping_add_signed(addend)),
        Bytes(bytes) if case.bytes(place, bytes.len()) == bytes => return Ok(()),
        Bytes(bytes) => return Err(format!("{label}: {:x?} instead of {bytes:x?}", case.bytes(place, bytes.len()))),
    };
    if found == wanted { Ok(()) } else { Err(format!("{label}: {found:#x} instead of {wanted:#x}, {expect:?}")) }
}

fn unit_offset(case: &Case, name: &str) -> u64 {
    let image = case.image();
    let unit = image.units().iter().find(|unit| crate::image::text(&image, unit.name) == name);
    unit.unwrap_or_else(|| panic!("there is a function {name}")).offset
}

#[test]
fn each_kind_comes_out_as_the_psabi_says() {
    for (name, assembly, expectations) in ROWS {
        let labels: String = expectations.iter().map(|(label, _)| format!(".globl {label}\n")).collect();
        let case = link_all(&[&assemble(&format!("{TARGETS}\n.text\nstart: .globl start\n{labels}{assembly}\n"))]);
        for (label, expect) in *expectations {
            check(&case, label, *expect).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// The large code model reaches everything by distances from the slots, in 64 bits.
#[test]
fn the_large_code_model_counts_from_the_slots() {
    let case = link_all(&[&assemble(&format!(
        "{TARGETS}
        .globl base, p, q, r, s, t
        base: leaq base(%rip), %rax
        movabsq $_GLOBAL_OFFSET_TABLE_-base, %rbx
        .set p, .-8
        movabsq $d@GOTOFF, %rcx
        .set q, .-8
        movabsq $ext@GOT, %rdx
        .set r, .-8
        movabsq $ext@PLTOFF, %rsi
        .set s, .-8
        movabsq $f@PLTOFF, %rdi
        .set t, .-8
        "
    ))]);
    let got = case.address("base").wrapping_add(case.word(case.address("p")));
    assert_eq!(got, BASE + case.image().header().slots_offset);
    let from_got = |label: &str| got.wrapping_add(case.word(case.address(label)));
    assert_eq!(from_got("q"), case.address("d"));
    assert_eq!(case.word(from_got("r")), case.import_address("ext"));
    assert_eq!(case.through_stub(from_got("s")), case.import_address("ext"));
    assert_eq!(from_got("t"), case.address("f"));
}

/// What clang makes of the large code model, as a whole.
#[test]
fn clang_s_large_code_model_links() {
    let source = "
        extern int host(int *), value;
        static int counter;
        static int twice(int x) { return 2 * x; }
        int (*volatile choice)(int) = twice;
        int run(int x) { counter += x; return host(&counter) + value + choice(x); }
    ";
    let case = link_all(&[&crate::tools::clang("large.c", source, &["-O2", "-fPIC", "-mcmodel=large"])]);
    assert_eq!(case.imports(), ["host", "value"]);
    assert_eq!((case.report.stubs_count, case.report.relative_count), (0, 1), "{:?}", case.report);
    assert_eq!(case.word(case.address("choice")), crate::image::BASE + unit_offset(&case, "twice"));
}

#[test]
fn one_external_has_one_slot_however_it_is_used() {
    let case = link_all(&[&assemble(
        "call ext@PLT
         movq ext@GOTPCREL(%rip), %rax
         call *ext@GOTPCREL(%rip)
         .globl start
         start: ret
         .data
         .quad ext, ext+8",
    )]);
    assert_eq!(case.imports(), ["ext"]);
    assert_eq!((case.report.stubs_count, case.report.fixups_count), (1, 0), "data that nothing reaches is dropped");
}
