//! Models of thread-local storage: what each compiler makes of them, and where the blocks are.

use crate::child::{alone, in_child};
use crate::compiled::{load, object, try_load};
use larder_link::{LinkOptions, Object, link};
use larder_runtime::{LoadError, Loaded, Names, ProcessSymbols, StaticTlsError};
use std::cell::Cell;
use std::ffi::{CString, c_int, c_long};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;

/// Links a case as that compiler makes it.
fn image(compiler: &str, case: &str, flags: &[&str]) -> Vec<u8> {
    image_with(compiler, case, flags, false)
}

fn image_with(compiler: &str, case: &str, flags: &[&str], static_tls: bool) -> Vec<u8> {
    let bytes = object(compiler, case, flags);
    let options = LinkOptions { static_tls, ..LinkOptions::default() };
    let linked = link(&[Object { name: case, bytes: &bytes, ..Object::default() }], &options);
    linked.unwrap_or_else(|error| panic!("{compiler} {flags:?} {case}: {error}")).bytes
}

fn call<R>(image: &Loaded, name: &str) -> R {
    // SAFETY: the case's functions have the type that the caller names.
    let function = unsafe { image.function::<extern "C" fn() -> R>(name) };
    function.unwrap_or_else(|| panic!("{name} is exported"))()
}

fn bump(image: &Loaded) -> c_int {
    call(image, "bump")
}

/// What `models.c` must do, wherever its block is.
fn check(image: &Loaded, what: &str) {
    assert_eq!([bump(image), bump(image)], [48, 50], "{what}");
    assert_eq!(call::<c_long>(image, "rest"), 0, "{what}: alignment, pointer, zeros");
    let number: usize = call(image, "address_of_number");
    assert_eq!(image.symbol("number").map(|address| address as usize), Some(number), "{what}");
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            assert_eq!(call::<c_long>(image, "rest"), 0, "{what}: in another thread");
            assert_ne!(call::<usize>(image, "address_of_number"), number, "{what}");
            [bump(image), bump(image)]
        });
        assert_eq!(other.join().expect("the thread is well"), [48, 50], "{what}");
    });
    assert_eq!(call::<c_int>(image, "in_a_thread_of_c"), 50, "{what}");
    assert_eq!(call::<c_int>(image, "in_a_signal_handler"), 99, "{what}");
}

/// Flags, and whether they need the static block.
const MODELS: [(&[&str], bool); 7] = [
    (&["-O2", "-fPIC"], false),
    (&["-O2", "-fPIC", "-ftls-model=local-dynamic"], false),
    (&["-O0", "-fPIC", "-fno-plt"], false),
    (&["-O2", "-fPIC", "-mtls-dialect=gnu2"], false),
    (&["-O2", "-fPIC", "-ftls-model=initial-exec"], true),
    (&["-O2", "-fPIC", "-ftls-model=local-exec"], true),
    (&["-O0", "-fPIE"], true),
];

#[test]
fn every_model_of_every_compiler_reaches_the_same_variables() {
    alone("models::every_model_of_every_compiler_reaches_the_same_variables", || {
        for compiler in ["gcc", "clang-22"] {
            for (flags, needs_static) in MODELS {
                for static_tls in [false, true] {
                    let what = format!("{compiler} {flags:?}, static block asked for: {static_tls}");
                    let image = load(&image_with(compiler, "models.c", flags, static_tls), &ProcessSymbols);
                    let is_static = image.image().header().tls_distance != 0;
                    assert_eq!(is_static, needs_static || static_tls, "{what}");
                    check(&image, &what);
                }
            }
        }
    });
}

#[test]
fn objects_for_a_fixed_address_reach_their_variables() {
    alone("models::objects_for_a_fixed_address_reach_their_variables", || {
        for compiler in ["gcc", "clang-22"] {
            for flags in [&["-O0", "-fno-pic", "-fno-pie"], &["-O2", "-fno-pic", "-fno-pie"]] {
                let image = load(&image(compiler, "plain.c", flags), &Names::new());
                let count = || call::<c_int>(&image, "count");
                assert_eq!([count(), count()], [35, 37], "{compiler} {flags:?}");
                let other = std::thread::scope(|scope| scope.spawn(count).join().expect("the thread is well"));
                assert_eq!(other, 35, "{compiler} {flags:?}");
            }
        }
    });
}

#[test]
fn threads_that_only_the_c_library_knows_have_initial_values() {
    // glibc keeps a thread for its timers to the end of the process, which is in the way of another static block.
    let test = "models::threads_that_only_the_c_library_knows_have_initial_values";
    alone(test, || {
        let image = load(&image("gcc", "models.c", &["-O2", "-fPIE"]), &ProcessSymbols);
        for _ in 0..3 {
            assert_eq!(call::<c_int>(&image, "in_a_thread_of_a_timer"), 50);
        }
    });
}

