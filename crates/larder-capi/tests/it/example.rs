//! The example in C++, as its README tells to build and use it.

use crate::install::install;
use crate::programs::{own, succeed};
use larder_programs::check_transcripts;
use std::fs;
use std::process::Command;

#[test]
fn the_readme_of_the_example_is_true() {
    let dir = tempfile::tempdir().expect("a directory");
    let prefix = dir.path().join("usr");
    install(&[], &prefix, None);
    let example = own("../../examples/embed-cpp");
    for file in ["Makefile", "main.cpp", "larder.hpp", "pens.txt"] {
        fs::copy(example.join(file), dir.path().join(file)).expect("a file of the example");
    }
    let mut make = Command::new("make");
    make.current_dir(dir.path()).env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).env_remove("MAKEFLAGS");
    let built = succeed(&mut make);
    assert_eq!(String::from_utf8_lossy(&built.stderr), "", "no warnings");
    let readme = fs::read_to_string(example.join("README.md")).expect("the README");
    let checked = check_transcripts(&readme, dir.path(), &dir.path().join("embed-cpp"));
    checked.unwrap_or_else(|error| panic!("{error:#}"));
}
