//! Thread-local variables.

use crate::image::{BASE, link_all, try_link};
use crate::tools::{assemble, clang, gcc};
use larder_format::image::{THREAD_SLOT_OWN, TLS_GET_ADDR, ThreadSlot, export_flags, thread_slot_kinds};
use larder_link::LinkOptions;

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

#[test]
fn models_that_images_do_not_have_are_refused() {
    let rows = [
        ("static __thread int x; int get(void) { return x++; }", "-ftls-model=local-exec", "R_X86_64_TPOFF32"),
        ("extern __thread int x; int get(void) { return x; }", "-ftls-model=initial-exec", "R_X86_64_GOTTPOFF"),
        ("extern __thread int x; int get(void) { return x; }", "-ftls-model=global-dynamic", "R_X86_64_TLSGD"),
        ("__thread int x; int get(void) { return x; }", "-mtls-dialect=gnu2", "R_X86_64_GOTPC32_TLSDESC"),
    ];
    for (source, flag, relocation) in rows {
        let object = gcc("a.c", source, &["-O1", "-fPIC", flag]);
        let error = try_link(&[&object], &LinkOptions::default()).err().expect("it is refused").to_string();
        assert!(
            error.starts_with("0.o: .text") && error.contains(&format!(": {relocation} against x: ")),
            "{flag}: {error}"
        );
    }
}
