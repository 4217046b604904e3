//! A program's definitions in place of those that its libraries would take.
//!
//! A native program stands first in the search order, so a library that calls `operator new` or `malloc` through the dynamic linker calls the
//! program's, if it defines one. Here the libraries were bound before the image came. So their bindings are made anew: every word of a
//! library that the dynamic linker has filled with a symbol's address (gABI "Relocation"; psABI x86-64: `R_X86_64_64`, `GLOB_DAT`,
//! `JUMP_SLOT`) becomes the address of the image's export of that name, if there is one.
//!
//! What a library hands to itself without the dynamic linker (hidden aliases, `-Bsymbolic`) stays, as natively. The host program keeps its
//! own bindings, and so does the dynamic linker. Libraries that are loaded later find the exports by themselves (see [`super::object`]).

use super::library::{BoundWord, Library, libraries};
use std::ffi::CStr;

/// Binds the libraries of this process to the addresses that `find` knows.
///
/// # Safety
/// The addresses stay valid to the end of the process, and what is there is what the libraries take it to be.
pub(crate) unsafe fn preempt(find: &dyn Fn(&CStr) -> Option<usize>) {
    forget_error();
    // The first is the host program.
    for library in libraries().iter().skip(1) {
        library.bind(library.bound_words().filter_map(|word| new_value(library, &word, find)));
    }
}

/// Place and new value of a word, if it changes.
fn new_value(library: &Library, word: &BoundWord, find: &dyn Fn(&CStr) -> Option<usize>) -> Option<(usize, usize)> {
    let address = find(library.symbol_name(word.symbol))?;
    Some((word.place, address.wrapping_add_signed(word.addend)))
}

/// Memory that the C library's allocator gave must not reach another's `free`: the last message of the dynamic linker is such memory, and the
/// second question frees it.
fn forget_error() {
    for _ in 0..2 {
        // SAFETY: the message is not looked at.
        unsafe { libc::dlerror() };
    }
}
