//! Thread-local variables.

use crate::image::{BASE, Case, link_all, try_link};
use crate::tools::{assemble, clang, gcc};
use larder_format::image::{
    STATIC_TLS_DISTANCE, STATIC_TLS_LEN, THREAD_SLOT_OWN, TLS_GET_ADDR, ThreadSlot, export_flags, import_flags,
    thread_slot_kinds,
};
use larder_link::{LinkError, LinkOptions};

const SOURCE: &str = "
    __thread int first = 7;
    __thread char big[100] __attribute__((aligned(64)));
    static __thread long mine = 9, other;
    int *get_first(void) { return &first; }
    long sum(void) { return mine + other + big[3]; }
    void set(long x) { mine = x; other = x; }
";

#[test]
fn variables_are_reached_through_pairs_of_module_and_offset() {
    for compile in [clang, gcc] {
        for flags in [&["-O2", "-fPIC"][..], &["-O0", "-fPIC", "-fno-plt"], &["-O1", "-fPIC", "-mcmodel=large"]] {
            let case = link_all(&[&compile("a.c", SOURCE, flags)]);
            let image = case.image();
            let header = *image.header();
            assert_eq!(case.imports(), [TLS_GET_ADDR], "the C library's function is replaced by the runtime's");
            let slots: Vec<ThreadSlot> = image.thread_slots().iter().collect();
            assert!(slots.iter().all(|slot| (slot.kind, slot.import) == (thread_slot_kinds::PAIR, THREAD_SLOT_OWN)));
            let relro = header.rw.offset..header.rw.offset + header.relro_len;
            assert!(slots.iter().all(|slot| relro.contains(&slot.place)), "{slots:x?} in {relro:x?}");
            let offsets: Vec<u64> = slots.iter().map(|slot| slot.offset).collect();
            let first = case.export("first");
            assert_eq!(first.flags, export_flags::TLS);
            assert!(offsets.contains(&first.offset), "{offsets:x?}");
            assert_eq!((header.tls_align, case.export("big").offset % 64), (64, 0));
            assert!(header.tls_mem_len >= case.export("big").offset + 100);
            let template = case.bytes(BASE + header.tls_template.offset, header.tls_template.len as usize);
            assert_eq!(template[first.offset as usize..][..4], 7u32.to_le_bytes());
            assert!(header.tls_template.offset < header.rx.offset, "a template without addresses is read-only");
            assert!(header.tls_template.offset.is_multiple_of(64));
        }
    }
}

#[test]
fn the_address_in_code_is_that_of_the_variable_s_pair() {
    let case = link_all(&[&assemble(
        ".section .tdata,\"awT\",@progbits
        .globl a, b
        .type a, @object
        .type b, @object
        .balign 8
        a: .quad 1
        b: .quad 2
        .text
        .globl general, local
        general: data16 leaq b@tlsgd(%rip), %rdi
        data16; data16; rex64 call __tls_get_addr@PLT
        local: leaq a@tlsld(%rip), %rdi
        call *__tls_get_addr@GOTPCREL(%rip)
        leaq b@dtpoff(%rax), %rcx
        .globl offset
        .set offset, .-4",
    )]);
    let pair = case.branch_target(case.address("general") + 4);
    let block = case.branch_target(case.address("local") + 3);
    let slots: Vec<_> = case.image().thread_slots().iter().map(|slot| (BASE + slot.place, slot.offset)).collect();
    assert_eq!(slots, [(pair, 8), (block, 0)]);
    assert_eq!(case.through_stub(case.branch_target(case.address("general") + 12)), case.import_address(TLS_GET_ADDR));
    assert_eq!(case.signed(case.address("offset")), 8);
}

#[test]
fn variables_that_begin_with_an_address_are_relocated_before_they_are_copied() {
    let source = "int x; __thread int *p = &x; __thread int zeros[4]; int **get(void) { return &p; }";
    let case = link_all(&[&clang("a.c", source, &["-O1", "-fPIC"])]);
    let header = *case.image().header();
    assert!((header.rw.offset..header.rw.offset + header.relro_len).contains(&header.tls_template.offset));
    assert_eq!(case.word(BASE + header.tls_template.offset + case.export("p").offset), case.address("x"));
}

