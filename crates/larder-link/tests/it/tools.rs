//! Compilers, assemblers and readers, and where to find them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// A program of LLVM 22.
pub(crate) fn llvm(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let output = Command::new("llvm-config-22").arg("--bindir").output().expect("llvm-config-22 is on the path");
        PathBuf::from(String::from_utf8(output.stdout).expect("it prints text").trim())
    });
    folder.join(name)
}

/// Compiles a source with clang; `name` has the language's suffix.
pub(crate) fn clang(name: &str, source: &str, flags: &[&str]) -> Vec<u8> {
    compile(&llvm("clang"), name, source, flags)
}

/// Compiles a source with gcc.
pub(crate) fn gcc(name: &str, source: &str, flags: &[&str]) -> Vec<u8> {
    compile(Path::new("gcc"), name, source, flags)
}

/// Assembles AT&T syntax with LLVM's assembler.
pub(crate) fn assemble(source: &str) -> Vec<u8> {
    clang("case.s", source, &[])
}

fn compile(compiler: &Path, name: &str, source: &str, flags: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    std::fs::write(folder.path().join(name), source).expect("the folder is new");
    let mut command = Command::new(compiler);
    command.current_dir(folder.path()).args(flags).args(["-c", name, "-o", "out.o"]);
    run(&mut command);
    std::fs::read(folder.path().join("out.o")).expect("the compiler wrote it")
}

/// Runs a program that has to succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    output
}

/// Standard output and standard error of a program that reads the image.
pub(crate) fn read_image(image: &[u8], program: &Path, flags: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = folder.path().join("case.image");
    std::fs::write(&path, image).expect("the folder is new");
    let output = run(Command::new(program).args(flags).arg(&path));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&*path.to_string_lossy(), "case.image");
    (text(&output.stdout), text(&output.stderr))
}
