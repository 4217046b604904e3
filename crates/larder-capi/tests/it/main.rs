//! The C API as C and C++ programs use it: compiled by the system's compilers, linked to the shared and to the static library.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where cargo puts the libraries when it builds tests: beside them.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("it runs");
    test.parent().expect("a directory").to_owned()
}

fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let words = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {}\n{words}", output.status);
    output
}

/// How a program is linked to the library.
#[derive(Clone, Copy, PartialEq)]
enum Linking {
    Shared,
    Static,
}

/// Compiles a program of `tests/c` in a directory, which it finds its library in.
fn build(dir: &Path, source: &str, linking: Linking, flags: &[&str]) -> PathBuf {
    let compiler = if source.ends_with(".cpp") { "c++" } else { "cc" };
    let program = dir.join("program");
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Werror", "-g", "-I"]).arg(own("include"));
    command.arg(own("tests/c").join(source)).arg("-o").arg(&program);
    match linking {
        Linking::Shared => {
            // As an installation has it: the name that the library says it has, and the one that linkers look for.
            let library = libraries().join("liblarder_capi.so");
            for name in ["liblarder.so.0", "liblarder.so"] {
                symlink(&library, dir.join(name)).expect("a link");
            }
            command.arg("-L").arg(dir).args(["-llarder", "-Wl,-rpath,$ORIGIN"]);
        }
        Linking::Static => {
            command.arg(libraries().join("liblarder_capi.a"));
            command.args(["-lgcc_s", "-lpthread", "-lm", "-ldl", "-lc"]);
        }
    }
    succeed(command.args(flags));
    program
}

fn run(program: &Path, store: &Path) -> Vec<String> {
    let worker = libraries().join("../larder-worker");
    let output = succeed(Command::new(program).arg(store).env("LARDER_WORKER", worker).env_remove("LARDER_LOG"));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

fn in_c(linking: Linking) {
    let dir = tempfile::tempdir().expect("a directory");
    let program = build(dir.path(), "session.c", linking, &["-std=c11"]);
    let store = dir.path().join("store");
    let lines = run(&program, &store);
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
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\ninstead of\n{start}");
    }
    assert!(lines[0].contains("host_double"), "{}", lines[0]);
    // The second start builds nothing but what fails.
    let again = run(&program, &store);
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
    assert_eq!(run(&program, &store), ["42 miss, built 1, beside LLVM 14"]);
    assert_eq!(run(&program, &store), ["42 hit, built 0, beside LLVM 14"]);
}

/// Names of the functions that a text declares or defines, sorted.
fn functions<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let mut names: Vec<_> = text
        .match_indices(before)
        .filter_map(|(at, _)| {
            let name = &text[at + before.len()..];
            let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
            name[end..].starts_with('(').then(|| &name[..end])
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn the_header_declares_what_the_library_defines() {
    let header = fs::read_to_string(own("include/larder.h")).expect("the header");
    let code: String = header.split("/*").map(|part| part.split_once("*/").map_or("", |(_, code)| code)).collect();
    let code = code.replace('*', " ");
    let declared: Vec<_> = functions(&code, " larder_").into_iter().collect();
    let mut defined = Vec::new();
    for entry in fs::read_dir(own("src")).expect("sources") {
        let source = fs::read_to_string(entry.expect("a source").path()).expect("UTF-8");
        defined.extend(functions(&source, "extern \"C\" fn larder_").into_iter().map(str::to_owned));
    }
    defined.sort_unstable();
    assert!(declared.len() > 40, "{declared:?}");
    assert_eq!(declared, defined);
    // And the shared library offers nothing else to programs, but what the unwinder asks for code (see larder-runtime).
    let symbols = succeed(Command::new("nm").args(["-D", "--defined-only"]).arg(libraries().join("liblarder_capi.so")));
    let symbols = String::from_utf8(symbols.stdout).expect("UTF-8");
    let mut offered: Vec<_> = symbols.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    offered.sort_unstable();
    let mut expected = vec!["_dl_find_object".to_owned()];
    expected.extend(defined.iter().map(|name| format!("larder_{name}")));
    assert_eq!(offered, expected);
}

#[test]
fn the_header_is_c99_and_cpp_of_98() {
    for (compiler, language, standard) in [("cc", "c", "c99"), ("c++", "c++", "c++98")] {
        let mut command = Command::new(compiler);
        command.args(["-x", language, &format!("-std={standard}"), "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
        succeed(command.arg(own("include/larder.h")));
    }
}