#[test]
fn zeros_alone_need_no_template() {
    let case = link_all(&[&clang("a.c", "__thread int x[5]; int *get(void) { return x; }", &["-O1", "-fPIC"])]);
    let header = *case.image().header();
    assert_eq!((header.tls_template.len, header.tls_mem_len), (0, 20));
}

/// Names of the slots of what other images define, with their kind.
fn imported(case: &Case) -> Vec<(String, u32)> {
    let image = case.image();
    let imports: Vec<_> = image.imports().iter().collect();
    let row = |slot: ThreadSlot| {
        let import = imports.get(slot.import as usize).expect("the slot is that of an import");
        assert_eq!(import.flags, import_flags::TLS);
        let name = image.text(import.name).expect("it lies in the strings");
        (String::from_utf8_lossy(name).into_owned(), slot.kind)
    };
    image.thread_slots().iter().filter(|slot| slot.import != THREAD_SLOT_OWN).map(row).collect()
}

#[test]
fn variables_of_others_are_reached_by_the_model_that_the_compiler_chose() {
    let source = "extern __thread int x; int get(void) { return x; }";
    for (flags, kind) in [
        (&["-O1", "-fPIC"][..], thread_slot_kinds::PAIR),
        (&["-O1", "-fPIC", "-ftls-model=initial-exec"], thread_slot_kinds::DISTANCE),
        (&["-O1", "-fPIE"], thread_slot_kinds::DISTANCE),
        (&["-O1", "-fPIC", "-mtls-dialect=gnu2"], thread_slot_kinds::DESCRIPTOR),
    ] {
        for compile in [clang, gcc] {
            let case = link_all(&[&compile("a.c", source, flags)]);
            assert_eq!(imported(&case), [("x".to_owned(), kind)], "{flags:?}");
            assert_eq!(case.image().header().tls_distance, 0, "nothing of the image's own is thread-local");
        }
    }
}

#[test]
fn code_that_counts_on_fixed_places_gets_them() {
    for (flags, relaxed_count) in [
        (&["-O1", "-fno-pic", "-fno-pie"][..], 0),
        (&["-O1", "-fPIE"], 0),
        (&["-O1", "-fPIC", "-ftls-model=local-exec"], 0),
        (&["-O1", "-fPIC", "-ftls-model=initial-exec"], 1),
    ] {
        let source = "__thread int first = 7; __thread int x[5]; int get(void) { return x[2]; }";
        let case = link_all(&[&gcc("a.c", source, flags)]);
        let header = *case.image().header();
        assert_eq!(header.tls_mem_len, 4 + 12 + 20, "{flags:?}");
        assert_eq!(header.tls_distance, STATIC_TLS_DISTANCE + 48, "{flags:?}: its end, rounded up to 16 bytes");
        assert!(case.image().thread_slots().iter().next().is_none(), "{flags:?}");
        assert_eq!(case.report.relaxed_count, relaxed_count, "{flags:?}");
    }
}

