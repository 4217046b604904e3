//! Compiling and running the programs of `tests/c`.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where cargo puts the libraries when it builds tests: beside them.
pub(crate) fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("it runs");
    test.parent().expect("a directory").to_owned()
}

pub(crate) fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let words = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {}\n{words}", output.status);
    output
}

/// How a program is linked to the library.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Linking {
    Shared,
    Static,
}

/// Compiles a program of `tests/c` in a directory, which it finds its library in.
pub(crate) fn build(dir: &Path, source: &str, linking: Linking, flags: &[&str]) -> PathBuf {
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

/// What a program prints, by lines. It gets a store, and paths behind it.
pub(crate) fn run(program: &Path, store: &Path, arguments: &[&Path]) -> Vec<String> {
    run_with(program, store, arguments, Some(&libraries().join("../larder-worker")))
}

/// The same with that worker, or with the one that is found.
pub(crate) fn run_with(program: &Path, store: &Path, arguments: &[&Path], worker: Option<&Path>) -> Vec<String> {
    let mut command = Command::new(program);
    command.arg(store).args(arguments).env_remove("LARDER_LOG").env_remove("LARDER_WORKER");
    command.envs(worker.map(|worker| ("LARDER_WORKER", worker)));
    let output = succeed(&mut command);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "libraries print nothing");
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

/// Compares lines with what they begin with.
pub(crate) fn compare(lines: &[String], starts: &[&str]) {
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\ninstead of\n{start}\nin {lines:#?}");
    }
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
}
