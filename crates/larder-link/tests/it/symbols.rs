//! Which definition a name means, and what is offered.

use crate::image::{Case, link_all, link_with, try_link};
use crate::tools::{assemble, clang, gcc};
use larder_format::image::{export_flags, import_flags};
use larder_link::{Exports, LinkOptions};

/// An object whose `x` is a word of data with this value.
fn word(binding: &str, value: u32) -> Vec<u8> {
    assemble(&format!(".data\n{binding} x\nx: .quad {value}\n.globl use{value}\nuse{value}: .quad x"))
}

fn common(len: u32, align: u32) -> Vec<u8> {
    assemble(&format!(".comm x, {len}, {align}\n.data\n.globl use{len}\nuse{len}: .quad x"))
}

fn value_of(case: &Case, name: &str) -> u64 {
    case.word(case.address(name))
}

#[test]
fn the_strongest_definition_wins_and_of_equals_the_first() {
    let (strong, weak, other_weak) = (word(".globl", 1), word(".weak", 2), word(".weak", 3));
    let rows: &[(&[&[u8]], u64)] = &[
        (&[&strong, &weak], 1),
        (&[&weak, &strong], 1),
        (&[&weak, &other_weak], 2),
        (&[&other_weak, &weak], 3),
        (&[&common(4, 4), &weak], 0),
        (&[&weak, &common(4, 4)], 0),
        (&[&common(4, 4), &strong], 1),
    ];
    for (number, (objects, expected)) in rows.iter().enumerate() {
        let case = link_all(objects);
        assert_eq!(value_of(&case, "x"), *expected, "row {number}");
        for user in case.exports().iter().filter(|name| name.starts_with("use")) {
            assert_eq!(value_of(&case, user), case.address("x"), "row {number}: {user} means the same x");
        }
    }
}

#[test]
fn two_strong_definitions_are_refused_and_both_objects_named() {
    let (first, second) = (word(".globl", 1), word(".globl", 2));
    let error = try_link(&[&first, &second], &LinkOptions::default()).err().expect("it is refused");
    assert_eq!(error.to_string(), "x is defined twice: by 0.o and by 1.o");
}

#[test]
fn a_common_symbol_is_as_large_and_as_aligned_as_its_largest_mention() {
    let case = link_all(&[&common(4, 4), &common(100, 16), &common(8, 64)]);
    let x = case.export("x");
    assert_eq!((x.len, x.offset % 64), (100, 0));
    assert!(case.section_range(".bss").contains(&(x.offset + 99)));
}

#[test]
fn a_repeated_comdat_group_is_left_out_with_its_unwind_records() {
    let source = "
        struct E {};
        template <class T> __attribute__((noinline)) T twice(T x) { if (x < 0) throw E(); return x + x; }
        int USER(int x) { try { return twice(x); } catch (E &) { return -1; } }
    ";
    let first = clang("a.cpp", source, &["-O1", "-fPIC", "-DUSER=first", "-g"]);
    let second = gcc("a.cpp", source, &["-O1", "-fPIC", "-DUSER=second", "-g"]);
    let case = link_all(&[&first, &second]);
    let names: Vec<_> = case.exports();
    assert_eq!(names.iter().filter(|name| name.contains("twice")).count(), 1, "{names:?}");
    assert!(case.report.dropped_count > 0);
    assert_eq!(case.image().units().len(), 3);
    assert_eq!(crate::unwind::described_functions(&case).len(), 3);
}

#[test]
fn what_a_discarded_group_defines_is_the_kept_group_s() {
    let object = |value: u32| {
        assemble(&format!(
            ".section .data.g,\"awG\",@progbits,signature,comdat
            .globl strong
            strong: .quad {value}
            .data
            .globl use{value}
            use{value}: .quad strong"
        ))
    };
    let case = link_all(&[&object(1), &object(2)]);
    assert_eq!(value_of(&case, "strong"), 1);
    assert_eq!(value_of(&case, "use2"), case.address("strong"));
}

