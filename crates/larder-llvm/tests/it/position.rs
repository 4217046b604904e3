//! Code is position-independent, and reaches externals through slots, whatever the module says.

use object::elf;

use crate::tools::{bitcode, compile, relocations, request, try_compile};

/// What a linker can do for code that may lie anywhere, and for externals that are bound late.
const FREE: &[elf::RelocationType] = &[
    elf::R_X86_64_64,
    elf::R_X86_64_GOTPCREL,
    elf::R_X86_64_GOTPCRELX,
    elf::R_X86_64_REX_GOTPCRELX,
    elf::R_X86_64_TLSGD,
    elf::R_X86_64_TLSLD,
    elf::R_X86_64_DTPOFF32,
];
/// The same, as long as what they refer to is in the same image.
const INSIDE: &[elf::RelocationType] = &[elf::R_X86_64_PC32, elf::R_X86_64_PLT32, elf::R_X86_64_PC64];

#[test]
fn flags_of_the_module_change_nothing() {
    let models: &[&[&str]] = &[
        &["-fno-pic", "-no-pie"],
        &["-fPIE"],
        &["-fPIC"],
        &["-fno-pic", "-ftls-model=local-exec"],
        &["-fPIE", "-ftls-model=initial-exec"],
        &["-fno-pic", "-fno-plt"],
        &["-fPIC", "-fsemantic-interposition"],
    ];
    for flags in models {
        let module = bitcode("position.c", flags);
        for level in ["0", "2", "z"] {
            let compiled =
                try_compile(&request(level, 1), &module).unwrap_or_else(|error| panic!("{flags:?}: {error}"));
            // Fast instruction selection ignores the flag for calls that it makes up; the linker gives those a stub.
            let stubs: &[&str] = if level == "0" { &["memcpy"] } else { &[] };
            check(&compiled.objects, stubs, &format!("{flags:?} at -O{level}"));
        }
    }
}

#[track_caller]
fn check(objects: &[(String, Vec<u8>)], stubs: &[&str], what: &str) {
    let all: Vec<_> = objects.iter().flat_map(|(_, bytes)| relocations(bytes)).collect();
    assert!(all.len() > 20, "{what}: the module has more to it");
    for relocation in &all {
        if relocation.kind == elf::R_X86_64_PLT32 && stubs.contains(&&relocation.symbol[..]) {
            continue;
        }
        let fits = FREE.contains(&relocation.kind) || (INSIDE.contains(&relocation.kind) && !relocation.is_undefined);
        assert!(fits, "{what}: {relocation:?}");
    }
    for external in ["printf", "environ", "memcpy", "__tls_get_addr"] {
        if stubs.contains(&external) {
            continue;
        }
        let through_slot =
            |kind| [elf::R_X86_64_GOTPCREL, elf::R_X86_64_GOTPCRELX, elf::R_X86_64_REX_GOTPCRELX].contains(&kind);
        let mut uses = all.iter().filter(|relocation| relocation.symbol == external).peekable();
        assert!(uses.peek().is_some(), "{what}: {external} isn't used");
        assert!(uses.all(|relocation| through_slot(relocation.kind)), "{what}: {external}");
    }
}

#[test]
fn libcalls_of_the_code_generator_go_through_slots() {
    // 128-bit division and a large copy become calls that no function of the module names.
    let module = "define i128 @d(i128 %x, i128 %y) { %z = sdiv i128 %x, %y ret i128 %z }\n\
        define void @c(ptr %a, ptr %b) { call void @llvm.memcpy.p0.p0.i64(ptr %a, ptr %b, i64 99999, i1 false) ret void }\n\
        declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n";
    let objects = compile(module.as_bytes()).objects;
    let undefined: Vec<_> =
        objects.iter().flat_map(|(_, bytes)| relocations(bytes)).filter(|relocation| relocation.is_undefined).collect();
    assert_eq!(undefined.len(), 2, "{undefined:?}");
    for relocation in undefined {
        assert_eq!(relocation.kind, elf::R_X86_64_GOTPCRELX, "{relocation:?}");
    }
}

#[test]
fn functions_and_data_have_sections_of_their_own() {
    let module = "@one = global i32 1\n@two = global i32 2\ndefine ptr @f() { ret ptr @one }\ndefine ptr @g() { ret ptr @two }\n";
    let objects = compile(module.as_bytes()).objects;
    for name in [".text.f", ".text.g", ".data.one", ".data.two"] {
        assert!(crate::tools::section(&objects, name).is_some(), "{name}");
    }
}

#[test]
fn constructors_stand_in_init_array() {
    let module = "@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 101, ptr @f, ptr null }]\n\
        declare void @g()\ndefine internal void @f() { call void @g() ret void }\n";
    let objects = compile(module.as_bytes()).objects;
    assert!(crate::tools::section(&objects, ".init_array.101").is_some());
}

#[test]
fn definitions_without_a_name_are_nobodys_export() {
    let module = "@0 = global i32 1\ndefine ptr @f() { ret ptr @0 }\n";
    let objects = compile(module.as_bytes()).objects;
    assert_eq!(crate::tools::global_definitions(&objects), ["f"]);
}
