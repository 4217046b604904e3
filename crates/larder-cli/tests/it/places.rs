//! Where the store is, who may read it, and what may stand where a module is expected.

use crate::ir;
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::tests;
use crate::tools;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

tests![
    default_place,
    odd_names_of_the_store,
    private_whatever_the_umask,
    a_pipe_in_place_of_a_file,
    files_that_are_no_modules,
    an_image_is_written_whole_or_not_at_all,
];

/// What is set, what `--dir` says, and where the store must then be, all below the work directory.
fn default_place() -> Result<()> {
    let table = [
        (vec![("HOME", "h")], "", "h/.cache/larder"),
        (vec![("HOME", "h"), ("XDG_CACHE_HOME", "x")], "", "x/larder"),
        (vec![("HOME", "h"), ("XDG_CACHE_HOME", "")], "", "h/.cache/larder"),
        (vec![("HOME", "h"), ("XDG_CACHE_HOME", "x"), ("LARDER_DIR", "l")], "", "l"),
        (vec![("HOME", "h"), ("LARDER_DIR", "")], "", "h/.cache/larder"),
        (vec![("HOME", "h"), ("XDG_CACHE_HOME", "x"), ("LARDER_DIR", "l")], "d", "d"),
    ];
    for (environment, option, expected) in table {
        let corner = Corner::new()?;
        let work = corner.work();
        let absolute = |name: &str| if name.is_empty() { PathBuf::new() } else { work.join(name) };
        let mut command = corner.larder()?;
        command.env_remove("LARDER_DIR").env_remove("HOME");
        command.envs(environment.iter().map(|(name, value)| (*name, absolute(value)))).args(["cache", "path"]);
        if !option.is_empty() {
            command.arg("--dir").arg(absolute(option));
        }
        let ran = process::run(&mut command, b"")?.success("cache path")?;
        let expected = format!("{}\n", absolute(expected).display());
        ensure!(ran.out() == expected, "{environment:?} {option}: {} instead of {expected}", ran.out());
    }
    Ok(())
}

/// Spaces, other alphabets, bytes that aren't UTF-8, a relative path, no directory above it.
fn odd_names_of_the_store() -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let bytes = std::ffi::OsStr::from_bytes(b"not\xffutf8");
    let names = [Path::new("with spaces 'and' quotes"), Path::new("größe"), Path::new(bytes), Path::new("a/b/c/../d")];
    for name in names {
        for _ in 0..2 {
            let mut command = corner.larder()?;
            let ran = process::run(command.arg("run").arg("--dir").arg(name).arg(&module), b"")?;
            ensure!(ran.ending == Ending::Exit(5), "{}: {} {}", name.display(), ran.ending, ran.err());
            ensure!(ran.stderr.is_empty(), "{}: {}", name.display(), ran.err());
        }
        let entries = fs::read_dir(corner.work().join(name).join("v1/entries"))?.count();
        ensure!(entries == 1, "{}: {entries} entries", name.display());
    }
    Ok(())
}

fn private_whatever_the_umask() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let mut command = corner.command("/bin/sh");
    let larder = corner.larder()?;
    command.envs(larder.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.arg("-c").arg("umask 000; exec \"$0\" run \"$1\"").arg(larder.get_program()).arg(&module);
    ensure!(process::run(&mut command, b"")?.ending == Ending::Exit(5), "it ran");
    let mut folders = vec![corner.store()];
    while let Some(folder) = folders.pop() {
        let mode = fs::metadata(&folder)?.permissions().mode() & 0o7777;
        ensure!(mode == 0o700, "{}: mode {mode:o}", folder.display());
        for entry in fs::read_dir(&folder)?.flatten() {
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file() {
                ensure!(metadata.mode() & 0o077 == 0, "{}: mode {:o}", entry.path().display(), metadata.mode());
            }
        }
    }
    Ok(())
}

/// `larder run <(compiler)`: what can be read only once is read only once.
fn a_pipe_in_place_of_a_file() -> Result<()> {
    let corner = Corner::new()?;
    let module = corner.write("p.ll", ir::saying("x", 5))?;
    let larder = corner.larder()?;
    for outcome in ["miss", "hit"] {
        let fifo = corner.work().join("fifo");
        let _ = fs::remove_file(&fifo);
        process::run(corner.command("mkfifo").arg(&fifo), b"")?.success("mkfifo")?;
        let mut writer = corner.command("cp").arg(&module).arg(&fifo).spawn()?;
        let mut command = corner.command(larder.get_program());
        command.envs(larder.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let (ran, report) = corner.reported(command.args(["run", "--report", "../report.json"]).arg(&fifo), b"")?;
        writer.wait()?;
        ensure!(ran.ending == Ending::Exit(5), "{outcome}: {} {}", ran.ending, ran.err());
        ensure!(report.outcome == outcome, "{}", report.text);
    }
    Ok(())
}

fn files_that_are_no_modules() -> Result<()> {
    let corner = Corner::new()?;
    let source = corner.write("p.c", "int main(void) { return 0; }\n")?;
    let clang = |options: &[&str], output: &str| {
        let mut command = corner.command(tools::llvm("clang")?);
        process::run(command.args(options).arg(&source).arg("-o").arg(output), b"")?.success("clang")
    };
    clang(&[], "program")?;
    clang(&["-shared", "-fPIC"], "library.so")?;
    for file in ["program", "library.so", "p.c", ".", "nothing.bc"] {
        let ran = process::run(corner.larder()?.args(["run", file]), b"").context(file)?;
        ensure!(ran.ending == Ending::Exit(125), "{file}: {} {}", ran.ending, ran.err());
        ensure!(ran.err().starts_with("larder: ") && ran.err().contains(file), "{file}: {}", ran.err());
    }
    Ok(())
}

fn an_image_is_written_whole_or_not_at_all() -> Result<()> {
    let corner = Corner::new()?;
    let good = corner.write("good.ll", ir::saying("x", 5))?;
    let bad = corner.write("bad.ll", "define nonsense")?;
    let build =
        |module: &Path, output: &str| process::run(corner.larder()?.arg("build").arg(module).args(["-o", output]), b"");
    build(&good, "p.image")?.success("build")?;
    let before = fs::read(corner.work().join("p.image"))?;
    ensure!(build(&bad, "p.image")?.ending == Ending::Exit(125), "nonsense was built");
    ensure!(fs::read(corner.work().join("p.image"))? == before, "a failed build touched the image");
    ensure!(build(&good, "nowhere/p.image")?.ending == Ending::Exit(125), "built into a folder that isn't there");
    build(&good, "p.image")?.success("build over an image")?;
    let mode = fs::metadata(corner.work().join("p.image"))?.mode() & 0o777;
    let made = fs::metadata(&good)?.mode() & 0o777;
    ensure!(mode == made, "mode {mode:o}, other files are made with {made:o}");
    let left: Vec<_> = fs::read_dir(corner.work())?.flatten().map(|entry| entry.file_name()).collect();
    ensure!(left.len() == 3, "left behind: {left:?}");
    Ok(())
}
