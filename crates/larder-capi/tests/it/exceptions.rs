//! Exceptions of C++ in callbacks.

use crate::programs::{Linking, build, compare, run};

fn exceptions(linking: Linking) {
    let dir = tempfile::tempdir().expect("a directory");
    let program = build(dir.path(), "exceptions.cpp", linking, &["-std=c++17"]);
    let expected = [
        "build: error 15: build threw Counted",
        "resolver: error 15: resolver threw Counted",
        "object resolver: error 15: resolver threw int",
        "predicate: error 15: predicate threw std::",
        "recompiler, eagerly: error 15: recompiler threw Counted",
        "use_table: error 15: recompiler threw Counted",
        "use_layout: error 15: recompiler threw Counted",
        "background: error 15: build threw Counted",
        "observer: error 15: observer threw Counted",
        "initialiser: error 6: an initialiser of initialised threw Counted",
        "caught: use_table of guarded can't be called: object table is missing",
        "caught through larder_try: use_table of guarded can't be called: object table is missing",
        "destroyed",
        "frames: error 14: use_table of guarded can't be called: object table is missing",
        "alive: 0, uncaught: 0",
    ];
    compare(&run(&program, &dir.path().join("store"), &[]), &expected);
}

#[test]
fn exceptions_are_errors_with_the_shared_library() {
    exceptions(Linking::Shared);
}

#[test]
fn exceptions_are_errors_with_the_static_library() {
    exceptions(Linking::Static);
}
