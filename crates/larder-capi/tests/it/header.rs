//! The header against the library, and against the languages.

use crate::programs::{libraries, own, succeed};
use std::fs;
use std::process::Command;

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
        let path = entry.expect("a source").path();
        if path.is_dir() {
            continue;
        }
        let source = fs::read_to_string(path).expect("UTF-8");
        for language in ["C", "C-unwind"] {
            let before = format!("extern \"{language}\" fn larder_");
            defined.extend(functions(&source, &before).into_iter().map(str::to_owned));
        }
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
fn each_function_of_the_header_says_what_it_does() {
    let header = fs::read_to_string(own("include/larder.h")).expect("the header");
    let lines: Vec<_> = header.lines().collect();
    let begins =
        |line: &str| line.starts_with(char::is_alphabetic) && line.contains(" larder_") || line.contains(" *larder_");
    let mut undocumented = Vec::new();
    for (before, line) in lines.iter().zip(&lines[1..]) {
        let is_function = begins(line) && line.contains('(') && !line.starts_with("typedef") && !line.starts_with(' ');
        if is_function && !before.ends_with("*/") {
            undocumented.push(*line);
        }
    }
    assert!(undocumented.is_empty(), "{undocumented:#?}");
}

#[test]
fn the_header_is_clean_in_every_standard() {
    let c = ["c89", "c99", "c11"].map(|standard| ("cc", "c", standard));
    let cpp = ["c++98", "c++17"].map(|standard| ("c++", "c++", standard));
    for (compiler, language, standard) in c.into_iter().chain(cpp) {
        let mut command = Command::new(compiler);
        command.args(["-x", language, &format!("-std={standard}"), "-Wall", "-Wextra", "-pedantic", "-Werror"]);
        succeed(command.arg("-fsyntax-only").arg(own("include/larder.h")));
    }
}

#[test]
fn the_example_of_the_guide_compiles() {
    let guide = fs::read_to_string(own("../../docs/embedding.md")).expect("the guide");
    let example = guide.split_once("```c\n").and_then(|(_, rest)| rest.split_once("```")).expect("an example").0;
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join("example.c");
    fs::write(&source, example).expect("written");
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"]).arg(own("include"));
    succeed(command.arg(source));
}