#[test]
fn one_image_has_the_static_block_and_leaves_it_clean() {
    alone("models::one_image_has_the_static_block_and_leaves_it_clean", || {
        let bytes = image("gcc", "models.c", &["-O2", "-fPIE"]);
        let first = load(&bytes, &ProcessSymbols);
        assert_eq!(bump(&first), 48);
        let taken = try_load(&bytes, &ProcessSymbols).expect_err("it is refused");
        assert!(matches!(taken, LoadError::StaticTls { source: StaticTlsError::Taken, .. }), "{taken}");
        assert!(taken.to_string().contains("-fPIC"), "{taken}");
        let dynamic = load(&image("gcc", "models.c", &["-O2", "-fPIC"]), &ProcessSymbols);
        assert_eq!([bump(&dynamic), bump(&first)], [48, 50]);
        let place = first.symbol("number").expect("it is exported").cast::<c_int>();
        drop(first);
        // SAFETY: the bytes are this thread's reserve, which nobody has now.
        assert_eq!(unsafe { place.read() }, 0);
        let later = std::thread::spawn({
            let place = place as usize;
            let pointer = thread_pointer();
            // SAFETY: the same distance from that thread's pointer is its reserve.
            move || unsafe { ((thread_pointer() - (pointer - place)) as *const c_int).read() }
        });
        assert_eq!(later.join().expect("the thread is well"), 0, "nor do later threads begin with it");
        check(&load(&bytes, &ProcessSymbols), "again");
    });
}

fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the psABI keeps the thread pointer in the word that it points at.
    unsafe { std::arch::asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, readonly)) };
    pointer
}

#[test]
fn threads_that_are_there_already_are_only_in_the_way_of_initial_values() {
    alone("models::threads_that_are_there_already_are_only_in_the_way_of_initial_values", || {
        let with_values = image("gcc", "models.c", &["-O2", "-fPIE"]);
        let zeros = image("gcc", "zeros.c", &["-O2", "-fPIE"]);
        let (send, receive) = channel::<Loaded>();
        let early = std::thread::spawn(move || {
            let image = receive.recv().expect("an image is sent");
            (call::<c_int>(&image, "count"), call::<c_int>(&image, "count"), image)
        });
        let refused = try_load(&with_values, &ProcessSymbols).expect_err("it is refused");
        assert!(matches!(refused, LoadError::StaticTls { source: StaticTlsError::OtherThreads, .. }), "{refused}");
        let image = load(&zeros, &ProcessSymbols);
        assert_eq!(call::<c_int>(&image, "count"), 1);
        send.send(image).expect("the thread waits");
        let (first, second, image) = early.join().expect("the thread is well");
        assert_eq!([first, second, call(&image, "count")], [1, 2, 2]);
        // Dropped by another thread than the one whose bytes are used next.
        std::thread::spawn(move || drop(image)).join().expect("the thread is well");
        // Alone again.
        let image = load(&zeros, &ProcessSymbols);
        assert_eq!(call::<c_int>(&image, "count"), 1, "nothing is left of the one before");
        drop(image);
        check(&load(&with_values, &ProcessSymbols), "alone");
    });
}

thread_local! {
    static THEIRS: Cell<c_int> = const { Cell::new(11) };
}

#[test]
fn variables_of_the_host_are_the_calling_thread_s() {
    let address = THEIRS.with(|theirs| theirs.as_ptr().cast_const().cast());
    let names: Names = [("theirs", address)].into_iter().collect();
    for flags in [
        &["-O2", "-fPIC"][..],
        &["-O2", "-fPIC", "-mtls-dialect=gnu2"],
        &["-O2", "-fPIC", "-ftls-model=initial-exec"],
        &["-O2", "-fPIE"],
    ] {
        for compiler in ["gcc", "clang-22"] {
            let image = load(&image(compiler, "imports.c", flags), &names);
            let there_and_back = || {
                let theirs = call::<c_int>(&image, "get");
                assert_eq!(theirs, THEIRS.get(), "{compiler} {flags:?}");
                THEIRS.set(theirs + 1);
                assert_eq!(call::<c_int>(&image, "get"), theirs + 1, "{compiler} {flags:?}");
                assert_eq!(call::<usize>(&image, "where"), THEIRS.with(|theirs| theirs.as_ptr() as usize));
            };
            there_and_back();
            std::thread::scope(|scope| scope.spawn(there_and_back).join().expect("the thread is well"));
        }
    }
}

