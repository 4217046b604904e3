//! An installation: what is put below a prefix, and a C program that is built and run from there.

use crate::programs::{libraries, own, run_with, succeed};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Installs what the tests were built with, below a prefix that may stand in another place for now.
pub(crate) fn install(arguments: &[&str], prefix: &Path, destdir: Option<&Path>) {
    let built = libraries().parent().expect("a directory").to_owned();
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "xtask", "--", "install", "--from"]).arg(built).args(arguments);
    command.arg("--prefix").arg(prefix).current_dir(own("../..")).env_remove("DESTDIR").env_remove("LD_LIBRARY_PATH");
    succeed(command.envs(destdir.map(|destdir| ("DESTDIR", destdir))));
}

/// What pkg-config answers of an installation.
fn pkg_config(prefix: &Path, questions: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.args(questions).arg("larder").env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let answer = String::from_utf8(succeed(&mut command).stdout).expect("UTF-8");
    answer.split_whitespace().map(str::to_owned).collect()
}

/// Files below a directory.
fn files(dir: &Path) -> Vec<String> {
    fn add(dir: &Path, below: &Path, files: &mut Vec<String>) {
        for entry in fs::read_dir(dir.join(below)).expect("a directory") {
            let entry = entry.expect("a file");
            let path = below.join(entry.file_name());
            match entry.file_type().expect("a type").is_dir() {
                true => add(dir, &path, files),
                false => files.push(path.to_str().expect("UTF-8").to_owned()),
            }
        }
    }
    let mut files_below = Vec::new();
    add(dir, Path::new(""), &mut files_below);
    files_below.sort();
    files_below
}

/// Builds a program with what pkg-config says, and runs it without being told where the worker is.
fn build_and_run(prefix: &Path, dir: &Path, questions: &[&str], flags: &[String]) -> Vec<String> {
    let program = dir.join("program");
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(own("tests/c/session.c"));
    succeed(command.args(pkg_config(prefix, questions)).args(flags));
    run_with(&program, &dir.join("store"), &[], None)
}

fn run_path(prefix: &Path) -> String {
    format!("-Wl,-rpath,{}", prefix.join("lib").display())
}

#[test]
fn a_program_is_built_from_an_installation_with_the_shared_library() {
    let dir = tempfile::tempdir().expect("a directory");
    let prefix = dir.path().join("usr");
    install(&[], &prefix, None);
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        "bin/larder",
        "include/larder.h",
        "lib/liblarder.a",
        "lib/liblarder.so",
        "lib/liblarder.so.0",
        &format!("lib/liblarder.so.{version}"),
        "lib/pkgconfig/larder.pc",
        "libexec/larder/larder-worker",
        "share/bash-completion/completions/larder",
        "share/fish/vendor_completions.d/larder.fish",
        "share/zsh/site-functions/_larder",
    ];
    assert_eq!(files(&prefix), expected);
    assert_eq!(pkg_config(&prefix, &["--modversion"]), [version]);
    let lines = build_and_run(&prefix, dir.path(), &["--cflags", "--libs"], &[run_path(&prefix)]);
    assert_eq!(lines[1], "run: 47, built: 1, asked: 1, hit: 1");
    // It really is the shared library.
    let needed = succeed(Command::new("readelf").arg("-d").arg(dir.path().join("program")));
    assert!(String::from_utf8_lossy(&needed.stdout).contains("liblarder.so.0"));
    // The command finds its worker as well.
    let mut doctor = Command::new(prefix.join("bin/larder"));
    doctor.arg("doctor").arg("--dir").arg(dir.path().join("store")).env_remove("LARDER_WORKER").env("PATH", "/bin");
    let told = doctor.output().expect("it starts");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("libexec/larder/larder-worker"), "{told}");
    // A second installation replaces the first.
    install(&[], &prefix, None);
    assert_eq!(files(&prefix), expected);
}

#[test]
fn a_program_is_built_from_an_installation_with_the_static_library() {
    let dir = tempfile::tempdir().expect("a directory");
    let prefix = dir.path().join("usr");
    install(&["--library-type", "staticlib"], &prefix, None);
    assert!(!files(&prefix).iter().any(|file| file.contains(".so")), "{:?}", files(&prefix));
    // The worker is in no place that a program elsewhere can know.
    let lines = build_and_run(&prefix, &prefix.join("bin"), &["--static", "--cflags", "--libs"], &[]);
    assert_eq!(lines[1], "run: 47, built: 1, asked: 1, hit: 1");
}

#[test]
fn packages_are_made_in_another_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let arguments = ["--libdir", "lib/x86_64-linux-gnu", "--library-type", "cdylib"];
    install(&arguments, Path::new("/opt/larder"), Some(dir.path()));
    let installed = files(dir.path());
    assert!(installed.contains(&"opt/larder/lib/x86_64-linux-gnu/liblarder.so.0".to_owned()), "{installed:?}");
    assert!(!installed.iter().any(|file| file.ends_with(".a")), "{installed:?}");
    let description = dir.path().join("opt/larder/lib/x86_64-linux-gnu/pkgconfig/larder.pc");
    let description = fs::read_to_string(description).expect("a description");
    assert!(description.starts_with("prefix=/opt/larder\n"), "{description}");
    assert!(description.contains("\nlibdir=${prefix}/lib/x86_64-linux-gnu\n"), "{description}");
}
