//! Finalisers and exit handlers: in order, once, at the drop or at exit.

use crate::child::fork;
use crate::small::*;
use larder_format::image::Fixup;
use larder_runtime::{Chain, Loaded, Names, ProcessSymbols};
use std::cell::RefCell;

thread_local! {
    static CALLS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

extern "C" fn note(call: u32) {
    CALLS.with_borrow_mut(|calls| calls.push(call));
}

fn calls() -> Vec<u32> {
    CALLS.take()
}

/// `mov edi, number; jmp [slot]`.
fn noting(image: &Small, number: u32, slot: u64) -> Vec<u8> {
    let move_number = [&[0xbf][..], &number.to_le_bytes()].concat();
    let jump = jumping_to_slot(image.next_function() + move_number.len() as u64, slot);
    [move_number, jump].concat()
}

/// Initialisers 1 and 2 (which registers handler 3 by `atexit`), finalisers 4 and 5.
fn noisy() -> Small {
    let mut image = Small { imports: vec![("atexit", 2), ("note", 2)], ..Small::default() };
    let [first, second, handler, fourth, fifth] = [1, 2, 3, 4, 5].map(|number| {
        let code = noting(&image, number, 1);
        image.function("", &code)
    });
    // lea rdi, [handler]; jmp [atexit]
    let at = image.next_function();
    let mut code = reaching(&[0x48, 0x8d, 0x3d], at, handler);
    code.extend(jumping_to_slot(at + code.len() as u64, 0));
    let registering = image.function("registering", &code);
    image.init = vec![first, second, registering];
    image.fini = vec![fourth, fifth];
    image.exports.clear();
    image.fixups = vec![Fixup { place: DATA, addend: 0, import: 0, reserved: 0 }];
    image
}

fn load_noisy(note: extern "C" fn(u32)) -> Loaded {
    let names: Names = [("note", note as *const ())].into_iter().collect();
    load(&noisy(), &Chain(&[&names, &ProcessSymbols]))
}

#[test]
fn handlers_run_when_the_image_is_dropped() {
    let image = load_noisy(note);
    assert_eq!(calls(), [1, 2]);
    drop(image);
    assert_eq!(calls(), [3, 4, 5]);
}

#[test]
fn what_was_not_initialised_is_not_finalised() {
    let names: Names = [("note", note as *const ())].into_iter().collect();
    let sealed = sealed(&noisy().build(), &Chain(&[&names, &ProcessSymbols])).expect("the image is right");
    drop(sealed);
    assert!(calls().is_empty());
}

extern "C" fn print(call: u32) {
    let digit = [b'0' + call as u8];
    let written = rustix::io::write(std::io::stderr(), &digit);
    assert_eq!(written, Ok(1));
}

#[test]
fn handlers_run_at_exit_if_the_image_stays() {
    let test = "lifetime::handlers_run_at_exit_if_the_image_stays";
    let Some(output) = fork(test) else {
        load_noisy(print).leak();
        std::process::exit(0);
    };
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "12345");
}

#[test]
fn handlers_do_not_run_again_at_exit_if_the_image_went() {
    let test = "lifetime::handlers_do_not_run_again_at_exit_if_the_image_went";
    let Some(output) = fork(test) else {
        drop(load_noisy(print));
        drop(load_noisy(print));
        std::process::exit(0);
    };
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "1234512345");
}
