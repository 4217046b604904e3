//! What an image can't be, and what the linker says then.

use crate::image::try_link;
use crate::tools::{assemble, clang, gcc, llvm, run};
use larder_link::LinkOptions;
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSection as _};
use std::process::Command;

fn refusal(object: &[u8]) -> String {
    match try_link(&[object], &LinkOptions::default()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was linked"),
    }
}

#[test]
fn relocations_are_refused_with_place_name_and_remedy() {
    let rows = [
        (
            ".globl s\ns: movl $ext, %eax",
            "0.o: .text+0x1: R_X86_64_32 against ext: an address in fewer than 64 bits: compile with -fPIC",
        ),
        (
            ".globl s\ns: movq $s, %rax",
            "0.o: .text+0x3: R_X86_64_32S against s: an address in fewer than 64 bits: compile with -fPIC",
        ),
        (
            ".data\n.globl s\ns: .long s",
            "0.o: .data+0x0: R_X86_64_32 against s: an address in fewer than 64 bits: compile with -fPIC",
        ),
        (
            ".globl s\ns: movabsq $s, %rax",
            "0.o: .text+0x2: R_X86_64_64 against s: an absolute address in code, which no loader may write to: compile with -fPIC",
        ),
        (
            ".data\n.globl s\ns: .quad ext-.",
            "0.o: .data+0x0: R_X86_64_PC64 against ext: the distance to an external is unknown until it is bound: compile with -fPIC",
        ),
        (
            ".hidden gone\n.globl s\ns: call gone",
            "0.o: .text+0x1: R_X86_64_PLT32 against gone: the symbol is hidden, so one of the objects must define it, and none does",
        ),
        (
            ".set n, 5\n.globl n, s\ns: call n",
            "0.o: .text+0x1: R_X86_64_PC32 against no symbol: the distance to an absolute symbol depends on where the image is mapped: load its value instead",
        ),
        (
            ".globl s\ns: .reloc ., R_X86_64_COPY, ext\nnop; nop; nop; nop; nop; nop; nop; nop",
            "0.o: .text+0x0: R_X86_64_COPY against ext: it belongs in a linked file, not in an object",
        ),
        (
            ".section .tdata,\"awT\",@progbits\nt: .quad 0\n.text\n.globl s\ns: leaq t(%rip), %rax",
            "0.o: .text+0x3: R_X86_64_PC32 against t: a thread-local variable is used like an ordinary one",
        ),
        (
            ".globl s\ns: nop\n.reloc ., R_X86_64_TLSGD, s\n.long 0",
            "0.o: .text+0x1: R_X86_64_TLSGD against s: an ordinary symbol is used like a thread-local variable",
        ),
        (
            ".data\n.globl s\ns: .byte s2-.\n.section .far,\"aw\"\n.skip 300\ns2: .byte 0",
            "0.o: .data+0x0: R_X86_64_PC8 against .far: the distance does not fit a field of so few bits",
        ),
    ];
    for (assembly, message) in rows {
        assert_eq!(refusal(&assemble(assembly)), message, "{assembly}");
    }
}

#[test]
fn a_relocation_that_nobody_knows_is_refused_by_its_number() {
    let mut object = assemble(".data\n.globl s\ns: .quad ext");
    let offset = {
        let elf = ElfFile64::<LittleEndian>::parse(object.as_slice()).expect("it is ELF");
        let table = elf.section_by_name(".rela.data").expect("it has a relocation");
        table.file_range().expect("it lies in the file").0 as usize
    };
    object[offset + 8] = 200;
    assert_eq!(refusal(&object), "0.o: .data+0x0: relocation 200 against ext: it is unknown");
}

#[test]
fn code_that_is_not_position_independent_is_refused() {
    for (flags, relocation) in [
        (&["-O1", "-fno-pic", "-fno-pie"][..], "R_X86_64_32"),
        (&["-O1", "-fno-pic", "-fno-pie", "-mcmodel=large"], "R_X86_64_64"),
    ] {
        let source = "extern int table[]; const char *f(int i) { table[i] = 1; return \"x\"; }";
        let message = refusal(&gcc("a.c", source, flags));
        assert!(message.contains(relocation) && message.contains("-fPIC"), "{message}");
    }
}

