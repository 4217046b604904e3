//! A library that keeps a little of everything: generics, statics, thread-local variables, panics that are caught, and names for C.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::sync::Mutex;

static SEEN: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the words of a text by a property of theirs.
pub fn count_by<K: Ord>(text: &str, key: impl Fn(&str) -> K) -> BTreeMap<K, usize> {
    CALLS.set(CALLS.get() + 1);
    let mut counts = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(key(word)).or_default() += 1;
        *SEEN.lock().unwrap().entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// Calls of [`count_by`] on this thread.
pub fn calls() -> usize {
    CALLS.get()
}

/// How often all threads saw a word; panics for one that nobody saw.
pub fn seen(word: &str) -> usize {
    SEEN.lock().unwrap()[word]
}

/// Whether `seen` panics.
pub fn is_unheard_of(word: &str) -> bool {
    // What is printed otherwise has the thread's number in it.
    std::panic::set_hook(Box::new(|_| println!("a panic")));
    std::panic::catch_unwind(|| seen(word)).is_err()
}

/// How many different lengths the words of a text have.
///
/// # Safety
/// The text is a string of C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn words_lengths(text: *const c_char) -> usize {
    let text = unsafe { CStr::from_ptr(text) }.to_str().unwrap();
    let on_thread = std::thread::scope(|scope| scope.spawn(|| count_by(text, str::len).len()).join().unwrap());
    on_thread + calls()
}

/// How often a word was seen.
///
/// # Safety
/// The word is a string of C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn words_seen(word: *const c_char) -> usize {
    let word = unsafe { CStr::from_ptr(word) }.to_str().unwrap();
    if is_unheard_of(word) { usize::MAX } else { seen(word) }
}