#[test]
fn variables_of_another_image_are_reached_in_every_thread() {
    let theirs = load(&image("gcc", "theirs.c", &["-O2", "-fPIC"]), &ProcessSymbols);
    let names: Names = [("theirs", theirs.symbol("theirs").expect("it is exported"))].into_iter().collect();
    for flags in [&["-O2", "-fPIC"][..], &["-O2", "-fPIC", "-mtls-dialect=gnu2"]] {
        let image = load(&image("gcc", "imports.c", flags), &names);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                assert_eq!(call::<c_int>(&image, "get"), 5);
                assert_eq!(call::<usize>(&image, "where"), theirs.symbol("theirs").expect("it is exported") as usize);
            });
            other.join().expect("the thread is well");
        });
    }
}

/// Builds and loads a library as programs do that load it late.
fn open_library(case: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases").join(case);
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{case}-{}.so", std::process::id()));
    let status = Command::new("gcc").args(["-O1", "-fPIC", "-shared"]).arg(source).arg("-o").arg(&library).status();
    assert!(status.expect("there is gcc").success());
    let path = CString::new(library.as_os_str().as_encoded_bytes()).expect("it has no NUL");
    // SAFETY: the library has no initialisers.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    assert!(!handle.is_null(), "{library:?}");
    std::fs::remove_file(library).expect("it was just written");
}

#[test]
fn variables_of_a_late_library_are_reached_by_all_models_that_can() {
    if !in_child("models::variables_of_a_late_library_are_reached_by_all_models_that_can") {
        return;
    }
    open_library("theirs.c");
    for flags in [&["-O2", "-fPIC"][..], &["-O2", "-fPIC", "-mtls-dialect=gnu2"]] {
        let image = load(&image("gcc", "imports.c", flags), &ProcessSymbols);
        assert_eq!(call::<c_int>(&image, "get"), 5, "{flags:?}");
        std::thread::scope(|scope| {
            let other = scope.spawn(|| call::<c_int>(&image, "get"));
            assert_eq!(other.join().expect("the thread is well"), 5, "{flags:?}");
        });
    }
    let error = try_load(&image("gcc", "imports.c", &["-O2", "-fPIE"]), &ProcessSymbols).expect_err("it is refused");
    assert!(matches!(&error, LoadError::NoThreadDistance { name, .. } if name == "theirs"), "{error}");
}

#[test]
fn an_answer_that_is_not_thread_local_is_refused() {
    static ORDINARY: c_int = 3;
    let names: Names = [("theirs", (&raw const ORDINARY).cast())].into_iter().collect();
    let error = try_load(&image("gcc", "imports.c", &["-O2", "-fPIC"]), &names).expect_err("it is refused");
    assert!(matches!(&error, LoadError::NotThreadLocal { name, .. } if name == "theirs"), "{error}");
    let nobody = try_load(&image("gcc", "imports.c", &["-O2", "-fPIC"]), &Names::new()).expect_err("it is refused");
    assert!(matches!(nobody, LoadError::Unresolved { .. }), "{nobody}");
}

#[test]
fn blocks_are_aligned_beyond_a_page() {
    for flags in [&["-O2", "-fPIC"][..], &["-O2", "-fPIC", "-mtls-dialect=gnu2"]] {
        let image = load(&image("gcc", "over_aligned.c", flags), &ProcessSymbols);
        assert_eq!([call::<c_int>(&image, "count"), call(&image, "count")], [3, 4]);
        let other = std::thread::scope(|scope| scope.spawn(|| call::<c_int>(&image, "count")).join());
        assert_eq!(other.expect("the thread is well"), 3);
    }
}

/// Bytes of memory that the process has.
fn resident_len() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("it is a number");
    pages * 4096
}

#[test]
fn large_blocks_take_what_is_touched_and_are_given_back() {
    if !in_child("models::large_blocks_take_what_is_touched_and_are_given_back") {
        return;
    }
    let bytes = image("gcc", "large.c", &["-O2", "-fPIC"]);
    let start = resident_len();
    for _ in 0..20 {
        let image = load(&bytes, &ProcessSymbols);
        // SAFETY: the case's function has this type.
        let touch = unsafe { image.function::<extern "C" fn(usize) -> c_int>("touch") }.expect("it is exported");
        assert_eq!(touch(0), 1);
        assert!(resident_len() - start < 8 << 20, "100 MB that nobody has touched take nothing");
        for _ in 0..20 {
            std::thread::scope(|scope| {
                scope.spawn(|| assert_eq!(touch(10 << 20), 1)).join().expect("the thread is well");
            });
        }
        touch(10 << 20);
    }
    let grown = resident_len().saturating_sub(start);
    assert!(grown < 30 << 20, "{grown} bytes of blocks of threads and images that are gone");
}
