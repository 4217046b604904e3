//! Images of compiled C and C++: what the system's compiler makes of a case, linked and loaded.

use crate::small::{file_of, strictly};
use larder_link::{LinkOptions, Object, link};
use larder_runtime::{Arguments, LoadError, Loaded, Mapped, Resolve, Sealed, Unavailable};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Compiles and links one of the cases in C or C++.
pub(crate) fn image_of(case: &str) -> Vec<u8> {
    image_with(case, &["-O2", "-fPIC"])
}

/// The same with other flags.
pub(crate) fn image_with(case: &str, flags: &[&str]) -> Vec<u8> {
    let (variable, compiler) = if case.ends_with(".c") { ("CC", "cc") } else { ("CXX", "c++") };
    let compiler = std::env::var(variable).unwrap_or_else(|_| compiler.to_owned());
    let bytes = object(&compiler, case, flags);
    let linked = link(&[Object { name: case, bytes: &bytes, ..Object::default() }], &LinkOptions::default());
    linked.unwrap_or_else(|error| panic!("{case}: {error}")).bytes
}

/// Compiles one of the cases.
pub(crate) fn object(compiler: &str, case: &str, flags: &[&str]) -> Vec<u8> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases").join(case);
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{case}-{}-{number}.o", std::process::id()));
    let status = Command::new(compiler).args(flags).arg("-c").arg(&source).arg("-o").arg(&object).status();
    assert!(status.expect("the compiler is there").success(), "{compiler} {flags:?} compiles {case}");
    let bytes = std::fs::read(&object).expect("it was just written");
    std::fs::remove_file(&object).expect("it was just written");
    bytes
}

/// Maps, binds and seals.
pub(crate) fn try_load(image: &[u8], resolver: &dyn Resolve) -> Result<Sealed, LoadError> {
    Mapped::map(&file_of("compiled", image), &strictly())?.bind(resolver)?.seal()
}

pub(crate) fn sealed(image: &[u8], resolver: &dyn Resolve) -> Sealed {
    try_load(image, resolver).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn load(image: &[u8], resolver: &dyn Resolve) -> Loaded {
    // SAFETY: the tests' own code.
    unsafe { sealed(image, resolver).initialise(&Arguments::none()) }.expect("there is memory")
}

/// The same for an image that is not whole: the handler decides about calls of what is missing.
pub(crate) fn load_with(image: &[u8], resolver: &dyn Resolve, handler: Arc<dyn Unavailable>) -> Loaded {
    let sealed = sealed(image, resolver);
    sealed.set_unavailable(handler);
    // SAFETY: the tests' own code.
    unsafe { sealed.initialise(&Arguments::none()) }.expect("there is memory")
}