#[test]
fn only_visible_definitions_are_offered() {
    let object = assemble(
        ".data
        .globl seen, guarded, secret, number, _end
        .weak maybe
        .protected guarded
        .hidden secret
        .set number, 5
        seen: .quad _end
        guarded: .quad secret
        secret: .quad 0
        maybe: .quad other
        mine: .quad 0
        .text
        .globl code
        .type code, @function
        code: ret
        .size code, .-code",
    );
    let case = link_all(&[&object]);
    assert_eq!(case.exports(), ["code", "guarded", "maybe", "seen"]);
    assert_eq!(case.imports(), ["other"]);
    assert_eq!(case.export("maybe").flags, export_flags::WEAK);
    assert_eq!(case.export("code").flags, export_flags::FUNCTION);
    assert_eq!((case.export("code").len, case.export("seen").flags), (1, 0));
}

fn only<'a>(names: &'a [&'a [u8]]) -> LinkOptions<'a> {
    LinkOptions { exports: Exports::Only(names), ..LinkOptions::default() }
}

#[test]
fn exports_that_are_asked_for_are_offered_alone_and_others_are_dropped() {
    let source = "int helper(void); int wanted(void) { return helper(); } int unwanted(void) { return 1; }
        __attribute__((visibility(\"hidden\"))) int secret(void) { return 2; }";
    let object = clang("a.c", source, &["-O1", "-fPIC", "-ffunction-sections"]);
    let case = link_with(&[&object], &only(&[b"wanted", b"wanted"]));
    assert_eq!((case.exports(), case.image().units().len()), (vec!["wanted".to_owned()], 1));
    assert_eq!(link_with(&[&object], &only(&[b"secret"])).exports(), ["secret"]);
    for (name, message) in [
        (&b"helper"[..], "export helper: no object defines it, though some need it"),
        (b"nobody", "export nobody: no object defines it"),
    ] {
        let names = [name];
        let error = try_link(&[&object], &only(&names)).err().expect("it is refused");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn who_looks_names_up_may_find_all() {
    let source = "void *dlsym(void *, const char *); int kept(void) { return 1; }
        __attribute__((visibility(\"hidden\"))) int secret(void) { return 2; }
        void *start(void) { return dlsym(0, \"kept\"); }";
    let object = clang("a.c", source, &["-O1", "-fPIC", "-ffunction-sections"]);
    let mut exports = link_with(&[&object], &only(&[b"start"])).exports();
    exports.sort();
    assert_eq!(exports, ["kept", "start"]);
}

#[test]
fn an_object_s_own_word_on_its_processor_counts() {
    let source = "int f(void) { return 1; }";
    let object = |flags: &[&str]| crate::tools::gcc("a.c", source, flags);
    let features = |object: &[u8]| link_all(&[object]).image().header().features;
    assert!(features(&object(&["-O1", "-fPIC"])).is_empty());
    let level = larder_format::cpu::x86_64::level("x86-64-v3").expect("it is known");
    assert_eq!(features(&object(&["-O1", "-fPIC", "-march=x86-64-v3", "-mneeded"])), level);
}

#[test]
fn what_is_not_loaded_is_not_offered() {
    let object = assemble(".section .notes,\"\",@progbits\n.globl note\nnote: .quad 0\n.data\n.globl x\nx: .quad 0");
    assert_eq!(link_all(&[&object]).exports(), ["x"]);
    let error = try_link(&[&object], &only(&[b"note"])).err().expect("it is refused");
    assert_eq!(error.to_string(), "export note: it lies in a section that is not loaded");
}

#[test]
fn an_import_is_weak_only_if_nobody_needs_it() {
    let weak = assemble(".weak x\n.data\n.globl a\na: .quad x");
    let strong = assemble(".data\n.globl b\nb: .quad x");
    let flags = |objects: &[&[u8]]| link_all(objects).image().imports().get(0).map(|import| import.flags);
    assert_eq!(flags(&[&weak]), Some(import_flags::WEAK));
    assert_eq!(flags(&[&strong]), Some(0));
    assert_eq!(flags(&[&weak, &strong]), Some(0));
    assert_eq!(flags(&[&strong, &weak]), Some(0));
}

#[test]
fn an_import_is_a_function_if_it_is_called() {
    let object = assemble(
        ".globl start
        start: call called@PLT
        call *called_too@GOTPCREL(%rip)
        movq loaded@GOTPCREL(%rip), %rax",
    );
    let case = link_all(&[&object]);
    let flags: Vec<_> = case.image().imports().iter().map(|import| import.flags).collect();
    assert_eq!(case.imports(), ["called", "called_too", "loaded"]);
    assert_eq!(flags, [import_flags::FUNCTION, import_flags::FUNCTION, 0]);
}

#[test]
fn names_are_bytes() {
    let object = assemble(
        ".data
        .globl \"a b\", \"\u{fc}ber$@x\"
        \"a b\": .quad \"no such, thing\"
        \"\u{fc}ber$@x\": .quad 0",
    );
    let case = link_all(&[&object]);
    assert_eq!(case.exports(), ["a b", "\u{fc}ber$@x"]);
    assert_eq!(case.imports(), ["no such, thing"]);
}

#[test]
fn the_linker_s_own_symbols_name_the_ends_of_things() {
    let object = assemble(
        ".data
        .balign 8
        .globl start
        start: .quad __executable_start, _etext, _edata, __bss_start, _end, __dso_handle, __init_array_start, __init_array_end
        .hidden __dso_handle
        .bss
        .globl zeros
        zeros: .skip 5000
        .text
        .globl code
        code: ret",
    );
    let case = link_all(&[&object]);
    assert_eq!(case.imports(), [""; 0]);
    let header = *case.image().header();
    let base = crate::image::BASE;
    let value = |index: u64| case.word(case.address("start") + 8 * index);
    assert_eq!(value(0), base);
    assert!(value(1) > case.address("code"));
    assert!(value(2) <= value(3) && value(3) == case.address("zeros"));
    assert_eq!(value(4), case.address("zeros") + 5000);
    assert_eq!(value(5), base + header.dso_handle);
    assert_eq!(case.word(value(5)), value(5), "the handle holds its own address");
    assert_eq!(value(6), value(7), "the loader runs initialisers, not the program");
}

#[test]
fn a_default_version_is_what_the_bare_name_means() {
    let define = assemble(".globl old, new\nold: nop\n.symver old, f@V1\nnew: ret\n.symver new, f@@V2");
    let user = assemble(".data\n.globl word\nword: .quad f");
    let case = link_all(&[&define, &user]);
    assert_eq!(case.word(case.address("word")), case.address("new"));
    assert_eq!((case.address("f"), case.address("f@V1")), (case.address("new"), case.address("old")));
    assert!(case.imports().is_empty());
}

#[test]
fn a_name_that_keeps_its_version_beside_itself_is_no_duplicate() {
    let case = link_all(&[&assemble(".globl f\nf: ret\n.symver f, f@@V1")]);
    assert_eq!(case.exports(), ["f"]);
    let twice = assemble(".globl f\nf: nop\n.globl other\nother: ret\n.symver other, f@@V1");
    let error = try_link(&[&twice], &LinkOptions::default()).err().expect("it is refused");
    assert_eq!(error.to_string(), "f is defined twice: by 0.o and by 0.o");
}

#[test]
fn an_old_version_of_an_external_is_an_import_of_that_version() {
    let case = link_all(&[&assemble(".symver old, memcpy@GLIBC_2.2.5\n.globl f\nf: jmp old@PLT")]);
    assert_eq!(case.imports(), ["memcpy@GLIBC_2.2.5"]);
}