#[test]
fn what_images_do_not_have_is_refused_by_name() {
    let rows = [
        (
            ".section .wx,\"awx\",@progbits\nnop",
            "0.o: .wx: writable code: images are never writable and executable at once",
        ),
        (".section .init,\"ax\",@progbits\nnop", "0.o: .init: code that is run by position: use constructor functions"),
        (
            ".section .note.GNU-stack,\"x\",@progbits",
            "0.o: .note.GNU-stack: an executable stack: compile without nested functions whose address is taken",
        ),
        (
            ".section .note.GNU-split-stack,\"\",@progbits",
            "0.o: .note.GNU-split-stack: split stacks need a runtime that grows them: compile without -fsplit-stack",
        ),
        (
            ".section .tdata,\"awT\",@progbits\n.balign 8192\n.quad 0",
            "0.o: .tdata: an alignment beyond a page, which only ordinary data and code may have",
        ),
    ];
    for (assembly, message) in rows {
        assert_eq!(refusal(&assemble(assembly)), message, "{assembly}");
    }
}

#[test]
fn other_files_are_called_by_their_name() {
    let object = clang("a.c", "int x;", &["-fPIC"]);
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.o"), &object).expect("the folder is new");
    run(Command::new(llvm("llvm-ar")).arg("rc").arg(path("a.a")).arg(path("a.o")));
    run(Command::new("gcc").args(["-shared", "-nostdlib", "-o"]).arg(path("a.so")).arg(path("a.o")));
    let read = |name: &str| std::fs::read(path(name)).expect("it was just written");
    let with = |at: usize, byte: u8| {
        let mut bytes = object.clone();
        bytes[at] = byte;
        bytes
    };
    let foreign = |target| clang("a.c", "int f(int *p) { return *p; }", &["-O1", &format!("--target={target}")]);
    let rows = [
        (clang("a.c", "int x;", &["-emit-llvm"]), "it is LLVM bitcode"),
        (read("a.a"), "it is an archive"),
        (read("a.so"), "it is a shared library or executable"),
        (assemble(".comm __gnu_lto_slim,1,1"), "it holds intermediate code for gcc's own linker only"),
        (foreign("i386-linux-gnu"), "it is an ELF file for another machine (i386, 32 bits, little-endian)"),
        (foreign("aarch64-linux-gnu"), "it is an ELF file for another machine (aarch64, 64 bits, little-endian)"),
        (foreign("aarch64_be-linux-gnu"), "it is an ELF file for another machine (aarch64, 64 bits, big-endian)"),
        (foreign("s390x-linux-gnu"), "it is an ELF file for another machine (s390x, 64 bits, big-endian)"),
        (foreign("riscv64-linux-gnu"), "it is an ELF file for another machine (riscv, 64 bits, little-endian)"),
        (foreign("x86_64-linux-gnux32"), "it is an ELF file for another machine (x86-64, 32 bits, little-endian)"),
        (with(5, 2), "it is an ELF file for another machine"),
        (with(16, 2), "it is an executable"),
        (with(16, 9), "it is an ELF file of another type"),
        (b"#!/bin/sh\n".to_vec(), "it is no ELF file"),
        (vec![], "it is no ELF file"),
        (object[..40].to_vec(), "it is an ELF file that ends inside its header"),
    ];
    for (bytes, message) in rows {
        let found = refusal(&bytes);
        assert!(found.starts_with(&format!("0.o: {message}")), "{message}: {found}");
    }
}

#[test]
fn a_reference_into_a_discarded_group_is_refused() {
    let group = |extra: &str| {
        assemble(&format!(
            ".section .text.g,\"axG\",@progbits,sig,comdat\n.weak sig\nsig: nop\ninside: ret\n.text\n.globl {extra}\n{extra}: call inside"
        ))
    };
    let (first, second) = (group("a"), group("b"));
    let error = try_link(&[&first, &second], &LinkOptions::default()).err().expect("it is refused").to_string();
    assert!(error.starts_with("1.o: .text+0x1: R_X86_64_PLT32 against ") && error.contains("COMDAT"), "{error}");
}
