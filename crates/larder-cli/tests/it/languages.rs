//! Programs of other languages with all of their standard library: in one module, from archives, from shared libraries.

use crate::cases::{self, Stderr};
use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::{Skip, tests};
use crate::tools;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

tests![
    rust_in_one_module,
    rust_with_a_shared_library,
    rust_with_a_library_of_rust,
    c_with_a_library_of_rust,
    fortran_with_an_archive,
    fortran_with_a_shared_library,
];

/// The LLVM of the reference tool chain: it reads bitcode of its own version and older.
const LLVM: u32 = 22;

fn rust_in_one_module() -> Result<()> {
    let corner = Corner::new()?;
    rustc_program(&corner, &["-Clto=fat"])?;
    agree(&corner, &[])
}

fn rust_with_a_shared_library() -> Result<()> {
    let corner = Corner::new()?;
    rustc_program(&corner, &["-Cprefer-dynamic", "-Crpath"])?;
    agree(&corner, &["--load".into(), standard_library()?])
}

/// The crate as an `rlib`: its members are objects and what the compiler keeps for itself, or bitcode.
fn rust_with_a_library_of_rust() -> Result<()> {
    for options in [&[][..], &["-Clinker-plugin-lto"]] {
        let corner = Corner::new()?;
        rustc(&corner, "words.rs", &[&["--crate-type=rlib"], options].concat())?;
        let native = ["--extern=words=libwords.rlib", "-Cprefer-dynamic", "-Crpath", "--emit=llvm-bc,link", "-owhole"];
        rustc(&corner, "uses_words.rs", &native)?;
        let archive = ["--extra-archive".into(), "libwords.rlib".into()];
        agree(&corner, &[&archive[..], &["--load".into(), standard_library()?]].concat())?;
    }
    Ok(())
}

/// The crate as a `staticlib`, in which all of the standard library is.
fn c_with_a_library_of_rust() -> Result<()> {
    let corner = Corner::new()?;
    rustc(&corner, "words.rs", &["--crate-type=staticlib"])?;
    for options in [&["-emit-llvm", "-c", "-o", "whole.bc"][..], &["-o", "whole", "libwords.a"]] {
        let mut command = corner.command(tools::llvm("clang")?);
        process::run(command.arg("-O1").arg(source("uses_words.c")).args(options), b"")?.success("clang")?;
    }
    agree(&corner, &["--extra-archive".into(), "libwords.a".into()])
}

/// The shared library of Rust's own.
fn standard_library() -> Result<PathBuf> {
    let output = Command::new(rust_compiler()).args(["--print", "target-libdir"]).output()?;
    let directory = PathBuf::from(String::from_utf8(output.stdout)?.trim_end());
    let library = directory.read_dir()?.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".so")
    });
    library.with_context(|| format!("no libstd-*.so in {}", directory.display()))
}

fn fortran_with_an_archive() -> Result<()> {
    let corner = Corner::new()?;
    let runtime = flang(&corner)?;
    agree(&corner, &["--extra-archive".into(), runtime])
}

fn fortran_with_a_shared_library() -> Result<()> {
    let corner = Corner::new()?;
    let runtime = flang(&corner)?;
    let mut command = corner.command(tools::llvm("clang++")?);
    command.args(["-shared", "-o", "libruntime.so", "-Wl,--whole-archive"]).arg(runtime).arg("-Wl,--no-whole-archive");
    process::run(&mut command, b"")?.success("clang++")?;
    agree(&corner, &["-L.".into(), "-lruntime".into()])
}

/// Compares the native program `whole` with its bitcode `whole.bc`, cold and warm, each with two arguments and a line to read.
fn agree(corner: &Corner, options: &[PathBuf]) -> Result<()> {
    let native = process::run(corner.command(corner.work().join("whole")).args(["one", "two"]), b"42 word\n")?;
    ensure!(native.ending == Ending::Exit(7), "{} {}", native.ending, native.err());
    for outcome in ["miss", "hit"] {
        let mut command = corner.larder_run()?;
        let (ran, report) = corner.reported(command.args(options).args(["whole.bc", "one", "two"]), b"42 word\n")?;
        cases::same("larder", &native, &ran, Stderr::Same)?;
        ensure!(report.outcome == outcome, "{}", report.text);
    }
    Ok(())
}

fn rust_compiler() -> std::ffi::OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// Makes the Rust program and its bitcode.
fn rustc_program(corner: &Corner, options: &[&str]) -> Result<()> {
    rustc(corner, "whole.rs", &[&["--emit=llvm-bc,link"], options].concat())
}

fn rustc(corner: &Corner, file: &str, options: &[&str]) -> Result<()> {
    let version = Command::new(rust_compiler()).arg("-vV").output()?;
    let version = String::from_utf8(version.stdout)?;
    let llvm =
        version.lines().find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next()?.parse::<u32>().ok());
    if llvm.is_none_or(|llvm| llvm > LLVM) {
        return Err(Skip(format!("rustc writes bitcode that LLVM {LLVM} may not read: {version}")).into());
    }
    let mut command = Command::new(rust_compiler());
    command.args(["--edition=2024", "-Copt-level=1", "-Ccodegen-units=1"]).args(options);
    process::run(command.arg(source(file)).current_dir(corner.work()), b"")?.success("rustc").map(drop)
}

/// Makes the Fortran program and its bitcode; gives the archive of the run-time library.
fn flang(corner: &Corner) -> Result<PathBuf> {
    let Ok(flang) = tools::llvm("flang") else {
        return Err(Skip("flang 22 isn't there; it is a gigabyte, and nothing else needs it".to_owned()).into());
    };
    for options in [&["-o", "whole"][..], &["-c", "-emit-llvm", "-o", "whole.bc"]] {
        let mut command = corner.command(&flang);
        process::run(command.args(["-O1", "-g"]).args(options).arg(source("whole.f90")), b"")?.success("flang")?;
    }
    let ran = process::run(corner.command(tools::llvm("clang")?).arg("--print-resource-dir"), b"")?;
    Ok(Path::new(ran.out().trim_end()).join("lib/x86_64-pc-linux-gnu/libflang_rt.runtime.a"))
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/programs").join(name)
}
