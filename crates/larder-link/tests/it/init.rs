//! Initialisers and finalisers, in the order a C library would call them.

use crate::image::{Case, link_all, try_link};
use crate::tools::{assemble, clang, gcc};
use larder_link::LinkOptions;

fn names(case: &Case, offsets: impl Iterator<Item = u64>) -> Vec<String> {
    let image = case.image();
    let name = |offset| {
        let unit = image.units().iter().find(|unit| unit.offset == offset).expect("it is a function");
        crate::image::text(&image, unit.name)
    };
    offsets.map(name).collect()
}

fn init(case: &Case) -> Vec<String> {
    names(case, case.image().init().iter())
}

fn fini(case: &Case) -> Vec<String> {
    names(case, case.image().fini().iter())
}

#[test]
fn priorities_come_first_and_finalisers_run_backwards() {
    let source = "
        extern volatile int order;
        #define AT(kind, name, ...) __attribute__((kind __VA_ARGS__)) void name(void) { order = __LINE__; }
        AT(constructor, i_plain)
        AT(constructor, i_200, (200))
        AT(constructor, i_101, (101))
        AT(constructor, i_last)
        AT(destructor, f_plain)
        AT(destructor, f_200, (200))
        AT(destructor, f_101, (101))
        AT(destructor, f_last)
    ";
    let other = "extern volatile int order;
        __attribute__((constructor)) void second(void) { order = 1; }
        __attribute__((constructor(150))) void i_150(void) { order = 2; }";
    for compile in [clang, gcc] {
        let (first, second) = (compile("a.c", source, &["-O1", "-fPIC"]), compile("b.c", other, &["-O1", "-fPIC"]));
        let case = link_all(&[&first, &second]);
        assert_eq!(init(&case), ["i_101", "i_150", "i_200", "i_plain", "i_last", "second"]);
        assert_eq!(fini(&case), ["f_last", "f_plain", "f_200", "f_101"]);
    }
}

#[test]
fn old_lists_are_read_too() {
    let functions: String = ["a", "b", "c", "d", "e", "p"]
        .map(|name| format!(".globl {name}\n.type {name}, @function\n{name}: ret\n.size {name}, .-{name}\n"))
        .concat();
    let object = assemble(&format!(
        "{functions}
        .section .ctors,\"aw\",@progbits
        .quad -1, a, b, 0
        .section .ctors.65435,\"aw\",@progbits
        .quad c
        .section .init_array.00099,\"aw\",@init_array
        .quad d
        .section .init_array,\"aw\",@init_array
        .quad e
        .section .preinit_array,\"aw\",@preinit_array
        .quad p
        .section .dtors,\"aw\",@progbits
        .quad a, b"
    ));
    let case = link_all(&[&object]);
    assert_eq!(init(&case), ["p", "d", "c", "b", "a", "e"]);
    assert_eq!(fini(&case), ["a", "b"]);
}

#[test]
fn an_initialiser_of_the_host_is_called_through_its_stub() {
    let case = link_all(&[&assemble(".section .init_array,\"aw\",@init_array\n.quad ext")]);
    let stub = case.image().init().iter().next().expect("there is one");
    assert_eq!(case.through_stub(crate::image::BASE + stub), case.import_address("ext"));
    let object = assemble(".section .init_array,\"aw\",@init_array\n.quad ext + 8");
    let error = try_link(&[&object], &LinkOptions::default()).err().expect("it is refused").to_string();
    assert!(error.starts_with("0.o: .init_array+0x0: an initialiser or finaliser that is no function"), "{error}");
}
