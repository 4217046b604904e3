//! What the dynamic linker's answers say of images whose exports are offered.

use crate::small::*;
use larder_runtime::{Arguments, Libraries, Loaded, ProcessSymbols, Resolve, Wanted};
use std::ffi::{CStr, c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

type LookUp = unsafe extern "C" fn(*mut c_void, *const libc::c_char) -> *mut c_void;
type Describe = unsafe extern "C" fn(*const c_void, *mut libc::Dl_info) -> c_int;

/// Loading a library makes every offered image known, so the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address_for_images(name: &CStr) -> *const () {
    let wanted = Wanted { name, hash: 0, weak: false, function: true, thread_local: false };
    ProcessSymbols.resolve(&wanted).expect("the process has it")
}

/// What an image is told by `dlsym`.
fn looked_up(name: &CStr) -> *mut c_void {
    // SAFETY: it is what images get for `dlsym`.
    let look_up = unsafe { std::mem::transmute::<*const (), LookUp>(address_for_images(c"dlsym")) };
    // SAFETY: the name is a C string.
    unsafe { look_up(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// What anybody else is told.
fn looked_up_by_others(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a C string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

fn load_offering(name: &'static str, value: u32, libraries: &Libraries) -> Loaded {
    let mut image = Small::default();
    image.function(name, &returning(value));
    let sealed = sealed(&image.build(), &nobody()).expect("it is whole");
    sealed.offer_exports(c"program", libraries);
    // SAFETY: the tests' own code.
    unsafe { sealed.initialise(&Arguments::none()) }.expect("there is memory")
}

fn libraries() -> Libraries {
    let mut libraries = Libraries::new();
    // SAFETY: it is the system's.
    unsafe { libraries.open(&["libm.so.6"]) }.expect("every system has it");
    libraries
}

#[test]
fn names_are_known_to_everybody() {
    let _turn = turn();
    let name = c"larder_test_offered";
    assert!(looked_up(name).is_null() && looked_up_by_others(name).is_null());
    let image = load_offering("larder_test_offered", 7, &libraries());
    let address = image.symbol("larder_test_offered").expect("it is exported").cast_mut().cast();
    assert_eq!((looked_up(name), looked_up_by_others(name)), (address, address));
    drop(image);
    assert_eq!((looked_up(name), looked_up_by_others(name)), (address, address), "the image stays");
}

#[test]
fn the_dynamic_linker_is_told_when_the_first_library_is_loaded() {
    let _turn = turn();
    let name = c"larder_test_told_late";
    let _image = load_offering("larder_test_told_late", 8, &Libraries::new());
    assert!(!looked_up(name).is_null() && looked_up_by_others(name).is_null());
    type Open = unsafe extern "C" fn(*const libc::c_char, c_int) -> *mut c_void;
    // SAFETY: it is what images get for `dlopen`.
    let open = unsafe { std::mem::transmute::<*const (), Open>(address_for_images(c"dlopen")) };
    // SAFETY: the library is the system's.
    assert!(!unsafe { open(c"libm.so.6".as_ptr(), libc::RTLD_NOW) }.is_null());
    assert_eq!(looked_up(name), looked_up_by_others(name));
}

#[test]
fn addresses_are_described() {
    let _turn = turn();
    let image = load_offering("larder_test_described", 9, &Libraries::new());
    let address = image.symbol("larder_test_described").expect("it is exported");
    // SAFETY: it is what images get for `dladdr`.
    let describe = unsafe { std::mem::transmute::<*const (), Describe>(address_for_images(c"dladdr")) };
    let mut info = std::mem::MaybeUninit::uninit();
    // SAFETY: there is room for the answer.
    assert_eq!(unsafe { describe(address.cast(), info.as_mut_ptr()) }, 1);
    // SAFETY: it is written.
    let info: libc::Dl_info = unsafe { info.assume_init() };
    // SAFETY: both names are those of a loaded image.
    let texts = [info.dli_fname, info.dli_sname].map(|name| unsafe { CStr::from_ptr(name) });
    assert_eq!(texts, [c"program", c"larder_test_described"]);
    assert_eq!(info.dli_saddr.cast_const().cast(), address);
}
