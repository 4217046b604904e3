//! A module in parts is the same module: it runs the same, for any number of threads it is the same bytes, and nothing of it is
//! visible that wasn't.

use std::process::Command;

use crate::tools::{Program, bitcode, global_definitions, llvm, request, run, try_compile};

/// What the system's compiler makes of the same source.
pub(crate) fn expected(name: &str) -> (String, Option<i32>) {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("program");
    run(Command::new("c++")
        .args(["-w", "-O1", "-x"])
        .arg(language(name))
        .arg(crate::tools::source(name))
        .arg("-o")
        .arg(&program));
    let output = run(&mut Command::new(program));
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

fn language(name: &str) -> &'static str {
    if name.ends_with(".cpp") { "c++" } else { "c" }
}

/// Both ways to split (with debug information, nothing is generated ahead), and levels to try them at.
const WAYS: &[(&[&str], &[&str])] = &[(&[], &["0", "1", "2", "3", "z"]), (&["-g"], &["0", "2"]), (&["-fPIC"], &["2"])];

#[test]
fn programs_in_parts_run_as_whole_ones() {
    for name in ["parts.c", "parts.cpp"] {
        let expected = expected(name);
        assert!(expected.0.lines().count() > 5, "{name} says what it does");
        for (flags, levels) in WAYS {
            let module = bitcode(name, flags);
            for level in *levels {
                let compiled = try_compile(&request(level, 2), &module).expect(name);
                assert!(compiled.objects.len() > 1 || *level == "z", "{name} {flags:?} at -O{level} stays whole");
                assert_eq!(Program::link(&compiled.objects).run(), expected, "{name} {flags:?} at -O{level}");
            }
        }
    }
}

#[test]
fn threads_change_no_byte() {
    for name in ["parts.c", "parts.cpp"] {
        for flags in [&[][..], &["-g"]] {
            let module = bitcode(name, flags);
            let compiled = [1, 2, 5].map(|threads| try_compile(&request("2", threads), &module).expect(name).objects);
            assert!(compiled[0] == compiled[1], "{name} {flags:?}");
            assert!(compiled[0] == compiled[2], "{name} {flags:?}");
        }
    }
}

#[test]
fn what_was_local_is_visible_to_no_other_module() {
    let parts = global_definitions(&try_compile(&request("2", 1), &bitcode("parts.c", &[])).expect("compiled").objects);
    let (published, visible): (Vec<_>, Vec<_>) = parts.iter().partition(|name| name.contains(".llvm."));
    assert!(!published.is_empty(), "some local names had to be published");
    for name in visible {
        let is_public = name.starts_with("public")
            || ["aliased", "chosen", "main", "shared_tentative", "shared_weak"].contains(&&name[..]);
        assert!(is_public, "{name}");
    }
    // Two modules with equal local names live in one program.
    let other = global_definitions(
        &try_compile(&request("2", 1), &bitcode("parts.c", &["-DOTHER"])).expect("compiled").objects,
    );
    let common: Vec<_> = published.into_iter().filter(|name| other.contains(name)).collect();
    assert!(common.is_empty(), "{common:?}");
}

#[test]
fn debug_information_in_parts_is_sound() {
    let module = bitcode("parts.c", &["-g"]);
    let program = Program::link(&try_compile(&request("2", 2), &module).expect("compiled").objects);
    // Not of .debug_str_offsets: GNU ld merges ends of strings, which the verifier doesn't know.
    run(llvm("llvm-dwarfdump").args(["--verify", "--debug-info", "--debug-line"]).arg(program.path()));
    // Each variable is described once, where it lies.
    let text = run(llvm("llvm-dwarfdump").arg("--name=shared_table").arg(program.path())).stdout;
    let text = String::from_utf8_lossy(&text);
    assert_eq!(text.matches("DW_TAG_variable").count(), 1, "{text}");
    assert!(text.contains("DW_OP_addr"), "{text}");
}

#[test]
fn what_speaks_of_one_assembly_stays_whole() {
    let module = bitcode("parts.c", &["-DMODULE_ASSEMBLY"]);
    let compiled = try_compile(&request("1", 2), &module).expect("compiled");
    assert_eq!(compiled.objects.len(), 1);
    assert_eq!(Program::link(&compiled.objects).run(), expected("parts.c"));
}

#[test]
fn parts_come_in_order() {
    let compiled = try_compile(&request("2", 3), &bitcode("parts.c", &[])).expect("compiled");
    let names: Vec<_> = compiled.objects.iter().map(|(name, _)| name.clone()).collect();
    let expected: Vec<_> = (0..names.len()).map(|index| format!("part{index}.o")).collect();
    assert_eq!(names, expected);
}
