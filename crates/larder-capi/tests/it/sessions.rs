//! Sessions, code by keys, symbols, errors.

use crate::programs::{Linking, build, compare, run};
use std::process::Command;

fn in_c(linking: Linking) {
    let dir = tempfile::tempdir().expect("a directory");
    let program = build(dir.path(), "session.c", linking, &["-std=c11"]);
    let store = dir.path().join("store");
    let lines = run(&program, &store, &[]);
    let starts = [
        "without symbols: error 5: ",
        "run: 47, built: 1, asked: 1, hit: 1",
        "run: 140, key: 64 digits, warnings: 0",
        "no function: error 8: a query has no function named walk",
        "no module: error 2: the module could not be built: no schema",
        "no program: error 1: program is NULL",
        "no IR: error 3: ",
        "no level: error 1: ",
        "background: 9",
        "still: 11",
        "counts: 2 1",
        "events: 2 loaded",
    ];
    compare(&lines, &starts);
    assert!(lines[0].contains("host_double"), "{}", lines[0]);
    // The second start builds nothing but what fails.
    let again = run(&program, &store, &[]);
    assert_eq!(again[1], "run: 47, built: 0, asked: 1, hit: 1");
}

#[test]
fn from_c_with_the_shared_library() {
    in_c(Linking::Shared);
}

#[test]
fn from_c_with_the_static_library() {
    in_c(Linking::Static);
}

#[test]
fn from_cpp_beside_another_llvm() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = Command::new("llvm-config-14").args(["--cflags", "--ldflags", "--libs", "core", "bitwriter"]).output();
    let config = config.expect("llvm-config-14: `cargo xtask setup` installs llvm-14-dev");
    let config = String::from_utf8(config.stdout).expect("UTF-8");
    let flags: Vec<_> = config.split_whitespace().collect();
    let program = build(dir.path(), "beside_llvm.cpp", Linking::Shared, &flags);
    let store = dir.path().join("store");
    assert_eq!(run(&program, &store, &[]), ["42 miss, built 1, beside LLVM 14"]);
    assert_eq!(run(&program, &store, &[]), ["42 hit, built 0, beside LLVM 14"]);
}
