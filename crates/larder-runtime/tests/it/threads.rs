//! Thread-local variables and destructors of compiled code.

use crate::compiled::{image_of, load};
use larder_runtime::{Chain, Loaded, Names, ProcessSymbols};
use std::ffi::c_int;
use std::sync::mpsc::channel;
use std::sync::{LazyLock, Mutex};

/// What the images of one test have noted. Tests that note anything hold [`TEST`].
static NOTES: Mutex<Vec<c_int>> = Mutex::new(Vec::new());
static TEST: Mutex<()> = Mutex::new(());

extern "C" fn note(number: c_int) {
    NOTES.lock().expect("nobody panics with it").push(number);
}

fn notes() -> Vec<c_int> {
    std::mem::take(&mut NOTES.lock().expect("nobody panics with it"))
}

static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| image_of("threads.cpp"));

fn threads() -> Loaded {
    let names: Names = [("note", note as *const ())].into_iter().collect();
    load(&IMAGE, &Chain(&[&names, &ProcessSymbols]))
}

fn call(image: &Loaded, name: &str) -> c_int {
    // SAFETY: the case's functions have this type.
    let function = unsafe { image.function::<extern "C" fn() -> c_int>(name) };
    function.unwrap_or_else(|| panic!("{name} is exported"))()
}

#[test]
fn constructors_and_destructors_of_globals_run_once() {
    let _test = TEST.lock();
    let image = threads();
    assert_eq!(notes(), [1]);
    assert_eq!(call(&image, "global_len"), 18);
    drop(image);
    assert_eq!(notes(), [2]);
}

#[test]
fn each_thread_counts_for_itself_even_one_that_was_there_before() {
    let _test = TEST.lock();
    let (send, receive) = channel::<Loaded>();
    let early = std::thread::spawn(move || {
        let image = receive.recv().expect("an image is sent");
        let counts = [call(&image, "count"), call(&image, "count")];
        (image, counts)
    });
    let image = threads();
    assert_eq!([call(&image, "count"), call(&image, "count")], [41, 43]);
    send.send(image).expect("the thread waits");
    let (image, counts) = early.join().expect("the thread is well");
    assert_eq!(counts, [41, 43]);
    assert_eq!(call(&image, "count"), 46);
    drop(image);
    notes();
}

#[test]
fn an_image_stays_until_threads_have_run_its_destructors() {
    let _test = TEST.lock();
    let image = threads();
    notes();
    let (send, receive) = channel::<()>();
    let thread = std::thread::spawn(move || {
        assert_eq!(call(&image, "local_len"), 62);
        drop(image);
        receive.recv().expect("it is told to end");
    });
    assert!(notes().is_empty(), "neither the thread's object nor the global is destroyed yet");
    send.send(()).expect("the thread waits");
    thread.join().expect("the thread is well");
    assert_eq!(notes(), [62, 2]);
}
