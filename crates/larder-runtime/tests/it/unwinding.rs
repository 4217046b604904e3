//! Exceptions and panics across frames of images and of the host.

use crate::child::{fork, in_child};
use crate::compiled::{image_of, load};
use larder_runtime::{Arguments, Chain, Loaded, Names, ProcessSymbols};
use std::ffi::{CString, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

extern "C-unwind" fn host_call(function: extern "C-unwind" fn(c_int) -> c_int, argument: c_int) -> c_int {
    // Something to clean up, so that the frame has a landing pad.
    let argument = Box::new(argument);
    function(*argument) + 1
}

extern "C-unwind" fn host_panic() {
    std::panic::resume_unwind(Box::new("of the host"));
}

static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| image_of("exceptions.cpp"));

fn exceptions() -> Loaded {
    let names: Names =
        [("host_call", host_call as *const ()), ("host_panic", host_panic as *const ())].into_iter().collect();
    load(&IMAGE, &Chain(&[&names, &ProcessSymbols]))
}

fn call(image: &Loaded, name: &str, argument: c_int) -> c_int {
    // SAFETY: the cases' functions have this type.
    let function = unsafe { image.function::<extern "C-unwind" fn(c_int) -> c_int>(name) };
    function.unwrap_or_else(|| panic!("{name} is exported"))(argument)
}

#[test]
fn exceptions_are_caught_in_the_image() {
    let image = exceptions();
    for (number, expected) in [(2, -1), (3, 5), (12345, 9)] {
        assert_eq!(call(&image, "caught_here", number), expected, "{number}");
    }
    assert_eq!(call(&image, "destroyed_count", 0), 3);
    assert_eq!((call(&image, "cast", 0), call(&image, "cast", 1)), (0, 6));
}

#[test]
fn exceptions_pass_through_frames_of_the_host() {
    let image = exceptions();
    assert_eq!(call(&image, "through_the_host", 0), 1);
    assert_eq!(call(&image, "through_the_host", 7), 1007);
    assert_eq!(call(&image, "destroyed_count", 0), 4);
}

#[test]
fn panics_pass_through_frames_of_the_image() {
    let image = exceptions();
    for name in ["panic_through", "panic_seen_and_passed_on"] {
        let panic = catch_unwind(AssertUnwindSafe(|| call(&image, name, 0))).expect_err(name);
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the host"));
    }
    assert_eq!(call(&image, "destroyed_count", 0), 1);
    let seen = image.symbol("panic_seen").expect("it is exported").cast::<c_int>();
    // SAFETY: it is an `int` of the case.
    assert_eq!(unsafe { seen.read() }, 1);
}

/// `catches` of one image, given a function of another.
fn catch_from(image: &Loaded, other: &Loaded, name: &str, argument: c_int) -> c_int {
    type Function = extern "C-unwind" fn(c_int) -> c_int;
    // SAFETY: the case's function has this type.
    let catches = unsafe { image.function::<extern "C-unwind" fn(Function, c_int) -> c_int>("catches") };
    // SAFETY: the cases' functions have this type.
    let thrower = unsafe { other.function::<Function>(name) };
    catches.expect("it is exported")(*thrower.expect("it is exported"), argument)
}

#[test]
fn exceptions_pass_from_image_to_image() {
    let (one, other) = (exceptions(), exceptions());
    for (name, argument, expected) in
        [("throw_number", 7, 2007), ("throw_number", 0, 0), ("rethrows", 3, 3005), ("through_the_host", 7, 1007)]
    {
        assert_eq!(catch_from(&one, &other, name, argument), expected, "{name}");
    }
    assert_eq!((call(&one, "destroyed_count", 0), call(&other, "destroyed_count", 0)), (4, 5));
}

/// Images in the second measurement of a throw's cost.
const CROWD: usize = 1000;
/// Throws in one round, of which the quickest counts: other work on the machine only ever adds.
const THROWS: c_int = 500;
const ROUNDS: usize = 40;
/// Factor by which a throw may become slower: a search costs the logarithm of the crowd, more of it if nothing is optimised. A walk
/// over the crowd would make it dozens.
const SLOWER_MAX: f64 = if cfg!(debug_assertions) { 2.0 } else { 1.3 };

/// Processor time of the quickest round, in seconds.
fn throw_cost(image: &Loaded) -> f64 {
    let round = || {
        let before = processor_time();
        assert_eq!(call(image, "throw_often", THROWS), THROWS);
        processor_time() - before
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// What this thread has used, which doesn't depend on who else is running. In seconds.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the answer.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[test]
fn a_thousand_images_do_not_slow_throws() {
    if !in_child("unwinding::a_thousand_images_do_not_slow_throws") {
        return;
    }
    let image = exceptions();
    let alone = throw_cost(&image);
    let crowd: Vec<Loaded> = (0..CROWD).map(|_| exceptions()).collect();
    let (among, newest) = (throw_cost(&image), throw_cost(&crowd[CROWD - 1]));
    assert!(among <= alone * SLOWER_MAX, "{among:e} s among {CROWD} images, {alone:e} s alone");
    assert!(newest <= alone * SLOWER_MAX, "{newest:e} s in the last of {CROWD} images, {alone:e} s in the first");
}

#[test]
fn images_come_and_go_while_others_throw() {
    let lasting = exceptions();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| assert_eq!(call(&lasting, "caught_here", 3), 5)));
        }
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(call(&exceptions(), "through_the_host", 7), 1007)));
        }
    });
}

#[test]
fn an_exception_that_leaves_main_ends_the_process_as_it_would_natively() {
    let test = "unwinding::an_exception_that_leaves_main_ends_the_process_as_it_would_natively";
    let Some(output) = fork(test) else {
        let image = exceptions();
        let arguments = Arguments::new(vec![CString::from(c"a"), CString::from(c"b")]);
        // SAFETY: the case's `main` has C's type.
        unsafe { larder_runtime::program::run_main(&image, "main", &arguments) };
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(libc::SIGABRT), "{text}");
    assert!(text.contains("terminate called after throwing an instance of 'int'"), "{text}");
}
