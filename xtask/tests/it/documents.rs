//! Documents rot where they name things. These tests look up what they name.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{files_below, root, sources, text_of};

/// All documents: what stands at the root and in `docs`, and every README.
fn documents() -> Vec<PathBuf> {
    let is_document = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let results = root().join("bench/results");
    files_below(root()).into_iter().filter(is_document).filter(|path| !path.starts_with(&results)).collect()
}

/// What stands between single backticks.
fn quoted(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with("```"));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Targets of Markdown's links that are files.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    files.filter_map(|target| target.split('#').next()).collect()
}

fn is_path_of_ours(word: &str) -> bool {
    let folders = ["crates/", "docs/", "tests/", "bench/", "xtask/", ".ci/"];
    folders.iter().any(|folder| word.starts_with(folder)) && !word.contains(['<', '*', ' ', '{', '…'])
}

/// `LoadError`, but neither `ET_DYN` nor `NUL` nor `larder`.
fn is_type(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric())
        && word.chars().skip(1).any(|c| c.is_ascii_lowercase())
        && word.chars().skip(1).any(|c| c.is_ascii_uppercase())
}

#[test]
fn files_that_documents_name_exist() {
    let mut missing = Vec::new();
    for document in documents() {
        let text = text_of(&document);
        let directory = document.parent().unwrap_or(Path::new("."));
        let named = quoted(&text).into_iter().filter(|word| is_path_of_ours(word)).map(|word| root().join(word));
        let linked = links(&text).into_iter().map(|link| directory.join(link));
        missing.extend(named.chain(linked).filter(|path| !path.exists()).map(|path| (document.clone(), path)));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn types_that_the_architecture_names_exist() {
    let code: String = sources().iter().map(text_of).collect();
    let exists = |name: &str| {
        let definitions = ["struct", "enum", "trait", "type"].map(|kind| format!("{kind} {name}"));
        definitions.iter().any(|definition| code.contains(definition.as_str()))
    };
    let text = text_of("ARCHITECTURE.md");
    let missing: Vec<_> = quoted(&text).into_iter().filter(|word| is_type(word) && !exists(word)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_architecture_stays_short() {
    let lines = text_of("ARCHITECTURE.md").lines().count();
    assert!((1..=150).contains(&lines), "{lines} lines");
}

#[test]
fn chores_that_documents_name_exist() {
    let help = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("--help").output();
    let help = help.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    for document in documents() {
        let text = text_of(&document);
        for rest in text.split("cargo xtask ").skip(1) {
            let chore: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
            assert!(help.contains(&format!("\n  {chore} ")), "{}: cargo xtask {chore}", document.display());
        }
    }
}

#[test]
fn ci_runs_the_test_command_of_the_readme_and_nothing_else() {
    let script = text_of(".ci/run");
    let is_preamble = |line: &&str| line.starts_with('#') || line.starts_with("set ") || line.starts_with("cd ");
    let commands: Vec<_> = script.lines().filter(|line| !line.is_empty() && !is_preamble(line)).collect();
    assert_eq!(commands, ["exec cargo xtask test"]);
    assert!(text_of("README.md").contains("\n$ cargo xtask test"), "README.md has no such command");
}

#[test]
fn no_file_names_a_path_of_this_machine() {
    let home = std::env::var("HOME").unwrap_or_default();
    let own = [root().display().to_string(), home].map(|path| format!("{}/", path.trim_end_matches('/')));
    let own: Vec<_> = own.iter().filter(|path| path.len() > 2).collect();
    let names_one = |path: &PathBuf| own.iter().any(|needle| text_of(path).contains(needle.as_str()));
    let found: Vec<_> = files_below(root()).into_iter().filter(names_one).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn words_are_told_apart() {
    for (word, path, kind) in [
        ("crates/larder/src/key.rs", true, false),
        ("crates/<crate>/src", false, false),
        ("LoadError", false, true),
        ("ET_DYN", false, false),
        ("larder", false, false),
        ("RW", false, false),
    ] {
        assert_eq!((is_path_of_ours(word), is_type(word)), (path, kind), "{word}");
    }
}