#[test]
fn distances_are_those_from_the_thread_pointer() {
    let case = link_all(&[&assemble(
        ".section .tdata,\"awT\",@progbits
        .globl a, b
        .type a, @object
        .type b, @object
        .balign 8
        a: .quad 1
        b: .quad 2
        .data
        .globl word
        word: .quad b@tpoff
        .text
        .globl direct, load, add, compare, general, descriptor, call
        movq %fs:b@tpoff+3, %rax
        .set direct, .-4
        load: movq b@gottpoff(%rip), %r9
        add: addq a@gottpoff(%rip), %rsp
        compare: cmpq b@gottpoff(%rip), %rcx
        general: data16 leaq b@tlsgd(%rip), %rdi
        data16; data16; rex64 call __tls_get_addr@PLT
        descriptor: leaq b@tlsdesc(%rip), %rax
        call: call *b@tlscall(%rax)",
    )]);
    let (a, b) = (-(STATIC_TLS_DISTANCE as i64) - 16, -(STATIC_TLS_DISTANCE as i64) - 8);
    assert_eq!(case.word(case.address("word")), b as u64);
    assert_eq!(case.signed(case.address("direct")), b + 3);
    let code = |name: &str, len| case.bytes(case.address(name), len);
    assert_eq!(code("load", 3), [0x49, 0xc7, 0xc1]);
    assert_eq!(case.signed(case.address("load") + 3), b);
    assert_eq!(code("add", 3), [0x48, 0x81, 0xc4]);
    assert_eq!(case.signed(case.address("add") + 3), a);
    assert_eq!(case.word(case.branch_target(case.address("compare") + 3)), b as u64, "no rewrite: the slot holds it");
    assert_eq!(code("general", 12), [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x8d, 0x80]);
    assert_eq!(case.signed(case.address("general") + 12), b);
    assert_eq!(code("descriptor", 3), [0x48, 0xc7, 0xc0]);
    assert_eq!(case.signed(case.address("descriptor") + 3), b);
    assert_eq!(code("call", 2), [0x66, 0x90]);
    assert!(case.imports().is_empty(), "the call of __tls_get_addr is gone");
    assert_eq!(case.report.relaxed_count, 5);
}

#[test]
fn a_block_has_a_fixed_place_if_asked_for_and_if_it_fits() {
    let link = |source, static_tls| {
        let object = gcc("a.c", source, &["-O1", "-fPIC"]);
        try_link(&[&object], &LinkOptions { static_tls, ..LinkOptions::default() })
    };
    let distance = |source, static_tls| link(source, static_tls).map(|case| case.image().header().tls_distance);
    let small = "__thread int x[5]; int *get(void) { return x; }";
    assert_eq!(distance(small, false), Ok(0));
    assert_eq!(distance(small, true), Ok(STATIC_TLS_DISTANCE + 32));
    assert_eq!(distance("int f(void) { return 1; }", true), Ok(0), "there is nothing to place");
    let full = "__thread char x[4096] __attribute__((aligned(1024))); char *get(void) { return x; }";
    let object = gcc("a.c", full, &["-O1", "-fPIE"]);
    assert_eq!(link_all(&[&object]).image().header().tls_distance, 2 * STATIC_TLS_LEN);
    for large in [
        "__thread char x[4097]; char *get(void) { return x; }",
        "__thread char x[8] __attribute__((aligned(2048))); char *get(void) { return x; }",
    ] {
        assert_eq!([distance(large, true), distance(large, false)], [Ok(0), Ok(0)], "{large}");
    }
    let object = gcc("a.c", "static __thread char x[9999]; char *get(int i) { return x + i; }", &["-O1", "-fPIE"]);
    let error = try_link(&[&object], &LinkOptions::default()).err().expect("it is refused");
    assert!(matches!(error, LinkError::StaticTlsTooLarge { len: 9999, .. }));
    let error = error.to_string();
    assert!(error.starts_with("9999 bytes of thread-local variables") && error.contains("-fPIC"), "{error}");
}

#[test]
fn what_only_the_defining_image_knows_is_refused() {
    let rows = [
        (gcc("a.c", "extern __thread int x; int f(void) { return x; }", &["-O1", "-ftls-model=local-exec"]), "TPOFF32"),
        (assemble(".globl f\nf: leaq x@dtpoff(%rax), %rcx"), "DTPOFF32"),
    ];
    for (object, relocation) in rows {
        let error = try_link(&[&object], &LinkOptions::default()).err().expect("it is refused").to_string();
        let expected = format!("R_X86_64_{relocation} against x: only the image that defines");
        assert!(error.starts_with("0.o: .text") && error.contains(&expected), "{error}");
    }
}
