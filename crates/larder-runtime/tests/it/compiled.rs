//! Images of compiled C and C++: what the system's compiler makes of a case, linked and loaded.

use crate::small::{file_of, strictly};
use larder_link::{LinkOptions, Object, link};
use larder_runtime::{Arguments, Loaded, Mapped, Resolve, Sealed};
use std::path::Path;
use std::process::Command;

/// Compiles and links one of the cases.
pub(crate) fn image_of(case: &str) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases").join(case);
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{case}-{}.o", std::process::id()));
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let status = Command::new(compiler).args(["-O2", "-fPIC", "-c"]).arg(&source).arg("-o").arg(&object).status();
    assert!(status.expect("there is a C++ compiler").success(), "{case} compiles");
    let bytes = std::fs::read(&object).expect("it was just written");
    std::fs::remove_file(&object).expect("it was just written");
    let linked = link(&[Object { name: case, bytes: &bytes }], &LinkOptions::default());
    linked.unwrap_or_else(|error| panic!("{case}: {error}")).bytes
}

pub(crate) fn sealed(image: &[u8], resolver: &dyn Resolve) -> Sealed {
    let sealed = Mapped::map(&file_of("compiled", image), &strictly()).and_then(|mapped| mapped.bind(resolver)?.seal());
    sealed.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn load(image: &[u8], resolver: &dyn Resolve) -> Loaded {
    // SAFETY: the tests' own code.
    unsafe { sealed(image, resolver).initialise(&Arguments::none()) }.expect("there is memory")
}
